// A hash of exact bits, for results that every processor must agree on.
#ifndef SPECINFER_TESTS_BASE_BIT_HASH_H_
#define SPECINFER_TESTS_BASE_BIT_HASH_H_

#include <bit>
#include <cstdint>

namespace specinfer {

class BitHash {
 public:
  // Adds 32 bits for each value.
  template <typename Values>
  void Add(const Values& values) {
    for (const auto& value : values) {
      // FNV-1a, a word at a time.
      value_ = (value_ ^ std::bit_cast<uint32_t>(value)) * 0x100000001b3u;
    }
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325u;
};

}  // namespace specinfer

#endif  // SPECINFER_TESTS_BASE_BIT_HASH_H_
