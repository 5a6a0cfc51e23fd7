// Files that exist only in memory, behind the host's file reader.
#ifndef SPECINFER_TESTS_MODEL_MEMORY_FILES_H_
#define SPECINFER_TESTS_MODEL_MEMORY_FILES_H_

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "src/base/file_mapping.h"

namespace specinfer {

class MemoryFiles {
 public:
  // REQUIRES: this outlives what is opened through the reader.
  FileReader reader() { return {&Size, &Read, this}; }

  void Put(const std::string& path, std::string bytes) {
    files_[path] = std::move(bytes);
  }
  void Remove(const std::string& path) { files_.erase(path); }
  std::string& operator[](const std::string& path) { return files_[path]; }

 private:
  static int64_t Size(void* self, const char* path, size_t length) {
    const auto& files = static_cast<MemoryFiles*>(self)->files_;
    const auto found = files.find(std::string(path, length));
    return found == files.end() ? -1
                                : static_cast<int64_t>(found->second.size());
  }
  static int32_t Read(void* self, const char* path, size_t length,
                      uint64_t offset, void* buffer, size_t num_bytes) {
    const auto& files = static_cast<MemoryFiles*>(self)->files_;
    const auto found = files.find(std::string(path, length));
    if (found == files.end() || offset + num_bytes > found->second.size())
      return 1;
    std::memcpy(buffer, found->second.data() + offset, num_bytes);
    return 0;
  }

  std::map<std::string, std::string> files_;
};

// The bytes of a file on disk; empty where there is none.
inline std::string ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream),
          std::istreambuf_iterator<char>()};
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_MODEL_MEMORY_FILES_H_
