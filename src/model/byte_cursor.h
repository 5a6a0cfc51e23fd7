// Reads forwards through untrusted bytes; every read says whether it fitted.
#ifndef SPECINFER_SRC_MODEL_BYTE_CURSOR_H_
#define SPECINFER_SRC_MODEL_BYTE_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/types/span.h"

namespace specinfer {

class ByteCursor {
 public:
  explicit ByteCursor(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}

  size_t offset() const { return offset_; }
  size_t left() const { return bytes_.size() - offset_; }

  template <typename T>
  bool Read(T& value) {
    if (left() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return true;
  }

  bool ReadBytes(uint64_t num_bytes, absl::Span<const uint8_t>& bytes) {
    if (num_bytes > left()) return false;
    bytes = bytes_.subspan(offset_, num_bytes);
    offset_ += num_bytes;
    return true;
  }

  // A length of the given type, then that many bytes.
  template <typename Length>
  bool ReadString(std::string_view& text) {
    Length length = 0;
    absl::Span<const uint8_t> bytes;
    if (!Read(length) || !ReadBytes(length, bytes)) return false;
    text = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    return true;
  }

  absl::Span<const uint8_t> Since(size_t offset) const {
    return bytes_.subspan(offset, offset_ - offset);
  }

 private:
  absl::Span<const uint8_t> bytes_;
  size_t offset_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_BYTE_CURSOR_H_
