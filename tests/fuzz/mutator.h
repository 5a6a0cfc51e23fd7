// Damages bytes at random, the same way for the same seed on every machine.
#ifndef SPECINFER_TESTS_FUZZ_MUTATOR_H_
#define SPECINFER_TESTS_FUZZ_MUTATOR_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>

namespace specinfer {

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  // One to four damages. Three of four of them hit the first
  // `interesting_bytes`, where a format keeps its numbers.
  std::string Mutate(std::string bytes, size_t interesting_bytes) {
    const uint64_t count = 1 + Below(4);
    for (uint64_t damage = 0; damage < count && !bytes.empty(); ++damage)
      DamageOnce(bytes, interesting_bytes);
    return bytes;
  }

  // A number below `limit`, or 0.
  uint64_t Below(uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }

 private:
  void DamageOnce(std::string& bytes, size_t interesting_bytes) {
    const size_t reach = Below(4) == 0
                             ? bytes.size()
                             : std::min(interesting_bytes, bytes.size());
    const size_t place = Below(reach);
    switch (Below(8)) {
      case 0:
        bytes[place] = static_cast<char>(bytes[place] ^ (1 << Below(8)));
        break;
      case 1:
        bytes[place] = static_cast<char>(random_());
        break;
      case 2:
        Overwrite<uint16_t>(bytes, place);
        break;
      case 3:
        Overwrite<uint32_t>(bytes, place);
        break;
      case 4:
        Overwrite<uint64_t>(bytes, place);
        break;
      case 5:
        bytes.resize(place);
        break;
      case 6:
        Swap(bytes, place, Below(reach), 1 + Below(64));
        break;
      default:
        // Shifts everything behind, as a lost or doubled write does.
        if (Below(2) == 0) {
          bytes.erase(place, 1 + Below(16));
        } else {
          bytes.insert(place, bytes.substr(place, 1 + Below(16)));
        }
    }
  }

  template <typename T>
  void Overwrite(std::string& bytes, size_t place) {
    constexpr uint64_t kEdges[] = {0,
                                   1,
                                   2,
                                   3,
                                   8,
                                   9,
                                   31,
                                   32,
                                   33,
                                   64,
                                   127,
                                   128,
                                   255,
                                   256,
                                   0x7fff,
                                   0x8000,
                                   0xffff,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   uint64_t{1} << 32,
                                   uint64_t{1} << 60,
                                   uint64_t{1} << 62,
                                   uint64_t{1} << 63,
                                   (uint64_t{1} << 63) - 1,
                                   ~uint64_t{0},
                                   ~uint64_t{0} - 31,
                                   ~uint64_t{0} - 7};
    T value = 0;
    if (place + sizeof(T) > bytes.size()) return;
    std::memcpy(&value, bytes.data() + place, sizeof(T));
    switch (Below(3)) {
      case 0:
        value = static_cast<T>(kEdges[Below(std::size(kEdges))]);
        break;
      case 1:
        value = static_cast<T>(value + Below(9) - 4);
        break;
      default:
        value = static_cast<T>(random_());
    }
    std::memcpy(bytes.data() + place, &value, sizeof(T));
  }

  static void Swap(std::string& bytes, size_t first, size_t second,
                   size_t count) {
    count = std::min({count, bytes.size() - first, bytes.size() - second});
    for (size_t index = 0; index < count; ++index)
      std::swap(bytes[first + index], bytes[second + index]);
  }

  std::mt19937_64 random_;
};

}  // namespace specinfer

#endif  // SPECINFER_TESTS_FUZZ_MUTATOR_H_
