// Structs of callers built with an older or newer header: struct_size says how
// much of the struct there is.
#ifndef SPECINFER_SRC_API_SIZED_STRUCT_H_
#define SPECINFER_SRC_API_SIZED_STRUCT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace specinfer {

// What one public struct is called and how large it was in the first release
// that had it.
struct SizedStruct {
  const char* type;       // "specinfer_engine_config"
  const char* parameter;  // "config"
  const char* init_macro;
  size_t first_bytes;
};

// The size a struct had when `last_field` was its last.
#define SPECINFER_BYTES_UP_TO(type, last_field) \
  (offsetof(type, last_field) + sizeof(type::last_field))

// No struct of the API will reach this; a greater size is uninitialised memory.
inline constexpr uint32_t kMaxStructBytes = 4096;

inline absl::Status CheckStructSize(const SizedStruct& about,
                                    uint32_t struct_size) {
  if (struct_size >= about.first_bytes && struct_size <= kMaxStructBytes)
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(about.parameter, "->struct_size is ", struct_size,
                   "; start a ", about.type, " from ", about.init_macro));
}

// Copies the caller's struct into a zeroed one of today's size: fields the
// caller does not know are 0. Fields only the caller knows must be 0, so that
// no option is ever ignored in silence.
template <typename T>
absl::Status ReadSizedStruct(const T* caller, const SizedStruct& about,
                             T* out) {
  static_assert(std::is_trivially_copyable_v<T> &&
                offsetof(T, struct_size) == 0);
  const uint32_t struct_size = caller->struct_size;
  if (absl::Status status = CheckStructSize(about, struct_size); !status.ok())
    return status;
  const unsigned char* bytes = reinterpret_cast<const unsigned char*>(caller);
  for (size_t i = sizeof(T); i < struct_size; ++i) {
    if (bytes[i] == 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        about.parameter, " sets a field at byte ", i, " of ", about.type,
        ", which this library does not know; use a newer library or leave "
        "the field 0"));
  }
  *out = T{};
  std::memcpy(out, caller, std::min<size_t>(struct_size, sizeof(T)));
  return absl::OkStatus();
}

// Checks a struct that will be written by WriteSizedStruct, before there is
// anything to write.
template <typename T>
absl::Status CheckSizedOutput(const T* caller, const SizedStruct& about) {
  if (caller == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat(about.parameter, " is NULL"));
  return CheckStructSize(about, caller->struct_size);
}

// Writes as much of `value` as the caller's struct holds; its struct_size
// stays.
template <typename T>
void WriteSizedStruct(T value, T* caller) {
  static_assert(std::is_trivially_copyable_v<T> &&
                offsetof(T, struct_size) == 0);
  value.struct_size = caller->struct_size;
  std::memcpy(caller, &value, std::min<size_t>(caller->struct_size, sizeof(T)));
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_API_SIZED_STRUCT_H_
