// The values of a model file's keys. Values are views: they live as long as the
// file they were read from.
#ifndef SPECINFER_SRC_MODEL_METADATA_H_
#define SPECINFER_SRC_MODEL_METADATA_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <variant>

#include "absl/types/span.h"

namespace specinfer {

// The numbers of GGUF.
enum class MetadataType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// Bytes of one value of a number or bool type; 0 for strings, arrays and
// unknown numbers.
size_t MetadataTypeBytes(uint32_t type);

// An array of numbers or bools, unaligned in the file.
class NumberArray {
 public:
  NumberArray() = default;
  // REQUIRES: `bytes` holds whole values of `type`.
  NumberArray(MetadataType type, absl::Span<const uint8_t> bytes)
      : type_(type), bytes_(bytes) {}

  MetadataType type() const { return type_; }
  absl::Span<const uint8_t> bytes() const { return bytes_; }
  bool is_floating() const {
    return type_ == MetadataType::kFloat32 || type_ == MetadataType::kFloat64;
  }
  size_t size() const {
    return bytes_.size() / MetadataTypeBytes(static_cast<uint32_t>(type_));
  }
  // The value as a double, and as an integer (floats are cut, what is out of
  // range is 0).
  // REQUIRES: index < size().
  double Float(size_t index) const;
  int64_t Int(size_t index) const;

 private:
  MetadataType type_ = MetadataType::kUint8;
  absl::Span<const uint8_t> bytes_;
};

// An array of strings as the file holds them: each a 64-bit length and its
// bytes. Read forwards, nothing copied.
class StringArray {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    explicit Iterator(const uint8_t* position) : position_(position) {}
    std::string_view operator*() const;
    Iterator& operator++();
    bool operator==(const Iterator& other) const = default;

   private:
    const uint8_t* position_;
  };

  StringArray() = default;
  // REQUIRES: `bytes` is exactly `count` strings.
  StringArray(size_t count, absl::Span<const uint8_t> bytes)
      : count_(count), bytes_(bytes) {}

  size_t size() const { return count_; }
  absl::Span<const uint8_t> bytes() const { return bytes_; }
  Iterator begin() const { return Iterator(bytes_.data()); }
  Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }

 private:
  size_t count_ = 0;
  absl::Span<const uint8_t> bytes_;
};

using MetadataValue = std::variant<bool, int64_t, uint64_t, double,
                                   std::string_view, NumberArray, StringArray>;

// "a string", "an array of numbers": for messages about a value of the wrong
// kind.
std::string_view MetadataKindName(const MetadataValue& value);

struct MetadataEntry {
  std::string_view key;
  MetadataValue value;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_METADATA_H_
