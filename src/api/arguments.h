// Checks of parameters that many functions share. Each error names the
// parameter.
#ifndef SPECINFER_SRC_API_ARGUMENTS_H_
#define SPECINFER_SRC_API_ARGUMENTS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "include/specinfer.h"
#include "src/backend/turns.h"
#include "src/base/status_macros.h"

namespace specinfer {

// Longer texts and lists are mistakes: a negative number, or uninitialised
// memory.
inline constexpr size_t kMaxLength = INT32_MAX;

inline absl::Status CheckPointer(const void* pointer, const char* parameter) {
  if (pointer != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(parameter, " is NULL"));
}

// A borrowed array: NULL is right only for a length of 0.
inline absl::Status CheckArray(const void* data, size_t length,
                               const char* parameter) {
  if (length > kMaxLength) {
    return absl::InvalidArgumentError(absl::StrCat(
        parameter, " has a length of ", length, ", the limit is ", kMaxLength));
  }
  if (data != nullptr || length == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(parameter, " is NULL but its length is ", length));
}

inline absl::StatusOr<std::string_view> ReadText(const char* data,
                                                 size_t length,
                                                 const char* parameter) {
  SPECINFER_RETURN_IF_ERROR(CheckArray(data, length, parameter));
  return length == 0 ? std::string_view("") : std::string_view(data, length);
}

inline absl::StatusOr<absl::Span<const specinfer_token>> ReadTokens(
    const specinfer_token* tokens, size_t num_tokens) {
  SPECINFER_RETURN_IF_ERROR(CheckArray(tokens, num_tokens, "tokens"));
  return absl::MakeConstSpan(tokens, num_tokens);
}

inline absl::Status CheckFlags(uint32_t flags, uint32_t known) {
  if ((flags & ~known) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("flags has bits 0x", absl::Hex(flags & ~known),
                   " that this function does not know"));
}

inline absl::StatusOr<Urgency> ReadUrgency(int32_t urgency) {
  switch (urgency) {
    case SPECINFER_URGENCY_ORDINARY:
      return Urgency::kOrdinary;
    case SPECINFER_URGENCY_RAISED:
      return Urgency::kRaised;
    case SPECINFER_URGENCY_HIGHEST:
      return Urgency::kHighest;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("config->urgency is ", urgency,
                       ", which is no SPECINFER_URGENCY_… of this library"));
  }
}

// Checks a (buffer, capacity, out_length) triple.
inline absl::Status CheckBuffer(const void* buffer, size_t capacity,
                                const size_t* out_length) {
  SPECINFER_RETURN_IF_ERROR(CheckPointer(out_length, "out_length"));
  if (buffer != nullptr || capacity == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("buffer is NULL but capacity is ", capacity));
}

// Fills the triple: the full length always, the elements only when all fit.
template <typename T>
void WriteBuffer(absl::Span<const T> elements, T* buffer, size_t capacity,
                 size_t* out_length) {
  if (!elements.empty() && capacity >= elements.size()) {
    std::memcpy(buffer, elements.data(), elements.size() * sizeof(T));
  }
  *out_length = elements.size();
}

inline void WriteBuffer(std::string_view text, char* buffer, size_t capacity,
                        size_t* out_length) {
  WriteBuffer(absl::MakeConstSpan(text.data(), text.size()), buffer, capacity,
              out_length);
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_API_ARGUMENTS_H_
