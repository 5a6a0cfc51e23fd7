// Add over Vec16. Included by add_<isa>.cc after vec16_<isa>.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_ADD_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_ADD_INL_H_

namespace specinfer::cpu {
namespace {

inline void AddRun(float* sum, const float* addend, int64_t count) {
  const int64_t whole = count & ~int64_t{15};
  const int64_t tail = count - whole;
  for (int64_t i = 0; i < whole; i += 16)
    Store(sum + i, Add(Load(sum + i), Load(addend + i)));
  if (tail == 0) return;
  StoreFirst(sum + whole,
             Add(LoadFirst(sum + whole, tail), LoadFirst(addend + whole, tail)),
             tail);
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_ADD_INL_H_
