// A key-value cache of one layer, written slot by slot. Slots that were never
// written hold NaN.
#ifndef SPECINFER_TESTS_BACKEND_TEST_CACHE_H_
#define SPECINFER_TESTS_BACKEND_TEST_CACHE_H_

#include <cstdint>
#include <vector>

#include "src/base/half.h"
#include "tests/backend/machine.h"

namespace specinfer::testing {

class TestCache {
 public:
  TestCache(Machine& machine, int num_slots, int kv_heads, int head_dim,
            int num_layers = 1)
      : kv_heads_(kv_heads), head_dim_(head_dim) {
    constexpr uint16_t kNan = 0x7e01;
    const size_t page_bytes = CacheBytesPerLayer(kv_heads, head_dim) *
                              static_cast<size_t>(num_layers);
    for (int first = 0; first < num_slots; first += kPagePositions) {
      Buffer* buffer = machine.MakeBuffer(page_bytes);
      auto* halves = reinterpret_cast<uint16_t*>(buffer->host());
      std::fill_n(halves, page_bytes / sizeof(uint16_t), kNan);
      pages_.push_back({buffer, 0});
    }
  }

  std::vector<CachePage>& pages() { return pages_; }

  uint16_t* Key(int slot, int head, int d, int layer = 0) {
    return Head(slot, head, layer) + d * kPagePositions + slot % kPagePositions;
  }
  uint16_t* Value(int slot, int head, int d, int layer = 0) {
    return Head(slot, head, layer) +
           (kPagePositions + slot % kPagePositions) * head_dim_ + d;
  }

  // Keys and values of all heads, made from `token_seed` alone.
  void WriteToken(int slot, uint64_t token_seed, float spread = 2.0f) {
    const size_t width = static_cast<size_t>(kv_heads_ * head_dim_);
    const std::vector<float> numbers =
        RandomFloats(2 * width, token_seed, spread);
    for (int head = 0; head < kv_heads_; ++head) {
      for (int d = 0; d < head_dim_; ++d) {
        const size_t index = static_cast<size_t>(head * head_dim_ + d);
        *Key(slot, head, d) = FloatToHalf(numbers[index]);
        *Value(slot, head, d) = FloatToHalf(numbers[width + index]);
      }
    }
  }

  // Everything in the pages, for comparison.
  std::vector<uint16_t> Contents() const {
    std::vector<uint16_t> contents;
    for (const CachePage& page : pages_) {
      const auto* halves =
          reinterpret_cast<const uint16_t*>(page.buffer->host());
      contents.insert(contents.end(), halves,
                      halves + page.buffer->size() / sizeof(uint16_t));
    }
    return contents;
  }

 private:
  uint16_t* Head(int slot, int head, int layer) {
    const CachePage& page = pages_[static_cast<size_t>(slot / kPagePositions)];
    const size_t offset =
        CacheBytesPerLayer(kv_heads_, head_dim_) * static_cast<size_t>(layer) +
        CacheBytesPerLayer(head, head_dim_);
    return reinterpret_cast<uint16_t*>(page.buffer->host() + offset);
  }

  const int kv_heads_;
  const int head_dim_;
  std::vector<CachePage> pages_;
};

}  // namespace specinfer::testing

#endif  // SPECINFER_TESTS_BACKEND_TEST_CACHE_H_
