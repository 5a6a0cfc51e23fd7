#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels/q8_layout.h"
#include "backends/cpu/kernels/rope_and_store_kernel.h"
#include "backends/cpu/reference/turn_head.h"
#include "src/backend/stream.h"
#include "src/base/half.h"

namespace specinfer::cpu {
namespace {

void TurnPair(float cosine, float sine, float* first, float* second) {
  const float a = *first;
  const float b = *second;
  *first = std::fmaf(a, cosine, -(b * sine));
  *second = std::fmaf(a, sine, b * cosine);
}

float FindGreatest(const float* x, int count) {
  float greatest = 0.0f;
  for (int i = 0; i < count; ++i)
    greatest = std::fabs(x[i]) > greatest ? std::fabs(x[i]) : greatest;
  return greatest;
}

// Stores the scale and gives it as it will be read.
float StoreScale(float greatest, uint8_t* out) {
  const uint16_t half =
      FloatToHalf(std::min(greatest / kGreatestCode, kGreatestHalf));
  std::memcpy(out, &half, sizeof(half));
  return HalfToFloat(half);
}

int8_t QuantizeCode(float x, float scale) {
  const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
  const float code = std::nearbyintf(x * inverse);
  // NaN counts as the lowest.
  return static_cast<int8_t>(
      code > -kGreatestCode ? std::min(code, kGreatestCode) : -kGreatestCode);
}

}  // namespace

void RopeHalvesReference(float* head, const float* cos_sin, int num_pairs) {
  for (int i = 0; i < num_pairs; ++i)
    TurnPair(cos_sin[2 * i], cos_sin[2 * i + 1], head + i,
             head + num_pairs + i);
}

void RopeAdjacentReference(float* head, const float* cos_sin, int num_pairs) {
  for (int i = 0; i < num_pairs; ++i)
    TurnPair(cos_sin[2 * i], cos_sin[2 * i + 1], head + 2 * i,
             head + 2 * i + 1);
}

void StoreF16Reference(const float* key, const float* value, int head_dim,
                       int lane, uint8_t* head) {
  auto* keys = reinterpret_cast<uint16_t*>(head);
  uint16_t* values = keys + kPagePositions * head_dim;
  for (int d = 0; d < head_dim; ++d) {
    keys[d * kPagePositions + lane] = FloatToHalf(key[d]);
    values[lane * head_dim + d] = FloatToHalf(value[d]);
  }
}

void StoreQ8Reference(const float* key, const float* value, int head_dim,
                      int lane, uint8_t* head) {
  const Q8Layout layout(head_dim);
  const TurnedHead turned = TurnHeadReference(key, head_dim);
  for (int block = 0; block < layout.num_scales(); ++block) {
    const int first = block * kScaleDims;
    const float scale =
        StoreScale(FindGreatest(turned.values + first, kScaleDims),
                   head + layout.key_scale(block, lane));
    for (int d = first; d < first + kScaleDims; ++d) {
      head[layout.key_quad(d / 4, lane) + d % 4] =
          static_cast<uint8_t>(QuantizeCode(turned.values[d], scale));
    }
  }
  const float scale = StoreScale(FindGreatest(value, head_dim),
                                 head + layout.value_scale(lane));
  for (int d = 0; d < layout.dims; ++d) {
    head[layout.value(d, lane)] =
        static_cast<uint8_t>(d < head_dim ? QuantizeCode(value[d], scale) : 0);
  }
}

}  // namespace specinfer::cpu
