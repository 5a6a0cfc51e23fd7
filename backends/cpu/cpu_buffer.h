// Host memory as a Buffer, and the pointers that kernels read.
#ifndef SPECINFER_BACKENDS_CPU_CPU_BUFFER_H_
#define SPECINFER_BACKENDS_CPU_CPU_BUFFER_H_

#include <utility>

#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/backend/tensor.h"
#include "src/base/memory.h"

namespace specinfer::cpu {

class CpuBuffer final : public Buffer {
 public:
  explicit CpuBuffer(Block block) : block_(std::move(block)) {}
  size_t size() const override { return block_.size(); }
  uint8_t* host() const override { return block_.data(); }
  Block& block() { return block_; }

 private:
  Block block_;
};

// Memory of somebody else that outlives it, such as a mapped file. Nobody
// writes to it.
class AdoptedBuffer final : public Buffer {
 public:
  explicit AdoptedBuffer(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}
  size_t size() const override { return bytes_.size(); }
  uint8_t* host() const override { return const_cast<uint8_t*>(bytes_.data()); }

 private:
  absl::Span<const uint8_t> bytes_;
};

inline float* Floats(const Tensor& tensor) {
  return reinterpret_cast<float*>(tensor.buffer->host() + tensor.offset);
}

inline uint8_t* Bytes(const CachePage& page) {
  return page.buffer->host() + page.offset;
}

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_CPU_BUFFER_H_
