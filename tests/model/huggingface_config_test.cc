// What config.json says, in GGUF's words.
#include "src/model/huggingface_config.h"

#include <map>
#include <string>
#include <variant>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"

namespace specinfer {
namespace {

class HuggingfaceConfig : public ::testing::Test {
 protected:
  // Reads a configuration with the sizes every one has.
  absl::StatusOr<HuggingfaceNaming> Read(const std::string& type,
                                         const std::string& more) {
    documents_.config_path = "config.json";
    documents_.config = nlohmann::json::parse(
        R"({"hidden_size":64,"num_hidden_layers":7,"intermediate_size":96,"num_attention_heads":4,"model_type":")" +
            type + "\"" + (more.empty() ? "" : ",") + more + "}",
        nullptr, /*allow_exceptions=*/false);
    return AppendHuggingfaceKeys(documents_, contents_);
  }
  const MetadataValue* Find(std::string_view key) const {
    for (const MetadataEntry& entry : contents_.entries.span()) {
      if (entry.key == key) return &entry.value;
    }
    return nullptr;
  }
  uint64_t Uint(std::string_view key) const {
    return Find(key) ? std::get<uint64_t>(*Find(key)) : UINT64_MAX;
  }
  double Float(std::string_view key) const {
    return Find(key) ? std::get<double>(*Find(key)) : -1e30;
  }
  std::string_view Text(std::string_view key) const {
    return Find(key) ? std::get<std::string_view>(*Find(key))
                     : std::string_view("(missing)");
  }

  Memory memory_{0};
  ModelContents contents_{memory_};
  HuggingfaceDocuments documents_;
};

TEST_F(HuggingfaceConfig, ReadsLlama3Scaling) {
  ASSERT_TRUE(
      Read(
          "llama",
          R"("rope_theta":500000.0,"rope_scaling":{"factor":32.0,"high_freq_factor":4.0,
      "low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"})")
          .ok());

  EXPECT_EQ(Float("llama.rope.freq_base"), 500000.0);
  EXPECT_EQ(Text("llama.rope.scaling.type"), "llama3");
  EXPECT_EQ(Float("llama.rope.scaling.factor"), 32.0);
  EXPECT_EQ(Float("llama.rope.scaling.low_freq_factor"), 1.0);
  EXPECT_EQ(Float("llama.rope.scaling.high_freq_factor"), 4.0);
  EXPECT_EQ(Uint("llama.rope.scaling.original_context_length"), 8192u);
}

TEST_F(HuggingfaceConfig, ReadsYarnOfQwen) {
  ASSERT_TRUE(
      Read("qwen2",
           R"("max_position_embeddings":32768,"rope_scaling":{"factor":4.0,
      "original_max_position_embeddings":32768,"type":"yarn"})")
          .ok());

  EXPECT_EQ(Text("qwen2.rope.scaling.type"), "yarn");
  EXPECT_EQ(Float("qwen2.rope.scaling.factor"), 4.0);
  EXPECT_EQ(Uint("qwen2.rope.scaling.original_context_length"), 32768u);
  EXPECT_EQ(Find("qwen2.rope.scaling.attn_factor"), nullptr);
}

TEST_F(HuggingfaceConfig, DividesYarnsAttentionFactorByYarnsOwn) {
  ASSERT_TRUE(
      Read(
          "qwen2",
          R"("rope_scaling":{"factor":4.0,"type":"yarn","attention_factor":1.0})")
          .ok());

  EXPECT_NEAR(Float("qwen2.rope.scaling.attn_factor"), 1.0 / 1.1386294361119891,
              1e-12);
}

TEST_F(HuggingfaceConfig, ReadsRopeParametersOfNewerFiles) {
  ASSERT_TRUE(
      Read("qwen3",
           R"("rope_parameters":{"rope_theta":1000000,"rope_type":"default"})")
          .ok());

  EXPECT_EQ(Float("qwen3.rope.freq_base"), 1000000.0);
  EXPECT_EQ(Find("qwen3.rope.scaling.type"), nullptr);
}

TEST_F(HuggingfaceConfig, KnowsTheHeadSizeThatQwen3LeavesOut) {
  ASSERT_TRUE(Read("qwen3", "").ok());

  EXPECT_EQ(Uint("qwen3.attention.key_length"), 128u);
}

TEST_F(HuggingfaceConfig, DividesTheHeadSizeOfLlama) {
  ASSERT_TRUE(Read("llama", "").ok());

  EXPECT_EQ(Uint("llama.attention.key_length"), 16u);
}

TEST_F(HuggingfaceConfig, ReadsGemma3) {
  const auto naming =
      Read("gemma3_text",
           R"("head_dim":32,"query_pre_attn_scalar":64,"sliding_window":512,
      "rope_scaling":{"rope_type":"linear","factor":8.0},"final_logit_softcapping":null)");

  ASSERT_TRUE(naming.ok()) << naming.status();
  EXPECT_EQ(naming->architecture, "gemma3");
  EXPECT_TRUE(naming->is_tied);
  EXPECT_TRUE(std::get<bool>(*Find("specinfer.norm_plus_one")));
  EXPECT_EQ(Float("gemma3.rope.freq_base"), 1e6);
  EXPECT_EQ(Float("gemma3.rope.freq_base_swa"), 10000.0);
  EXPECT_EQ(Text("gemma3.rope.scaling.type"), "linear");
  EXPECT_EQ(Float("gemma3.attention.scale"), 0.125);
  EXPECT_EQ(Uint("gemma3.attention.sliding_window"), 512u);
  EXPECT_EQ(Uint("gemma3.attention.sliding_window_pattern"), 6u);
  EXPECT_EQ(Find("gemma3.final_logit_softcapping"), nullptr);
}

TEST_F(HuggingfaceConfig, ReadsTheKindsOfGemmasLayers) {
  const std::string local = "\"sliding_attention\",";
  ASSERT_TRUE(Read("gemma3_text", "\"layer_types\":[" + local + local + local +
                                      local + local + "\"full_attention\"," +
                                      "\"sliding_attention\"]")
                  .ok());

  const NumberArray pattern =
      std::get<NumberArray>(*Find("gemma3.attention.sliding_window_pattern"));
  ASSERT_EQ(pattern.size(), 7u);
  EXPECT_EQ(pattern.Int(4), 1);
  EXPECT_EQ(pattern.Int(5), 0);
}

TEST_F(HuggingfaceConfig, RefusesLayerKindsForOtherThanAllLayers) {
  EXPECT_THAT(
      std::string(Read("gemma3_text", R"("layer_types":["full_attention"])")
                      .status()
                      .message()),
      ::testing::HasSubstr("\"layer_types\" is not an array of 7 strings"));
}

TEST_F(HuggingfaceConfig, ReadsGemma3InsideItsVisionModel) {
  documents_.config = nlohmann::json::parse(
      R"({"model_type":"gemma3","eos_token_id":[1,106],"text_config":{
      "hidden_size":64,"num_hidden_layers":7,"intermediate_size":96,"num_attention_heads":4,"head_dim":32}})",
      nullptr, /*allow_exceptions=*/false);

  const auto naming = AppendHuggingfaceKeys(documents_, contents_);

  ASSERT_TRUE(naming.ok()) << naming.status();
  EXPECT_EQ(Uint("gemma3.block_count"), 7u);
  EXPECT_EQ(Uint("tokenizer.ggml.eos_token_id"), 1u);
}

TEST_F(HuggingfaceConfig, RefusesASlidingWindowWhereItIsNotRead) {
  EXPECT_EQ(Read("qwen2", R"("use_sliding_window":true)").status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST_F(HuggingfaceConfig, RefusesAHeadSizeOutOfAllProportion) {
  EXPECT_FALSE(Read("llama", R"("head_dim":18446744073709551615)").ok());
}

TEST_F(HuggingfaceConfig, RefusesTooManyLayers) {
  documents_.config = nlohmann::json::parse(
      R"({"model_type":"llama","hidden_size":64,"num_hidden_layers":1000000,
      "intermediate_size":96,"num_attention_heads":4})",
      nullptr, /*allow_exceptions=*/false);

  EXPECT_FALSE(AppendHuggingfaceKeys(documents_, contents_).ok());
}

}  // namespace
}  // namespace specinfer
