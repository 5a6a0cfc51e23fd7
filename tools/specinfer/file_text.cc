#include "file_text.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "failure.h"

namespace specinfer_cli {

std::string ReadFile(const std::string& path) {
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };
  const std::unique_ptr<std::FILE, Close> file(
      path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  if (file == nullptr) {
    throw Failure("file \"" + path + "\": " + std::strerror(errno));
  }
  std::string text;
  char block[1 << 16];
  while (const size_t num_read =
             std::fread(block, 1, sizeof(block), file.get())) {
    text.append(block, num_read);
  }
  if (std::ferror(file.get()) != 0) {
    throw Failure("file \"" + path + "\": " + std::strerror(errno));
  }
  return text;
}

void WriteFile(const std::string& path, const std::string& text) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "wb");
  if (file == nullptr) {
    throw Failure("file \"" + path + "\": " + std::strerror(errno));
  }
  const bool is_whole =
      std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool is_flushed =
      file == stdout ? std::fflush(file) == 0 : std::fclose(file) == 0;
  if (!is_whole || !is_flushed) {
    throw Failure("file \"" + path + "\" could not be written");
  }
}

}  // namespace specinfer_cli
