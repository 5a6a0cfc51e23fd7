// A key-value cache of one layer, written slot by slot. Slots that were never
// written hold NaN, or codes and scales that are NaN.
#ifndef SPECINFER_TESTS_BACKEND_TEST_CACHE_H_
#define SPECINFER_TESTS_BACKEND_TEST_CACHE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "src/base/half.h"
#include "tests/backend/machine.h"

namespace specinfer::testing {

class TestCache {
 public:
  TestCache(Machine& machine, int num_slots, int kv_heads, int head_dim,
            int num_layers = 1, CacheType type = CacheType::kF16)
      : kv_heads_(kv_heads), head_dim_(head_dim), type_(type) {
    constexpr uint16_t kNan = 0x7e01;
    const size_t page_bytes = CacheBytesPerLayer(kv_heads, head_dim, type) *
                              static_cast<size_t>(num_layers);
    for (int first = 0; first < num_slots; first += kPagePositions) {
      Buffer* buffer = machine.MakeBuffer(page_bytes);
      auto* halves = reinterpret_cast<uint16_t*>(buffer->host());
      std::fill_n(halves, page_bytes / sizeof(uint16_t), kNan);
      pages_.push_back({buffer, 0});
    }
  }

  std::vector<CachePage>& pages() { return pages_; }

  // Of a f16 cache.
  uint16_t* Key(int slot, int head, int d, int layer = 0) {
    return reinterpret_cast<uint16_t*>(Head(slot, head, layer)) +
           d * kPagePositions + slot % kPagePositions;
  }
  uint16_t* Value(int slot, int head, int d, int layer = 0) {
    return reinterpret_cast<uint16_t*>(Head(slot, head, layer)) +
           (kPagePositions + slot % kPagePositions) * head_dim_ + d;
  }

  // What a slot says, of either type.
  double ReadKey(int slot, int head, int d) {
    if (type_ == CacheType::kF16) return HalfToFloat(*Key(slot, head, d));
    // Back from the turn, whose matrix is orthogonal but for its width.
    const int width = dims() & -dims();
    double sum = 0.0;
    for (int i = d / width * width; i < (d / width + 1) * width; ++i) {
      sum += double{HalfToFloat(*KeyScale(slot, head, i))} *
             *KeyCode(slot, head, i) * TurnSign(i % width, d % width, width);
    }
    return sum / width;
  }
  float ReadValue(int slot, int head, int d) {
    if (type_ == CacheType::kF16) return HalfToFloat(*Value(slot, head, d));
    return HalfToFloat(*ValueScale(slot, head)) *
           static_cast<float>(*ValueCode(slot, head, d));
  }

  // Keys and values of all heads, made from `token_seed` alone.
  void WriteToken(int slot, uint64_t token_seed, float spread = 2.0f,
                  int layer = 0) {
    const size_t width = static_cast<size_t>(kv_heads_ * head_dim_);
    const std::vector<float> numbers =
        RandomFloats(2 * width, token_seed, spread);
    Write(slot, numbers.data(), numbers.data() + width, layer);
  }

  // [kv_heads, head_dim] each.
  void Write(int slot, const float* keys, const float* values, int layer = 0) {
    for (int head = 0; head < kv_heads_; ++head) {
      const float* key = keys + head * head_dim_;
      const float* value = values + head * head_dim_;
      if (type_ == CacheType::kQ8) {
        WriteCodes(slot, head, key, value, layer);
        continue;
      }
      for (int d = 0; d < head_dim_; ++d) {
        *Key(slot, head, d, layer) = FloatToHalf(key[d]);
        *Value(slot, head, d, layer) = FloatToHalf(value[d]);
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
  uint8_t* Head(int slot, int head, int layer) {
    const CachePage& page = pages_[static_cast<size_t>(slot / kPagePositions)];
    const size_t offset = CacheBytesPerLayer(kv_heads_, head_dim_, type_) *
                              static_cast<size_t>(layer) +
                          CacheBytesPerLayer(head, head_dim_, type_);
    return page.buffer->host() + offset;
  }

  // The layout of src/backend/stream.h as nested arrays.
  int dims() const { return (head_dim_ + 31) / 32 * 32; }
  int8_t* KeyCode(int slot, int head, int d, int layer = 0) {
    const int lane = slot % kPagePositions;
    const int index =
        ((lane / 16 * (dims() / 4) + d / 4) * 16 + lane % 16) * 4 + d % 4;
    return reinterpret_cast<int8_t*>(Head(slot, head, layer)) + index;
  }
  int8_t* ValueCode(int slot, int head, int d, int layer = 0) {
    const int lane = slot % kPagePositions;
    const int index = ((d / 16 * 16 + lane / 4) * 16 + d % 16) * 4 + lane % 4;
    return reinterpret_cast<int8_t*>(Head(slot, head, layer)) +
           kPagePositions * dims() + index;
  }
  uint16_t* KeyScale(int slot, int head, int d, int layer = 0) {
    return reinterpret_cast<uint16_t*>(Head(slot, head, layer) +
                                       2 * kPagePositions * dims()) +
           d / 32 * kPagePositions + slot % kPagePositions;
  }
  uint16_t* ValueScale(int slot, int head, int layer = 0) {
    return KeyScale(slot, head, dims(), layer);
  }

  static uint16_t Scale(const float* x, int count) {
    float greatest = 0.0f;
    for (int i = 0; i < count; ++i)
      greatest = std::max(greatest, std::fabs(x[i]));
    return FloatToHalf(greatest / 127.0f);
  }
  static int8_t Code(float x, uint16_t scale) {
    const float step = HalfToFloat(scale);
    const float code = step > 0.0f ? std::nearbyintf(x * (1.0f / step)) : 0.0f;
    return static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f));
  }
  // Element (row, column) of the turn: sums of neighbours first, then their
  // differences, again and again. So the last step's choice is the row's
  // highest bit, and it goes by the column's highest.
  static int TurnSign(int row, int column, int width) {
    int sign = 1;
    for (int bit = 1; bit < width; bit *= 2)
      if ((row & bit) != 0 && (column & bit) != 0) sign = -sign;
    return sign;
  }

  void WriteCodes(int slot, int head, const float* key, const float* value,
                  int layer) {
    const int width = dims() & -dims();
    std::vector<float> turned(static_cast<size_t>(dims()));
    std::copy_n(key, head_dim_, turned.begin());
    for (int step = 1; step < width; step *= 2) {
      const std::vector<float> before = turned;
      for (int i = 0; i < dims(); i += 2) {
        const size_t in = static_cast<size_t>(i);
        const size_t out =
            static_cast<size_t>(i / width * width + i % width / 2);
        turned[out] = before[in] + before[in + 1];
        turned[out + static_cast<size_t>(width / 2)] =
            before[in] - before[in + 1];
      }
    }
    const uint16_t value_scale = Scale(value, head_dim_);
    *ValueScale(slot, head, layer) = value_scale;
    for (int d = 0; d < dims(); ++d) {
      const uint16_t key_scale = Scale(turned.data() + d / 32 * 32, 32);
      *KeyScale(slot, head, d, layer) = key_scale;
      *KeyCode(slot, head, d, layer) =
          Code(turned[static_cast<size_t>(d)], key_scale);
      *ValueCode(slot, head, d, layer) =
          d < head_dim_ ? Code(value[d], value_scale) : int8_t{0};
    }
  }

  const int kv_heads_;
  const int head_dim_;
  const CacheType type_;
  std::vector<CachePage> pages_;
};

}  // namespace specinfer::testing

#endif  // SPECINFER_TESTS_BACKEND_TEST_CACHE_H_
