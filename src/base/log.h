// Messages to the host. Silent without a sink.
#ifndef SPECINFER_SRC_BASE_LOG_H_
#define SPECINFER_SRC_BASE_LOG_H_

#include <cstdint>
#include <string_view>

namespace specinfer {

enum class LogLevel : int32_t { kInfo = 1, kWarning = 2, kError = 3 };

// `sink` may be called from any thread.
struct LogSink {
  void (*sink)(void* user_data, int32_t level, const char* text,
               size_t length) = nullptr;
  void* user_data = nullptr;

  void Write(LogLevel level, std::string_view text) const {
    if (sink != nullptr)
      sink(user_data, static_cast<int32_t>(level), text.data(), text.size());
  }
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_LOG_H_
