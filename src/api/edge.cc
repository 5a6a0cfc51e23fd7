#include "src/api/edge.h"

#include <algorithm>
#include <cstring>

namespace specinfer {
namespace {

// A plain array: recording an error never allocates, and a thread's end has
// nothing to destroy.
constexpr size_t kMaxErrorBytes = 2048;
thread_local char last_error[kMaxErrorBytes] = "";

// Where a text of at most `max_bytes` may end without cutting a UTF-8
// character.
size_t CutLength(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text.size();
  size_t length = max_bytes;
  while (length > 0 &&
         (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80)
    --length;
  return length;
}

}  // namespace

specinfer_status RecordError(absl::StatusCode code,
                             absl::string_view message) noexcept {
  const size_t length = CutLength(message, kMaxErrorBytes - 1);
  // The message may be a piece of the last one.
  std::memmove(last_error, message.data(), length);
  // A zero byte from a file would end the text early for the caller.
  std::replace(last_error, last_error + length, '\0', '?');
  last_error[length] = '\0';
  return static_cast<specinfer_status>(code);
}

}  // namespace specinfer

extern "C" {

const char* specinfer_last_error(void) { return specinfer::last_error; }

uint32_t specinfer_version(void) { return SPECINFER_VERSION; }

const char* specinfer_status_name(specinfer_status status) {
  static constexpr const char* kNames[] = {
      "OK",
      "CANCELLED",
      "UNKNOWN",
      "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED",
      "NOT_FOUND",
      "ALREADY_EXISTS",
      "PERMISSION_DENIED",
      "RESOURCE_EXHAUSTED",
      "FAILED_PRECONDITION",
      "ABORTED",
      "OUT_OF_RANGE",
      "UNIMPLEMENTED",
      "INTERNAL",
      "UNAVAILABLE",
      "DATA_LOSS",
  };
  constexpr specinfer_status kNumNames = sizeof(kNames) / sizeof(kNames[0]);
  return status >= 0 && status < kNumNames ? kNames[status] : "UNKNOWN";
}

}  // extern "C"
