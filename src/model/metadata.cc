#include "src/model/metadata.h"

#include <cstring>
#include <iterator>

namespace specinfer {
namespace {

// Indexed by MetadataType.
constexpr size_t kTypeBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

template <typename T>
T Load(const uint8_t* position) {
  T value;
  std::memcpy(&value, position, sizeof(T));
  return value;
}

int64_t CutToInt(double value) {
  return value > -9.2e18 && value < 9.2e18 ? static_cast<int64_t>(value) : 0;
}

}  // namespace

size_t MetadataTypeBytes(uint32_t type) {
  return type < std::size(kTypeBytes) ? kTypeBytes[type] : 0;
}

int64_t NumberArray::Int(size_t index) const {
  const uint8_t* position =
      bytes_.data() + index * MetadataTypeBytes(static_cast<uint32_t>(type_));
  switch (type_) {
    case MetadataType::kUint8:
      return *position;
    case MetadataType::kInt8:
      return Load<int8_t>(position);
    case MetadataType::kUint16:
      return Load<uint16_t>(position);
    case MetadataType::kInt16:
      return Load<int16_t>(position);
    case MetadataType::kUint32:
      return Load<uint32_t>(position);
    case MetadataType::kInt32:
      return Load<int32_t>(position);
    case MetadataType::kBool:
      return *position != 0;
    case MetadataType::kUint64: {
      const uint64_t value = Load<uint64_t>(position);
      return value <= INT64_MAX ? static_cast<int64_t>(value) : 0;
    }
    case MetadataType::kInt64:
      return Load<int64_t>(position);
    default:
      return CutToInt(Float(index));
  }
}

double NumberArray::Float(size_t index) const {
  const uint8_t* position =
      bytes_.data() + index * MetadataTypeBytes(static_cast<uint32_t>(type_));
  switch (type_) {
    case MetadataType::kFloat32:
      return Load<float>(position);
    case MetadataType::kFloat64:
      return Load<double>(position);
    case MetadataType::kUint64:
      return static_cast<double>(Load<uint64_t>(position));
    default:
      return static_cast<double>(Int(index));
  }
}

std::string_view StringArray::Iterator::operator*() const {
  return {reinterpret_cast<const char*>(position_) + sizeof(uint64_t),
          Load<uint64_t>(position_)};
}

StringArray::Iterator& StringArray::Iterator::operator++() {
  position_ += sizeof(uint64_t) + Load<uint64_t>(position_);
  return *this;
}

std::string_view MetadataKindName(const MetadataValue& value) {
  constexpr std::string_view kNames[] = {
      "a bool",   "an integer",          "an integer",         "a number",
      "a string", "an array of numbers", "an array of strings"};
  return kNames[value.index()];
}

}  // namespace specinfer
