// A decoder's weights, packed on a backend.
#ifndef SPECINFER_SRC_MODEL_WEIGHTS_H_
#define SPECINFER_SRC_MODEL_WEIGHTS_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/backend/backend.h"
#include "src/model/architecture.h"
#include "src/model/model_file.h"

namespace specinfer {

// A linear layer; `bias` may be empty.
struct LinearWeights {
  std::unique_ptr<Weight> weight;  // [outputs, inputs]
  Tensor bias;                     // [1, outputs]
};

struct NormWeights {
  Tensor weight;  // [1, hidden]
  Tensor bias;    // the same; empty of NormKind::kRms
};

struct LayerWeights {
  NormWeights attention_norm, cross_norm, feed_forward_norm;
  Tensor query_norm, key_norm;  // [1, head_dim]; empty without head norms
  Tensor post_attention_norm,
      post_feed_forward_norm;  // [1, hidden]; empty without post norms
  LinearWeights query, key, value, attention_output;
  LinearWeights cross_query, cross_key, cross_value, cross_output;
  LinearWeights gate, up, down;

  // Those that this layer has, in the order a pass reads them, but for the
  // keys and values of what was encoded: they are computed once.
  std::vector<const LinearWeights*> linears() const;
};

struct EncoderWeights {
  LinearWeights convolution1, convolution2;  // [hidden, 3 · inputs]
  Tensor positions;                          // [positions, hidden]
  std::vector<LayerWeights> layers;
  NormWeights output_norm;
};

struct Weights {
  std::unique_ptr<Buffer> vectors;  // all norms and biases lie in it
  size_t vector_bytes = 0;          // of these
  LinearWeights embedding;          // [vocabulary, hidden]
  LinearWeights untied_head;  // [vocabulary, hidden]; no weight: the embedding
                              // is the head
  Tensor positions;           // [positions, hidden]; empty without learned ones
  NormWeights output_norm;
  std::vector<LayerWeights> layers;
  EncoderWeights encoder;

  const Weight& head() const {
    return untied_head.weight ? *untied_head.weight : *embedding.weight;
  }
  uint64_t num_bytes() const;  // of everything, as packed
};

// What matrices become where a model file is loaded, besides what the backend
// needs. Packed files are used as they are.
enum class WeightForm : uint8_t {
  kAsFiled,
  kForDrafting,  // what a draft's pass reads: at most 4.5 bits per weight
  kInt8,         // float matrices: bytes with a scale per 256 inputs
};

// Packs every tensor the architecture names, in file order so that the source
// streams, and lets the file's pages go as it does. `progress` gets a fraction
// after each tensor and returns false to cancel. A packed model is used where
// it is: `file` must outlive the weights. Errors: INVALID_ARGUMENT (missing
// tensor or wrong shape, named), UNIMPLEMENTED (type, a packed model of another
// layout), RESOURCE_EXHAUSTED, CANCELLED.
absl::StatusOr<Weights> LoadWeights(const ModelFile& file,
                                    const Architecture& architecture,
                                    Backend& backend, WeightForm form,
                                    const std::function<bool(float)>& progress);

// The bytes of all weights as LoadWeights leaves them, mapped or not.
absl::StatusOr<uint64_t> PlanWeightBytes(const ModelFile& file,
                                         const Architecture& architecture,
                                         const Backend& backend,
                                         WeightForm form);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_WEIGHTS_H_
