// Writes a model in a backend's own layout: a file that is mapped and used as
// it is.
#ifndef SPECINFER_SRC_MODEL_PACKED_WRITER_H_
#define SPECINFER_SRC_MODEL_PACKED_WRITER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "src/backend/backend.h"
#include "src/model/architecture.h"
#include "src/model/model_file.h"
#include "src/model/weights.h"

namespace specinfer {

// Bytes to be kept beside the tensors.
struct PackedTableSource {
  std::string_view name;
  absl::Span<const uint8_t> bytes;
};

// The same model gives the same bytes, which are what LoadWeights makes of it
// in that form. One packed tensor at a time is in memory. `path` appears whole
// or not at all. The keys of the vocabulary's arrays are left out: a table has
// to hold what they say. `progress` gets a fraction after each tensor and
// returns false to cancel; may be empty. Errors: those of FileWriter and
// LoadWeights; FAILED_PRECONDITION (the file is packed already).
absl::Status WritePackedModel(const ModelFile& file,
                              const Architecture& architecture,
                              Backend& backend, WeightForm form,
                              absl::Span<const PackedTableSource> tables,
                              const std::string& path,
                              const std::function<bool(float)>& progress);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_PACKED_WRITER_H_
