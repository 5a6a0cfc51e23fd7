#include "src/base/file_writer.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace specinfer {
namespace {

namespace fs = std::filesystem;

class FileWriterTest : public testing::Test {
 protected:
  FileWriterTest()
      : folder_(
            fs::path(testing::TempDir()) /
            (std::string("writer-") +
             testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  ~FileWriterTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ / name; }
  static std::string Read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream),
            std::istreambuf_iterator<char>()};
  }
  static absl::Status Write(FileWriter& writer, uint64_t offset,
                            const std::string& text) {
    return writer.WriteAt(
        offset, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }

  fs::path folder_;
};

TEST_F(FileWriterTest, ReplacesTheFileOnlyWhenCommitted) {
  std::ofstream(Path("file")) << "before";
  FileWriter writer = *FileWriter::Create(Path("file"));
  ASSERT_TRUE(Write(writer, 2, "cd").ok());
  ASSERT_TRUE(Write(writer, 0, "ab").ok());
  EXPECT_EQ(Read(Path("file")), "before");

  ASSERT_TRUE(writer.Commit().ok());

  EXPECT_EQ(Read(Path("file")), "abcd");
}

TEST_F(FileWriterTest, LeavesNothingBehindWithoutCommit) {
  {
    FileWriter writer = *FileWriter::Create(Path("file"));
    ASSERT_TRUE(Write(writer, 0, "ab").ok());
  }

  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(FileWriterTest, TwoWritersOfOneFileDoNotMeet) {
  FileWriter first = *FileWriter::Create(Path("file"));
  FileWriter second = *FileWriter::Create(Path("file"));
  ASSERT_TRUE(Write(first, 0, "first").ok());
  ASSERT_TRUE(Write(second, 0, "second").ok());

  ASSERT_TRUE(second.Commit().ok());
  ASSERT_TRUE(first.Commit().ok());

  EXPECT_EQ(Read(Path("file")), "first");
}

TEST_F(FileWriterTest, RefusesFoldersAndMissingFolders) {
  EXPECT_EQ(FileWriter::Create(folder_.string()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FileWriter::Create(Path("none/file")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FileWriterTest, KnowsOneFileUnderTwoNames) {
  std::ofstream(Path("file")) << "x";
  std::ofstream(Path("other")) << "x";
  fs::create_symlink(Path("file"), Path("link"));

  EXPECT_TRUE(IsSameFile(Path("file"), Path("link")));
  EXPECT_FALSE(IsSameFile(Path("file"), Path("other")));
  EXPECT_FALSE(IsSameFile(Path("file"), Path("none")));
}

}  // namespace
}  // namespace specinfer
