// The attention heads whose weights follow the sound in time.
#ifndef SPECINFER_SRC_MODEL_WHISPER_ALIGNMENT_H_
#define SPECINFER_SRC_MODEL_WHISPER_ALIGNMENT_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "src/model/whisper_contents.h"
#include <nlohmann/json.hpp>

namespace specinfer {

// Layer, head, layer, head and so on, of the OpenAI model with these sizes.
// Empty where there is none, or more than one: large-v1 and large-v2 have the
// same sizes and other heads.
absl::Span<const uint32_t> FindPublishedAlignmentHeads(
    const WhisperSizes& sizes);

// Appends the pairs of `document`'s "alignment_heads", where it has such.
// `path` is the document's, for messages.
absl::Status ReadAlignmentHeads(std::string_view path,
                                const nlohmann::json& document,
                                std::vector<uint32_t>& heads);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_WHISPER_ALIGNMENT_H_
