// Tensors of Hugging Face's models find their GGUF names.
#include "src/model/huggingface_names.h"

#include <string>

#include "gtest/gtest.h"

namespace specinfer {
namespace {

struct Place {
  std::string architecture;
  bool is_tied;
  std::string from;
  std::string to;
};

class TensorPlaces : public ::testing::TestWithParam<Place> {};

TEST_P(TensorPlaces, HaveGgufNames) {
  const TensorPlace place = FindTensorPlace(
      {GetParam().architecture, GetParam().is_tied}, GetParam().from);

  EXPECT_TRUE(place.is_known);
  EXPECT_EQ(place.name, GetParam().to);
}

INSTANTIATE_TEST_SUITE_P(
    All, TensorPlaces,
    ::testing::Values(
        Place{"llama", false, "model.embed_tokens.weight", "token_embd.weight"},
        Place{"llama", false, "lm_head.weight", "output.weight"},
        Place{"qwen2", true, "lm_head.weight", ""},
        Place{"llama", false, "model.layers.11.post_attention_layernorm.weight",
              "blk.11.ffn_norm.weight"},
        Place{"llama", false, "model.layers.0.self_attn.rotary_emb.inv_freq",
              ""},
        Place{"qwen2", false, "model.layers.3.self_attn.k_proj.bias",
              "blk.3.attn_k.bias"},
        Place{"qwen3", false, "model.layers.3.self_attn.q_norm.weight",
              "blk.3.attn_q_norm.weight"},
        Place{"gemma3", true, "model.layers.2.post_attention_layernorm.weight",
              "blk.2.post_attention_norm.weight"},
        Place{"gemma3", true, "model.layers.2.pre_feedforward_layernorm.weight",
              "blk.2.ffn_norm.weight"},
        Place{"gemma3", true,
              "model.layers.2.post_feedforward_layernorm.weight",
              "blk.2.post_ffw_norm.weight"},
        Place{"gemma3", true,
              "language_model.model.layers.2.mlp.up_proj.weight",
              "blk.2.ffn_up.weight"},
        Place{"gemma3", true, "model.language_model.norm.weight",
              "output_norm.weight"},
        Place{"gemma3", true, "vision_tower.vision_model.post_layernorm.bias",
              ""}));

TEST(TensorPlaces, AreUnknownForNamesOfOtherNetworks) {
  EXPECT_FALSE(FindTensorPlace({"llama", false},
                               "model.layers.1.mlp.experts.3.w1.weight")
                   .is_known);
  EXPECT_FALSE(
      FindTensorPlace({"llama", false}, "model.layers.x.mlp.up_proj.weight")
          .is_known);
  EXPECT_FALSE(FindTensorPlace({"llama", false}, "model.layers.").is_known);
  EXPECT_FALSE(
      FindTensorPlace({"llama", false},
                      "model.layers.1.pre_feedforward_layernorm.weight")
          .is_known);
  EXPECT_FALSE(
      FindTensorPlace({"llama", false}, "vision_tower.a.weight").is_known);
  EXPECT_FALSE(FindTensorPlace({"llama", false}, "").is_known);
}

}  // namespace
}  // namespace specinfer
