// RmsNorm over Vec16. Included by rms_norm_<isa>.cc after vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_RMS_NORM_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_RMS_NORM_INL_H_

namespace specinfer::cpu {
namespace {

inline void NormalizeRow(const float* in, const float* weight, int64_t width,
                         float epsilon, float* out) {
  const int64_t whole = width & ~int64_t{15};
  const int64_t tail = width - whole;
  Vec16 squares = Zero();
  for (int64_t i = 0; i < whole; i += 16) {
    const Vec16 x = Load(in + i);
    squares = Fma(x, x, squares);
  }
  if (tail != 0) {
    const Vec16 x = LoadFirst(in + whole, tail);
    squares = Fma(x, x, squares);
  }
  const Vec16 inverse = Broadcast(
      1.0f / SquareRoot(Sum(squares) / static_cast<float>(width) + epsilon));
  for (int64_t i = 0; i < whole; i += 16) {
    Store(out + i, Multiply(Multiply(Load(in + i), inverse), Load(weight + i)));
  }
  if (tail == 0) return;
  const Vec16 scaled = Multiply(LoadFirst(in + whole, tail), inverse);
  StoreFirst(out + whole, Multiply(scaled, LoadFirst(weight + whole, tail)),
             tail);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_RMS_NORM_INL_H_
