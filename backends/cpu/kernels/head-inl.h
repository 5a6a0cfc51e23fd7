// The passes of head_kernel.h on 16 lanes. Included by head_<isa>.cc after
// vec16_<isa>.h and AtLeast.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_HEAD_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_HEAD_INL_H_

namespace specinfer::cpu {
namespace {

constexpr float kGreatestFloat = 3.40282347e+38f;
constexpr float kInfinity = __builtin_inff();

void FinishLogits(float* logits, int64_t count, float multiplier,
                  float soft_cap) {
  const Vec16 lowest = Broadcast(-kGreatestFloat);
  for (int64_t i = 0; i < count; i += 16) {
    Vec16 logit = Multiply(Load(logits + i), Broadcast(multiplier));
    if (soft_cap != 0.0f) {
      const Vec16 cap = Broadcast(soft_cap);
      logit = Multiply(cap, Tanh(Divide(logit, cap)));
    }
    // Max gives its second operand when the first is NaN.
    logit = Max(logit, lowest);
    Store(logits + i, Negate(Max(Negate(logit), lowest)));
  }
}

float Greatest(const float* logits, int64_t count) {
  Vec16 greatest = Broadcast(-kInfinity);
  for (int64_t i = 0; i < count; i += 16)
    greatest = Max(Load(logits + i), greatest);
  return Maximum(greatest);
}

float SumOfExp(const float* logits, int64_t count, float greatest) {
  Vec16 sum = Zero();
  for (int64_t i = 0; i < count; i += 16)
    sum = Add(sum, Exp(Subtract(Load(logits + i), Broadcast(greatest))));
  return Sum(sum);
}

int64_t FindAtLeast(const float* logits, int64_t count, int64_t from,
                    float scale, float addend, float bound) {
  uint32_t wanted =
      0xffffu
      << (from %
          16);  // lanes of the first vector that lie before `from` do not count
  for (int64_t i = from / 16 * 16; i < count; i += 16) {
    const Vec16 value =
        Add(Multiply(Load(logits + i), Broadcast(scale)), Broadcast(addend));
    const uint32_t found = AtLeast(value, Broadcast(bound)) & wanted;
    if (found != 0) return i + __builtin_ctz(found);
    wanted = 0xffffu;
  }
  return count;
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_HEAD_INL_H_
