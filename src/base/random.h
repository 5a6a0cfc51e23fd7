// Counter-based random numbers: a value depends on its key and counter alone,
// so any order of asking gives the same.
#ifndef SPECINFER_SRC_BASE_RANDOM_H_
#define SPECINFER_SRC_BASE_RANDOM_H_

#include <array>
#include <cstdint>

namespace specinfer {

// Philox4x32-10. Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
// 3".
inline std::array<uint32_t, 4> Philox(uint64_t key,
                                      std::array<uint32_t, 4> counter) {
  uint32_t key0 = static_cast<uint32_t>(key);
  uint32_t key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0,
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1,
               static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_RANDOM_H_
