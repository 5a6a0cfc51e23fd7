#include "src/base/file_mapping.h"

#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <sys/stat.h>

namespace specinfer {
namespace {

using ::testing::HasSubstr;

class FileMappingFile : public ::testing::Test {
 protected:
  ~FileMappingFile() override { unlink(path_.c_str()); }

  void Write(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
  }

  Memory memory_{0};
  const std::string path_ = ::testing::TempDir() + "file_mapping_" +
                            std::to_string(getpid()) + ".bin";
};

std::string Text(const FileMapping& mapping) {
  return {mapping.bytes().begin(), mapping.bytes().end()};
}

TEST_F(FileMappingFile, ShowsTheBytesOfTheFile) {
  Write("some bytes");

  const auto mapping = FileMapping::Open(path_, {}, memory_);

  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(Text(*mapping), "some bytes");
  EXPECT_EQ(mapping->path(), path_);
  EXPECT_EQ(memory_.used_bytes(), 0u);
}

TEST_F(FileMappingFile, OutlivesTheObjectItWasMovedFrom) {
  Write("some bytes");
  auto mapping = FileMapping::Open(path_, {}, memory_);
  ASSERT_TRUE(mapping.ok());

  FileMapping moved = std::move(*mapping);
  FileMapping assigned =
      std::move(FileMapping::Open(path_, {}, memory_)).value();
  assigned = std::move(moved);

  EXPECT_EQ(Text(assigned), "some bytes");
}

TEST_F(FileMappingFile, StaysReadableAfterRelease) {
  Write(std::string(300000, 'x'));
  const auto mapping = FileMapping::Open(path_, {}, memory_);
  ASSERT_TRUE(mapping.ok());

  mapping->Release(100, 250000);
  mapping->Release(299999, SIZE_MAX);
  mapping->Release(SIZE_MAX, 1);

  EXPECT_EQ(Text(*mapping), std::string(300000, 'x'));
}

TEST_F(FileMappingFile, ReportsAMissingFile) {
  const auto mapping = FileMapping::Open(path_ + ".missing", {}, memory_);

  EXPECT_TRUE(absl::IsNotFound(mapping.status()));
  EXPECT_THAT(std::string(mapping.status().message()), HasSubstr(path_));
}

TEST_F(FileMappingFile, RefusesAFolder) {
  const auto mapping = FileMapping::Open(::testing::TempDir(), {}, memory_);

  EXPECT_TRUE(absl::IsInvalidArgument(mapping.status()));
  EXPECT_THAT(std::string(mapping.status().message()), HasSubstr("folder"));
}

TEST_F(FileMappingFile, RefusesAnEmptyFile) {
  Write("");

  const auto mapping = FileMapping::Open(path_, {}, memory_);

  EXPECT_TRUE(absl::IsInvalidArgument(mapping.status()));
}

TEST_F(FileMappingFile, RefusesAPipeWithoutWaiting) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);

  const auto mapping = FileMapping::Open(path_, {}, memory_);

  EXPECT_TRUE(absl::IsInvalidArgument(mapping.status()));
}

TEST_F(FileMappingFile, RefusesAFileItMayNotRead) {
  Write("secret");
  ASSERT_EQ(chmod(path_.c_str(), 0), 0);
  if (geteuid() == 0) GTEST_SKIP() << "the superuser may read everything";

  const auto mapping = FileMapping::Open(path_, {}, memory_);

  EXPECT_TRUE(absl::IsPermissionDenied(mapping.status()));
}

// A host that serves one text from memory.
struct Archive {
  static int64_t Size(void* user_data, const char* path, size_t path_length) {
    const auto* archive = static_cast<const Archive*>(user_data);
    return std::string(path, path_length) == "inside"
               ? static_cast<int64_t>(archive->text.size())
               : -1;
  }
  static int32_t Read(void* user_data, const char*, size_t, uint64_t offset,
                      void* buffer, size_t num_bytes) {
    const auto* archive = static_cast<const Archive*>(user_data);
    if (archive->fails) return 1;
    std::memcpy(buffer, archive->text.data() + offset, num_bytes);
    return 0;
  }
  FileReader reader() { return {&Size, &Read, this}; }

  std::string text = "bytes of an archive";
  bool fails = false;
};

TEST(FileMappingReader, ReadsThroughTheHost) {
  Memory memory(0);
  Archive archive;

  const auto mapping = FileMapping::Open("inside", archive.reader(), memory);

  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(Text(*mapping), archive.text);
  EXPECT_EQ(memory.used_bytes(), archive.text.size());
}

TEST(FileMappingReader, ReportsWhatTheHostLacks) {
  Memory memory(0);
  Archive archive;

  EXPECT_TRUE(absl::IsNotFound(
      FileMapping::Open("outside", archive.reader(), memory).status()));
}

TEST(FileMappingReader, ReportsAFailedRead) {
  Memory memory(0);
  Archive archive;
  archive.fails = true;

  const auto mapping = FileMapping::Open("inside", archive.reader(), memory);

  EXPECT_FALSE(mapping.ok());
  EXPECT_THAT(std::string(mapping.status().message()), HasSubstr("inside"));
  EXPECT_EQ(memory.used_bytes(), 0u);
}

TEST(FileMappingReader, HoldsToTheBudget) {
  Memory memory(5);
  Archive archive;

  EXPECT_TRUE(absl::IsResourceExhausted(
      FileMapping::Open("inside", archive.reader(), memory).status()));
}

}  // namespace
}  // namespace specinfer
