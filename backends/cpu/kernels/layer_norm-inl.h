// LayerNorm over Vec16. Included by layer_norm_<isa>.cc after vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LAYER_NORM_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LAYER_NORM_INL_H_

namespace specinfer::cpu {
namespace {

inline float MeanOfRow(const float* in, int64_t width) {
  const int64_t whole = width & ~int64_t{15};
  Vec16 sums = Zero();
  for (int64_t i = 0; i < whole; i += 16) sums = Add(sums, Load(in + i));
  if (whole != width) sums = Add(sums, LoadFirst(in + whole, width - whole));
  return Sum(sums) / static_cast<float>(width);
}

// Leaves the distances from the mean in `out`, so that the lanes past the end
// of a row count as none.
inline void CentreAndScaleRow(const float* in, const float* weight,
                              const float* bias, int64_t width, float epsilon,
                              float* out) {
  const int64_t whole = width & ~int64_t{15};
  const int64_t tail = width - whole;
  const Vec16 mean = Broadcast(MeanOfRow(in, width));
  Vec16 squares = Zero();
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec16 distance = Subtract(Load(in + i), mean);
    Store(out + i, distance);
    squares = Fma(distance, distance, squares);
  }
  if (tail != 0) {
    StoreFirst(out + whole, Subtract(LoadFirst(in + whole, tail), mean), tail);
    const Vec16 distance = LoadFirst(out + whole, tail);
    squares = Fma(distance, distance, squares);
  }
  const Vec16 inverse = Broadcast(
      1.0f / SquareRoot(Sum(squares) / static_cast<float>(width) + epsilon));
  for (int64_t i = 0; i < whole; i += 16) {
    Store(out + i, Fma(Multiply(Load(out + i), inverse), Load(weight + i),
                       Load(bias + i)));
  }
  if (tail == 0) return;
  StoreFirst(
      out + whole,
      Fma(Multiply(LoadFirst(out + whole, tail), inverse),
          LoadFirst(weight + whole, tail), LoadFirst(bias + whole, tail)),
      tail);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LAYER_NORM_INL_H_
