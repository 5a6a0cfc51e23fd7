// Which tensors of a model file an architecture uses, and where each goes.
#ifndef SPECINFER_SRC_MODEL_PLACEMENTS_H_
#define SPECINFER_SRC_MODEL_PLACEMENTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/backend/backend.h"
#include "src/model/architecture.h"
#include "src/model/model_file.h"
#include "src/model/weights.h"

namespace specinfer {

// Where one tensor of the file goes: a matrix to be packed or a vector to be
// copied.
struct Placement {
  std::string name;
  int64_t outputs = 0;  // 0: a vector
  int64_t inputs = 0;
  int64_t rows = 1;  // of a vector: of a table of them
  int64_t taps = 1;  // of a convolution: its inputs are [channels, taps]
  bool is_norm = false;
  bool is_optional = false;
  std::unique_ptr<Weight>* weight = nullptr;
  Tensor* vector = nullptr;
};

// Every tensor that the architecture uses, under its GGUF name, each to go into
// `weights`, in the order a pass reads them: the embedding, the layers, the
// norm and the head behind them.
std::vector<Placement> ListPlacements(const Architecture& architecture,
                                      Weights* weights);

// The tensor's record after its shape has been checked; null when it is absent
// and may be.
// Errors: INVALID_ARGUMENT, UNIMPLEMENTED (a vector's type).
absl::StatusOr<const TensorRecord*> FindPlaced(const ModelFile& file,
                                               const Placement& place);

// What a matrix is packed as when a file is loaded in a form; of a packed file,
// what it is.
DType PackedTypeOf(const ModelFile& file, const Placement& place,
                   const TensorRecord& tensor, WeightForm form);

// Refuses a file with a tensor that no placement reads: it would be a part of
// the network left out, and wrong answers instead of an error.
absl::Status CheckAllPlaced(const ModelFile& file,
                            const std::vector<Placement>& placements);

// The values of a vector as they are used: floats, with the architecture's
// offset on a norm's.
std::vector<float> ReadVector(const Architecture& architecture,
                              const Placement& place,
                              const TensorRecord& tensor);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_PLACEMENTS_H_
