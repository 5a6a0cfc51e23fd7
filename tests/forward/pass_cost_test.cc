// Costs counted by hand for a network of two layers, one of them with a window.
#include "src/forward/pass_cost.h"

#include "gtest/gtest.h"

namespace specinfer {
namespace {

class ShapeOnly final : public Weight {
 public:
  ShapeOnly(DType type, int64_t num_outputs, int64_t num_inputs,
            size_t num_bytes) {
    dtype = type;
    outputs = num_outputs;
    inputs = num_inputs;
    packed_bytes = num_bytes;
  }
  absl::Span<const uint8_t> bytes() const override { return {}; }
};

LinearWeights Matrix(DType type, int64_t outputs, int64_t inputs,
                     size_t num_bytes) {
  LinearWeights linear;
  linear.weight = std::make_unique<ShapeOnly>(type, outputs, inputs, num_bytes);
  return linear;
}

constexpr int64_t kHidden = 64, kFeedForward = 96, kVocabulary = 1000;
constexpr int32_t kHeads = 4, kKvHeads = 2, kHeadDim = 16, kWindow = 10;
constexpr uint64_t kAttentionProducts = (64 + 32 + 32 + 64) * 64;
constexpr uint64_t kFeedForwardProducts = 3 * 96 * 64;
constexpr uint64_t kHeadProducts = 1000 * 64;
constexpr uint64_t kTableBytes = 5000;

class PassCostOfTwoLayers : public testing::Test {
 protected:
  PassCostOfTwoLayers() {
    architecture_.heads = kHeads;
    architecture_.kv_heads = kKvHeads;
    architecture_.head_dim = kHeadDim;
    architecture_.layers = {{.window = 0}, {.window = kWindow}};
    weights_.embedding =
        Matrix(DType::kQ4_0, kVocabulary, kHidden, kTableBytes);
    for (size_t i = 0; i < 2; ++i) {
      LayerWeights layer;
      layer.query = Matrix(DType::kQ4_0, 64, kHidden, 1);
      layer.key = Matrix(DType::kQ4_0, 32, kHidden, 2);
      layer.value = Matrix(DType::kQ4_0, 32, kHidden, 4);
      layer.attention_output = Matrix(DType::kQ4_0, kHidden, 64, 8);
      layer.gate = Matrix(DType::kQ4_0, kFeedForward, kHidden, 16);
      layer.up = Matrix(DType::kQ4_0, kFeedForward, kHidden, 32);
      layer.down = Matrix(DType::kQ4_0, kHidden, kFeedForward, 64);
      weights_.layers.push_back(std::move(layer));
    }
  }

  PassCost Cost(const PassShape& shape, CacheType type = CacheType::kF16) {
    return ComputePassCost(architecture_, MakeCacheLayout(architecture_, type),
                           weights_, shape);
  }

  Architecture architecture_;
  Weights weights_;
};

TEST_F(PassCostOfTwoLayers, CountsEveryLinearLayerForEveryRow) {
  const PassCost cost =
      Cost({.num_context_tokens = 0, .num_rows = 3, .num_answer_rows = 3});

  EXPECT_EQ(
      cost.int8_products,
      3 * (2 * (kAttentionProducts + kFeedForwardProducts) + kHeadProducts));
}

TEST_F(PassCostOfTwoLayers, CountsWhatEachRowSees) {
  const PassCost cost =
      Cost({.num_context_tokens = 100, .num_rows = 2, .num_answer_rows = 2});

  // Two products for each position, head and dimension.
  EXPECT_EQ(cost.float_products,
            uint64_t{2 * kHeads * kHeadDim} * (101 + 102 + 2 * kWindow));
}

TEST_F(PassCostOfTwoLayers, ReadsWeightsOnceAndTheCacheThatIsSeen) {
  const PassCost cost =
      Cost({.num_context_tokens = 100, .num_rows = 2, .num_answer_rows = 2});

  // Keys and values of half floats in each layer.
  const uint64_t position_bytes = 2 * 2 * kKvHeads * kHeadDim;
  EXPECT_EQ(cost.read_bytes, 2 * 127 + kTableBytes +
                                 2 * kTableBytes / kVocabulary +
                                 position_bytes * (102 + (kWindow - 1) + 2));
}

TEST_F(PassCostOfTwoLayers, BehindTheLastAttentionOnlyAnswersCount) {
  const PassCost none = Cost({.num_rows = 4, .num_answer_rows = 0});
  const PassCost one = Cost({.num_rows = 4, .num_answer_rows = 1});

  EXPECT_EQ(none.int8_products,
            4 * (2 * kAttentionProducts + kFeedForwardProducts));
  EXPECT_EQ(one.int8_products - none.int8_products,
            kFeedForwardProducts + kHeadProducts);
  EXPECT_EQ(one.read_bytes - none.read_bytes, 16 + 32 + 64 + kTableBytes);
}

TEST_F(PassCostOfTwoLayers, FloatWeightsAreFloatProducts) {
  weights_.untied_head = Matrix(DType::kF16, kVocabulary, kHidden, 7);
  const PassCost cost = Cost({.num_rows = 1, .num_answer_rows = 1});

  EXPECT_EQ(cost.int8_products,
            2 * (kAttentionProducts + kFeedForwardProducts));
  EXPECT_GE(cost.float_products, kHeadProducts);
}

TEST_F(PassCostOfTwoLayers, ACacheOfBytesIsReadAndMultipliedAsBytes) {
  const PassShape shape = {
      .num_context_tokens = 640, .num_rows = 1, .num_answer_rows = 1};
  const PassCost halves = Cost(shape);
  const PassCost bytes = Cost(shape, CacheType::kQ8);

  EXPECT_EQ(bytes.float_products, 0u);
  EXPECT_EQ(bytes.int8_products, halves.int8_products + halves.float_products);
}

TEST_F(PassCostOfTwoLayers, NamesTheMatricesThatAreReadWhole) {
  EXPECT_EQ(PassWeights(weights_).size(), 2 * 7 + 1u);
  EXPECT_EQ(PassWeights(weights_).back(), weights_.embedding.weight.get());
  weights_.untied_head = Matrix(DType::kF16, kVocabulary, kHidden, 7);
  EXPECT_EQ(PassWeights(weights_).back(), weights_.untied_head.weight.get());
}

}  // namespace
}  // namespace specinfer
