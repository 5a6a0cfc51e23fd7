// Whisper models in whisper.cpp's container, and in Hugging Face's.
#include "src/model/ggml_file.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/model/model_file.h"
#include "tests/model/expect_whisper.h"
#include "tests/model/memory_files.h"
#include "tests/model/whisper_files.h"

namespace specinfer {
namespace {

using ::testing::HasSubstr;

class GgmlFile : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<ModelFile>> Open(std::string bytes) {
    files_.Put("m", std::move(bytes));
    return ModelFile::Open("m", files_.reader(), memory_);
  }
  absl::Status Refusal(std::string bytes) {
    return Open(std::move(bytes)).status();
  }

  const TinyWhisper model_{{.vocabulary = 51864, .feed_forward = 16}};
  const std::vector<std::string> tokens_ = {"a", " ", "\xFF", "a "};
  MemoryFiles files_;
  Memory memory_{0};
};

TEST_F(GgmlFile, HoldsTheModel) {
  const auto file = Open(WriteGgml(model_, tokens_));
  ASSERT_TRUE(file.ok()) << file.status();

  ExpectWhisper(**file, model_);
}

TEST_F(GgmlFile, SpellsTokensVisibly) {
  const auto file = Open(WriteGgml(model_, tokens_));
  ASSERT_TRUE(file.ok()) << file.status();

  const auto texts = (*file)->GetStrings("tokenizer.ggml.tokens");
  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_EQ(texts->size(), 50256u);
  auto text = texts->begin();
  EXPECT_EQ(*text, "a");
  EXPECT_EQ(*++text, "\u0120");
  EXPECT_EQ(*++text, "\u00FF");
  EXPECT_EQ(*++text, "a\u0120");
  EXPECT_EQ(*++text, "");
}

TEST_F(GgmlFile, RefusesWhatItDoesNotKnow) {
  EXPECT_TRUE(Open(WriteGgml(model_, tokens_, 2008)).ok());
  EXPECT_THAT(std::string(Refusal(WriteGgml(model_, tokens_, 8)).message()),
              HasSubstr("file type 8"));
  EXPECT_THAT(std::string(Refusal(WriteGgml(model_, {})).message()),
              HasSubstr("holds 0 tokens"));
  TinyWhisper other = model_;
  other.tensors["blk.0.other.weight"] = other.tensors["output_norm.weight"];
  EXPECT_EQ(Refusal(WriteGgml(other, tokens_)).code(),
            absl::StatusCode::kUnimplemented);
  // Another network behind the same magic number.
  EXPECT_THAT(std::string(Refusal(WriteGgml(TinyWhisper(), tokens_)).message()),
              HasSubstr("from before GGUF"));
}

TEST_F(GgmlFile, RefusesEveryCut) {
  const std::string whole = WriteGgml(model_, tokens_);
  for (size_t size = 1; size < whole.size(); size += 9973)
    EXPECT_FALSE(Open(whole.substr(0, size)).ok()) << size;
  EXPECT_FALSE(Open(whole.substr(0, whole.size() - 1)).ok());
}

class HuggingfaceWhisper : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<ModelFile>> Open(const TinyWhisper& model) {
    files_.Put("d/model.safetensors", WriteHuggingface(model));
    files_.Put("d/config.json", HuggingfaceConfig(TinyWhisper()));
    files_.Put("d/tokenizer.json", "{}");
    return ModelFile::Open("d", files_.reader(), memory_);
  }

  MemoryFiles files_;
  Memory memory_{0};
};

TEST_F(HuggingfaceWhisper, HoldsTheModel) {
  const TinyWhisper model;
  const auto file = Open(model);
  ASSERT_TRUE(file.ok()) << file.status();

  ExpectWhisper(**file, model);
}

TEST_F(HuggingfaceWhisper, LeavesOutTheBiasOfTheKeys) {
  TinyWhisper model;
  model.tensors["blk.0.attn_k.bias"] = model.tensors["blk.0.attn_q.bias"];
  const auto file = Open(model);
  ASSERT_TRUE(file.ok()) << file.status();

  EXPECT_EQ((*file)->FindTensor("blk.0.attn_k.bias"), nullptr);
}

TEST_F(HuggingfaceWhisper, TakesAlignmentHeadsFromGenerationConfig) {
  files_.Put("d/generation_config.json", R"({"alignment_heads": [[1, 1]]})");
  const auto file = Open(TinyWhisper());
  ASSERT_TRUE(file.ok()) << file.status();

  EXPECT_EQ((*file)->GetNumbers("whisper.alignment_heads")->size(), 2u);
}

TEST_F(HuggingfaceWhisper, RefusesTensorsOfALayerThatIsNone) {
  TinyWhisper model;
  model.tensors["blk.2.ffn_norm.bias"] = model.tensors["blk.1.ffn_norm.bias"];
  EXPECT_THAT(std::string(Open(model).status().message()),
              HasSubstr("1 tensors more"));
}

TEST_F(HuggingfaceWhisper, RefusesAMissingTensor) {
  TinyWhisper model;
  model.tensors.erase("blk.1.cross_attn_v.bias");
  EXPECT_THAT(std::string(Open(model).status().message()),
              HasSubstr("\"blk.1.cross_attn_v.bias\" is missing"));
}

}  // namespace
}  // namespace specinfer
