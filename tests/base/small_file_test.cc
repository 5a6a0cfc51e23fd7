#include "src/base/small_file.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

#include <sys/stat.h>

namespace specinfer {
namespace {

namespace fs = std::filesystem;

class SmallFileTest : public testing::Test {
 protected:
  SmallFileTest()
      : folder_(
            fs::path(testing::TempDir()) /
            (std::string("small-") +
             testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~SmallFileTest() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const {
    return (folder_ / name).string();
  }

  const fs::path folder_;
};

TEST_F(SmallFileTest, IsReadAsItWasWritten) {
  const std::string text("one\ntwo\0three", 13);

  ASSERT_TRUE(WriteSmallFile(Path("file"), text).ok());
  ASSERT_TRUE(WriteSmallFile(Path("file"), text).ok());

  EXPECT_EQ(*ReadSmallFile(Path("file"), 13), text);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(SmallFileTest, MayBeEmpty) {
  std::ofstream(Path("file")).flush();

  EXPECT_EQ(*ReadSmallFile(Path("file"), 10), "");
}

TEST_F(SmallFileTest, IsRefusedWhereItIsLonger) {
  std::ofstream(Path("file")) << "12345678901";

  EXPECT_EQ(ReadSmallFile(Path("file"), 10).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SmallFileTest, IsNotFoundWhereThereIsNone) {
  EXPECT_TRUE(absl::IsNotFound(ReadSmallFile(Path("file"), 10).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadSmallFile(Path("no/file"), 10).status()));
  EXPECT_TRUE(absl::IsNotFound(WriteSmallFile(Path("no/file"), "text")));
}

TEST_F(SmallFileTest, IsRefusedWhereItIsNoFile) {
  fs::create_directory(Path("folder"));
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);

  for (const char* name : {"folder", "pipe"}) {
    EXPECT_EQ(ReadSmallFile(Path(name), 10).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
}

TEST_F(SmallFileTest, ReplacesALinkAndNotWhatItLeadsTo) {
  std::ofstream(Path("other")) << "precious";
  fs::create_symlink(Path("other"), Path("file"));

  ASSERT_TRUE(WriteSmallFile(Path("file"), "text").ok());

  EXPECT_EQ(*ReadSmallFile(Path("other"), 10), "precious");
  EXPECT_EQ(*ReadSmallFile(Path("file"), 10), "text");
}

}  // namespace
}  // namespace specinfer
