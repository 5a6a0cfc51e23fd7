#include "src/base/status_macros.h"
#include "src/forward/architectures.h"

namespace specinfer {

// GGUF's converters permute q and k so that rotated pairs are adjacent;
// safetensors keep halves.
absl::StatusOr<Architecture> DescribeLlama(const ModelFile& file) {
  SPECINFER_ASSIGN_OR_RETURN(Architecture architecture, DescribeDecoder(file));
  SPECINFER_ASSIGN_OR_RETURN(const bool halves,
                             file.GetBoolOr("specinfer.rope_halves", false));
  architecture.rope_pairing =
      halves ? RopePairing::kHalves : RopePairing::kAdjacent;
  return architecture;
}

}  // namespace specinfer
