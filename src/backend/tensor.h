// Element types and views of memory on a device.
#ifndef SPECINFER_SRC_BACKEND_TENSOR_H_
#define SPECINFER_SRC_BACKEND_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace specinfer {

// The element types of model files; values are GGUF's type ids. kQ8_K is none
// of a file's here: it is only ever what a matrix is packed as.
enum class DType : uint8_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kQ8_K = 15,
  kIQ4_NL = 20,
  kIQ4_XS = 23,
  kI32 = 26,
  kBF16 = 30,
};

struct DTypeTraits {
  std::string_view name;  // "Q4_K"
  int block_elements;     // elements per block; rows are whole blocks
  int block_bytes;
};

// The traits of a file's `dtype`, or null when it is none that files may hold
// (a hostile file's number).
const DTypeTraits* FindDTypeTraits(uint32_t dtype);

// Those of any type, also of one that no file holds.
// REQUIRES: a known type.
const DTypeTraits& GetDTypeTraits(DType dtype);

// Memory on a device. Made by Backend::Allocate.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual size_t size() const = 0;
  // The bytes as the host sees them, or null where it cannot.
  virtual uint8_t* host() const = 0;
};

// A view of float32 values (int32 where an op says so) in a buffer; never owns.
// Dense, slowest axis first.
struct Tensor {
  Buffer* buffer = nullptr;
  size_t offset = 0;  // bytes; a multiple of 64 for whole tensors
  int64_t rows = 0;
  int64_t columns = 0;

  bool empty() const { return buffer == nullptr; }
  // The rows [first, first + count).
  Tensor Rows(int64_t first, int64_t count) const {
    return {buffer,
            offset + static_cast<size_t>(first * columns) * sizeof(float),
            count, columns};
  }
  // The same values as rows of another width.
  // REQUIRES: `new_columns` divides rows × columns.
  Tensor Reshaped(int64_t new_columns) const {
    return {buffer, offset, rows * columns / new_columns, new_columns};
  }
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BACKEND_TENSOR_H_
