// Facts about real Whisper models, read from their files with NumPy.
#include <filesystem>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/model/model_file.h"
#include "tests/model/expect_whisper.h"

namespace specinfer {
namespace {

struct Weight {
  const char* tensor;
  int64_t row, column;
  float value;
};

struct RealWhisper {
  const char* name;
  std::vector<uint64_t> sizes;  // hidden, layers, heads, vocabulary
  std::vector<Weight> weights;
};

class RealWhisperFile : public ::testing::TestWithParam<RealWhisper> {};

TEST_P(RealWhisperFile, HoldsTheKnownWeights) {
  const std::string path =
      std::string(SPECINFER_MODELS) + "/" + GetParam().name;
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "\"" << GetParam().name
                 << "\" is not in the model folder \"" << SPECINFER_MODELS
                 << "\"";
  }
  Memory memory(0);
  const auto file = ModelFile::Open(path, {}, memory);
  ASSERT_TRUE(file.ok()) << file.status();
  const std::vector<uint64_t>& sizes = GetParam().sizes;

  EXPECT_EQ(*(*file)->GetUint("whisper.embedding_length"), sizes[0]);
  EXPECT_EQ(*(*file)->GetUint("whisper.feed_forward_length"), 4 * sizes[0]);
  EXPECT_EQ(*(*file)->GetUint("whisper.block_count"), sizes[1]);
  EXPECT_EQ(*(*file)->GetUint("whisper.encoder.block_count"), sizes[1]);
  EXPECT_EQ(*(*file)->GetUint("whisper.attention.head_count"), sizes[2]);
  EXPECT_EQ(*(*file)->GetUint("whisper.encoder.attention.head_count"),
            sizes[2]);
  EXPECT_EQ(*(*file)->GetUint("whisper.vocab_size"), sizes[3]);
  EXPECT_EQ(*(*file)->GetUint("whisper.context_length"), 448u);
  EXPECT_EQ(*(*file)->GetUint("whisper.encoder.context_length"), 1500u);
  EXPECT_EQ(*(*file)->GetUint("whisper.encoder.mel_bins"), 80u);
  EXPECT_EQ((*file)->GetNumbers("whisper.alignment_heads")->size(), 16u);
  EXPECT_EQ((*file)->tensors().size(), 11 + sizes[1] * (15 + 24));
  for (const Weight& weight : GetParam().weights) {
    const TensorRecord* tensor = (*file)->FindTensor(weight.tensor);
    ASSERT_NE(tensor, nullptr) << weight.tensor;
    EXPECT_EQ(WhisperValue(*tensor,
                           static_cast<size_t>(weight.row * tensor->columns() +
                                               weight.column)),
              weight.value)
        << weight.tensor;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RealWhisperFile,
    ::testing::Values(
        RealWhisper{
            "whisper-base",
            {512, 6, 8, 51865},
            {{"token_embd.weight", 15947, 3, 0.04071044921875f},
             {"position_embd.weight", 447, 511, -0.00860595703125f},
             {"enc.conv1.weight", 565, 2, -0.00708770751953125f},
             {"enc.blk.1.attn_q.weight", 2, 9, -0.005889892578125f},
             {"enc.blk.1.attn_k.weight", 2, 9, 0.0159454345703125f},
             {"enc.blk.1.attn_v.weight", 2, 9, 0.008819580078125f},
             {"blk.2.cross_attn_k.weight", 11, 1, -0.00452423095703125f},
             {"blk.2.cross_attn_v.weight", 11, 1, 0.01076507568359375f},
             {"blk.2.cross_attn_v.bias", 0, 4, -0.044403076171875f},
             {"blk.3.ffn_down.weight", 1, 1000, 0.0006470680236816406f},
             {"output_norm.bias", 0, 5, 0.125732421875f},
             {"enc.position_embd.weight", 1499, 257, 0.7705078125f}}},
        RealWhisper{
            "whisper-tiny.en",
            {384, 4, 6, 51864},
            {{"token_embd.weight", 15947, 3, -0.0035991668701171875f},
             {"position_embd.weight", 447, 383, -0.1044921875f},
             {"enc.conv1.weight", 565, 2, -0.00493621826171875f},
             {"enc.blk.1.attn_q.weight", 2, 9, 0.01505279541015625f},
             {"enc.blk.1.attn_k.weight", 2, 9, -0.027557373046875f},
             {"enc.blk.1.attn_v.weight", 2, 9, 0.016632080078125f},
             {"blk.2.cross_attn_k.weight", 11, 1, -0.01021575927734375f},
             {"blk.2.cross_attn_v.weight", 11, 1, -0.0098419189453125f},
             {"blk.2.cross_attn_v.bias", 0, 4, 0.022857666015625f},
             {"blk.3.ffn_down.weight", 1, 1000, -0.08001708984375f},
             {"output_norm.bias", 0, 5, -0.97314453125f},
             {"enc.position_embd.weight", 1499, 193, -0.54541015625f}}}),
    [](const auto& model) {
      std::string name = model.param.name;
      for (char& letter : name) letter = std::isalnum(letter) ? letter : '_';
      return name;
    });

}  // namespace
}  // namespace specinfer
