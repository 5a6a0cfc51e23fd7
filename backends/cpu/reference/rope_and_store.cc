#include <cmath>

#include "backends/cpu/kernels/rope_and_store_kernel.h"
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

void StoreReference(const float* key, const float* value, int head_dim,
                    uint16_t* key_column, uint16_t* value_row) {
  for (int d = 0; d < head_dim; ++d) {
    key_column[d * kPagePositions] = FloatToHalf(key[d]);
    value_row[d] = FloatToHalf(value[d]);
  }
}

}  // namespace specinfer::cpu
