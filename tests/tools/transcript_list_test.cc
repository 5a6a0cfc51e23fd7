#include "tools/specinfer/transcript_list.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tools/specinfer/failure.h"

namespace specinfer_cli {
namespace {

using testing::HasSubstr;

class TranscriptList : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "specinfer_transcripts_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string folder_;
};

TEST_F(TranscriptList, HasAFileAndATextOnALine) {
  const auto list = ReadTranscripts(
      Write("list", "a b.wav\tOne (two) </s>\r\n\nsub/c.flac\t\n"));

  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].path, folder_ + "/a b.wav");
  EXPECT_EQ(list[0].text, "One (two) </s>");
  EXPECT_EQ(list[1].name, "sub/c.flac");
  EXPECT_EQ(list[1].text, "");
}

TEST_F(TranscriptList, MayBeOfSphinx) {
  Write("x.flac", "");
  Write("cards-001.wav", "");
  const auto list = ReadTranscripts(
      Write("cards.transcription",
            "<s> ten (of) clubs  </s> (001)\nnine (x) \n<s> </s> (y)"));

  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].path, folder_ + "/cards-001.wav");
  EXPECT_EQ(list[0].text, "ten (of) clubs");
  EXPECT_EQ(list[1].name, "x.flac");
  EXPECT_EQ(list[1].text, "nine");
  EXPECT_EQ(list[2].name, "y.wav");
  EXPECT_EQ(list[2].text, "");
}

TEST_F(TranscriptList, SaysWhichLineIsNone) {
  for (const char* line :
       {"no tab", "\tno file", "no name ()", "text (a", ")"}) {
    try {
      ReadTranscripts(Write("list", std::string("a\tb\n") + line));
      FAIL() << line;
    } catch (const Failure& failure) {
      EXPECT_THAT(failure.what(), HasSubstr("line 2")) << line;
    }
  }
  EXPECT_THROW(ReadTranscripts(Write("list", "\n \n")), Failure);
  EXPECT_THROW(ReadTranscripts(folder_ + "/nothing"), Failure);
}

}  // namespace
}  // namespace specinfer_cli
