// What every container of a Whisper model ends as: the same keys, and the same
// tensors in the same shapes.
//
// Keys: general.architecture = "whisper", and behind "whisper." vocab_size,
// context_length (positions of the decoder), embedding_length, block_count (of
// the decoder), attention.head_count, feed_forward_length,
// encoder.{block_count, attention.head_count, context_length, mel_bins} and,
// where they are known, alignment_heads: layer, head, layer, head and so on.
//
// Tensors: token_embd, position_embd and output_norm with blk.N.* for the
// decoder, and behind "enc." conv1, conv2, position_embd, output_norm and
// blk.N.* for the encoder. The head is token_embd. Keys have no bias: it adds
// the same to every score of a query, so the softmax never sees it.
#ifndef SPECINFER_SRC_MODEL_WHISPER_CONTENTS_H_
#define SPECINFER_SRC_MODEL_WHISPER_CONTENTS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "src/model/model_contents.h"

namespace specinfer {

struct WhisperSizes {
  uint64_t vocabulary_size = 0;
  uint64_t hidden_size = 0;
  uint64_t feed_forward_size = 0;
  uint64_t text_context = 0;  // positions of the decoder
  uint64_t text_layers = 0;
  uint64_t text_heads = 0;
  uint64_t audio_context = 0;  // positions of the encoder
  uint64_t audio_layers = 0;
  uint64_t audio_heads = 0;
  uint64_t mel_bins = 0;
};

// What a container knows besides its tensors.
struct WhisperFacts {
  WhisperSizes sizes;
  // Layer, head, layer, head and so on. Empty: those that OpenAI published for
  // a model of these sizes, where there is one.
  std::vector<uint32_t> alignment_heads;
};

// A layer's number in a tensor's name, below this.
inline constexpr uint64_t kMaxWhisperLayers = 1024;

// Appends the keys, computes the encoder's table of positions where the
// container has none (sinusoids), and checks that contents.tensors are exactly
// the tensors above in the shapes that `facts` say.
// Errors: INVALID_ARGUMENT, naming the tensor or the size; RESOURCE_EXHAUSTED.
absl::Status FinishWhisper(std::string_view path, const WhisperFacts& facts,
                           ModelContents& contents);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_WHISPER_CONTENTS_H_
