#include <cmath>

#include "src/base/status_macros.h"
#include "src/forward/architectures.h"

namespace specinfer {
namespace {

// The prompt's tokens, and room to say something.
constexpr int32_t kMinContext = 16;

// Pairs of numbers under "whisper.alignment_heads": layer and head.
absl::Status ReadAlignmentHeads(const ModelFile& file, Architecture* a) {
  constexpr char kKey[] = "whisper.alignment_heads";
  if (file.Find(kKey) == nullptr) return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(const NumberArray numbers, file.GetNumbers(kKey));
  const int64_t num_layers = static_cast<int64_t>(a->layers.size());
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
    const int64_t layer = numbers.Int(i), head = numbers.Int(i + 1);
    if (layer < 0 || layer >= num_layers || head < 0 || head >= a->heads) {
      return absl::InvalidArgumentError(
          ModelMessage(file.path(), kKey, " names head ", head, " of layer ",
                       layer, ", but the decoder has ", num_layers,
                       " layers of ", a->heads, " heads"));
    }
    a->alignment_heads.push_back(
        {static_cast<int32_t>(layer), static_cast<int32_t>(head)});
  }
  return absl::OkStatus();
}

}  // namespace

// Both halves have layer norms with a bias, exact GELU without a gate, heads of
// their own keys, and learnt positions; they are equally wide.
absl::StatusOr<Architecture> DescribeWhisper(const ModelFile& file) {
  Architecture a;
  a.name = "whisper";
  SPECINFER_ASSIGN_OR_RETURN(const int32_t num_layers,
                             GetSize(file, "whisper.block_count", 1, 512));
  a.layers.resize(static_cast<size_t>(num_layers));
  SPECINFER_ASSIGN_OR_RETURN(
      a.hidden_size, GetSize(file, "whisper.embedding_length", 1, 1 << 14));
  SPECINFER_ASSIGN_OR_RETURN(
      a.feed_forward_size,
      GetSize(file, "whisper.feed_forward_length", 1, 1 << 16));
  SPECINFER_ASSIGN_OR_RETURN(
      a.heads, GetSize(file, "whisper.attention.head_count", 1, 1 << 10));
  SPECINFER_ASSIGN_OR_RETURN(
      a.max_context,
      GetSize(file, "whisper.context_length", kMinContext, 1 << 16));
  SPECINFER_ASSIGN_OR_RETURN(a.vocabulary_size,
                             GetSize(file, "whisper.vocab_size", 1, 1 << 24));
  SPECINFER_ASSIGN_OR_RETURN(
      const int32_t encoder_heads,
      GetSize(file, "whisper.encoder.attention.head_count", 1, 1 << 10));
  if (a.hidden_size % a.heads != 0 || encoder_heads != a.heads) {
    return absl::InvalidArgumentError(
        ModelMessage(file.path(), "a width of ", a.hidden_size, " with ",
                     encoder_heads, " heads in the encoder and ", a.heads,
                     " in the decoder: both must have the same and divide it"));
  }
  a.kv_heads = a.heads;
  a.head_dim = a.hidden_size / a.heads;
  if (a.head_dim > kMaxHeadDim) {
    return absl::InvalidArgumentError(
        ModelMessage(file.path(), "heads are ", a.head_dim,
                     " wide, the limit is ", kMaxHeadDim));
  }
  a.attention_scale = 1.0f / std::sqrt(static_cast<float>(a.head_dim));
  a.ropes.emplace_back();
  a.norm_kind = NormKind::kLayer;
  a.norm_epsilon = 1e-5f;
  a.activation = Activation::kGelu;
  a.has_gate = false;
  a.has_learned_positions = true;
  EncoderArchitecture& encoder = a.encoder;
  SPECINFER_ASSIGN_OR_RETURN(
      encoder.num_layers, GetSize(file, "whisper.encoder.block_count", 1, 512));
  encoder.feed_forward_size = a.feed_forward_size;
  SPECINFER_ASSIGN_OR_RETURN(
      encoder.max_positions,
      GetSize(file, "whisper.encoder.context_length", 1, 1 << 14));
  SPECINFER_ASSIGN_OR_RETURN(
      encoder.mel_bins, GetSize(file, "whisper.encoder.mel_bins", 1, 1 << 10));
  SPECINFER_RETURN_IF_ERROR(ReadAlignmentHeads(file, &a));
  return a;
}

}  // namespace specinfer
