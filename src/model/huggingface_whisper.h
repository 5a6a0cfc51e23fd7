// Hugging Face's WhisperForConditionalGeneration in the words of
// whisper_contents.h.
#ifndef SPECINFER_SRC_MODEL_HUGGINGFACE_WHISPER_H_
#define SPECINFER_SRC_MODEL_HUGGINGFACE_WHISPER_H_

#include <string_view>

#include "absl/status/statusor.h"

#include "src/model/huggingface_config.h"
#include "src/model/huggingface_names.h"
#include "src/model/whisper_contents.h"

namespace specinfer {

// Whether config.json is that of a Whisper model.
bool IsHuggingfaceWhisper(const nlohmann::json& config);

// Errors: INVALID_ARGUMENT (a value missing or of the wrong kind),
// UNIMPLEMENTED (another activation, scaled embeddings, two feed-forward
// sizes).
absl::StatusOr<WhisperFacts> ReadHuggingfaceWhisper(
    const HuggingfaceDocuments& documents);

// What becomes of a tensor: a stored head, which is a copy of the embedding,
// and a bias of keys are left out.
TensorPlace FindHuggingfaceWhisperPlace(std::string_view name);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_HUGGINGFACE_WHISPER_H_
