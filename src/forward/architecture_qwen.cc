#include "src/base/status_macros.h"
#include "src/forward/architectures.h"

namespace specinfer {

// Biases on q, k and v are in the file, and any bias in a file is used.
absl::StatusOr<Architecture> DescribeQwen2(const ModelFile& file) {
  return DescribeDecoder(file);
}

absl::StatusOr<Architecture> DescribeQwen3(const ModelFile& file) {
  SPECINFER_ASSIGN_OR_RETURN(Architecture architecture, DescribeDecoder(file));
  architecture.has_head_norms = true;
  return architecture;
}

}  // namespace specinfer
