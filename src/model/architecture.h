// A network as plain numbers: what differs between llama, qwen and gemma is
// data, not classes.
#ifndef SPECINFER_SRC_MODEL_ARCHITECTURE_H_
#define SPECINFER_SRC_MODEL_ARCHITECTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "src/backend/stream.h"

namespace specinfer {

// Angles of rotary positions: position · frequencies[i], and a factor on the
// rotated vectors (YaRN).
struct Rope {
  std::vector<double> frequencies;  // [rotary_dims / 2]
  float magnitude = 1.0f;
};

struct Layer {
  int32_t window =
      0;  // attention sees this many positions, its own included; 0: all
  int32_t rope = 0;  // index into Architecture::ropes
};

// What encodes sound for a decoder: two convolutions over the frames of a
// log-mel spectrogram, the second of which halves their number, then layers of
// attention that sees all positions. It is as wide as its decoder.
struct EncoderArchitecture {
  int32_t num_layers = 0;
  int32_t feed_forward_size = 0;
  int32_t mel_bins = 0;
  int32_t max_positions = 0;  // half as many as frames
};

// A query head of a decoder's attention to what was encoded.
struct CrossHead {
  int32_t layer = 0;
  int32_t head = 0;
};

enum class NormKind : uint8_t { kRms, kLayer };

struct Architecture {
  std::string name;  // general.architecture
  int32_t hidden_size = 0;
  int32_t feed_forward_size = 0;
  int32_t heads = 0;
  int32_t kv_heads = 0;
  int32_t head_dim = 0;
  int32_t vocabulary_size = 0;
  int32_t max_context = 0;
  std::vector<Layer> layers;
  std::vector<Rope> ropes;
  int32_t rotary_dims = 0;
  RopePairing rope_pairing = RopePairing::kHalves;

  float norm_epsilon = 1e-6f;
  float norm_weight_offset =
      0.0f;  // added to norm weights at load (gemma stores w, means 1 + w)
  float attention_scale = 1.0f;
  float attention_soft_cap = 0.0f;  // 0: none
  float logit_soft_cap = 0.0f;      // 0: none
  float logit_multiplier = 1.0f;
  float embedding_multiplier = 1.0f;  // gemma: sqrt(hidden_size)
  NormKind norm_kind = NormKind::kRms;
  Activation activation = Activation::kSilu;
  bool has_gate = true;  // of the feed-forward
  // A learnt vector for each position is added to the embedding.
  bool has_learned_positions = false;
  bool has_head_norms =
      false;  // RMS norm of each query and key head before RoPE
  bool has_post_norms = false;  // a norm after attention and after the
                                // feed-forward, before each addition
  // Of an encoder-decoder, whose layers also attend to what was encoded; it
  // shares heads, head_dim and norms. No layers: there is none.
  EncoderArchitecture encoder;
  // Those whose weights follow the sound in time; none: nobody knows which.
  std::vector<CrossHead> alignment_heads;

  bool has_encoder() const { return encoder.num_layers > 0; }
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_ARCHITECTURE_H_
