#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/backend/machine.h"
#include "tests/backend/test_cache.h"
#include "tests/backend/test_tree.h"

namespace specinfer::testing {
namespace {

struct Shape {
  int heads = 4;
  int kv_heads = 2;
  int head_dim = 64;
  int window = 0;
  float soft_cap = 0.0f;
  CacheType cache_type = CacheType::kF16;
  bool sees_committed = false;
};

uint64_t TokenSeed(int committed_position) {
  return static_cast<uint64_t>(committed_position) + 5000;
}
uint64_t NodeSeed(int node) { return static_cast<uint64_t>(node) + 90000; }

// Attention of `sequence`, whose row i has the query of `query_seeds[i]`.
std::vector<std::vector<float>> Attend(Machine& machine, const Shape& shape,
                                       const AttentionSequence& sequence,
                                       const std::vector<int>& query_seeds) {
  const int64_t width = shape.heads * shape.head_dim;
  const int64_t rows = static_cast<int64_t>(query_seeds.size());
  std::vector<float> queries;
  for (const int seed : query_seeds) {
    const std::vector<float> query = RandomFloats(
        static_cast<size_t>(width), static_cast<uint64_t>(seed), 1.0f);
    queries.insert(queries.end(), query.begin(), query.end());
  }
  TreeAttentionArgs args;
  args.query = machine.MakeTensor(rows, width, queries);
  args.out = machine.MakeTensor(rows, width);
  args.sequences = absl::MakeSpan(&sequence, 1);
  args.heads = shape.heads;
  args.kv_heads = shape.kv_heads;
  args.cache_type = shape.cache_type;
  args.head_dim = shape.head_dim;
  args.window = shape.window;
  args.soft_cap = shape.soft_cap;
  args.sees_committed = shape.sees_committed;
  args.scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  EXPECT_TRUE(
      machine.Run([&](Stream& stream) { return stream.TreeAttention(args); })
          .ok());
  const std::vector<float> values = Machine::Values(args.out);
  std::vector<std::vector<float>> result;
  for (int64_t row = 0; row < rows; ++row) {
    result.emplace_back(values.begin() + row * width,
                        values.begin() + (row + 1) * width);
  }
  return result;
}

Shape Q8(Shape shape) {
  shape.cache_type = CacheType::kQ8;
  return shape;
}

struct TreeCase {
  std::string name;
  int num_committed;
  int num_nodes;
  bool is_deep;
  Shape shape;
};

void PrintTo(const TreeCase& tree_case, std::ostream* out) {
  *out << tree_case.name;
}

class TreeAttention
    : public ::testing::TestWithParam<std::tuple<TreeCase, std::string>> {
 protected:
  TreeAttention() : machine_(std::get<1>(GetParam()), 2) {}
  void SetUp() override {
    if (!machine_.is_available())
      GTEST_SKIP() << "this machine lacks " << std::get<1>(GetParam());
  }
  const TreeCase& tree_case() const { return std::get<0>(GetParam()); }

  // The rows of a random tree, attended together.
  std::vector<std::vector<float>> AttendTree(const TestTree& tree) {
    const Shape& shape = tree_case().shape;
    TestCache cache(machine_, tree_case().num_committed + tree.num_nodes(),
                    shape.kv_heads, shape.head_dim, 1, shape.cache_type);
    for (int slot = 0; slot < tree_case().num_committed; ++slot)
      cache.WriteToken(slot, TokenSeed(slot));
    std::vector<int> queries;
    for (int node = 0; node < tree.num_nodes(); ++node) {
      cache.WriteToken(tree_case().num_committed + node, NodeSeed(node));
      queries.push_back(node);
    }
    return Attend(machine_, shape,
                  tree.Sequence(cache.pages(), tree_case().num_committed),
                  queries);
  }

  // The last row of the same tokens in a line, of which `num_rows` are nodes
  // and the rest committed.
  std::vector<float> AttendPath(const std::vector<int>& path, int num_rows) {
    const Shape& shape = tree_case().shape;
    const int length = static_cast<int>(path.size());
    TestCache cache(machine_, tree_case().num_committed + length,
                    shape.kv_heads, shape.head_dim, 1, shape.cache_type);
    for (int slot = 0; slot < tree_case().num_committed; ++slot)
      cache.WriteToken(slot, TokenSeed(slot));
    for (int i = 0; i < length; ++i) {
      cache.WriteToken(tree_case().num_committed + i,
                       NodeSeed(path[static_cast<size_t>(i)]));
    }
    const TestTree chain = Chain(num_rows);
    const AttentionSequence sequence = chain.Sequence(
        cache.pages(), tree_case().num_committed + length - num_rows);
    return Attend(machine_, shape, sequence,
                  {path.end() - num_rows, path.end()})
        .back();
  }

  Machine machine_;
};

TEST_P(TreeAttention, GivesEachNodeTheBitsOfItsPathAsAChain) {
  const TestTree tree =
      RandomTree(tree_case().num_nodes, 77, tree_case().is_deep);

  const std::vector<std::vector<float>> rows = AttendTree(tree);

  for (int node = 0; node < tree.num_nodes(); ++node) {
    const std::vector<int> path = tree.Path(node);
    const int length = static_cast<int>(path.size());
    const std::vector<uint32_t> bits = Bits(rows[static_cast<size_t>(node)]);
    ASSERT_EQ(bits, Bits(AttendPath(path, length)))
        << "node " << node << " against a chain in one pass";
    ASSERT_EQ(bits, Bits(AttendPath(path, 1)))
        << "node " << node << " against decoding alone";
    ASSERT_EQ(bits, Bits(AttendPath(path, (length + 1) / 2)))
        << "node " << node << " against two passes";
  }
}

// Attention by the textbook in double precision.
std::vector<double> AttendExactly(TestCache& cache, const Shape& shape,
                                  const TestTree& tree, int num_committed,
                                  int node, int head) {
  std::vector<int> slots;
  for (int slot = 0; slot < num_committed; ++slot) slots.push_back(slot);
  for (const int step : tree.Path(node)) slots.push_back(num_committed + step);
  if (shape.window > 0 && slots.size() > static_cast<size_t>(shape.window)) {
    slots.erase(slots.begin(), slots.end() - shape.window);
  }
  const int kv_head = head / (shape.heads / shape.kv_heads);
  const size_t width = static_cast<size_t>(shape.heads * shape.head_dim);
  const std::vector<float> query =
      RandomFloats(width, static_cast<uint64_t>(node), 1.0f);
  std::vector<double> out(static_cast<size_t>(shape.head_dim));
  double total = 0.0;
  for (const int slot : slots) {
    double score = 0.0;
    for (int d = 0; d < shape.head_dim; ++d) {
      score += double{query[static_cast<size_t>(head * shape.head_dim + d)]} *
               cache.ReadKey(slot, kv_head, d);
    }
    score /= std::sqrt(static_cast<double>(shape.head_dim));
    if (shape.soft_cap != 0.0f)
      score = shape.soft_cap * std::tanh(score / shape.soft_cap);
    const double weight = std::exp(score);
    total += weight;
    for (int d = 0; d < shape.head_dim; ++d) {
      out[static_cast<size_t>(d)] += weight * cache.ReadValue(slot, kv_head, d);
    }
  }
  for (double& value : out) value /= total;
  return out;
}

TEST_P(TreeAttention, IsCloseToDoublePrecision) {
  const Shape& shape = tree_case().shape;
  const int num_committed = tree_case().num_committed;
  const TestTree tree =
      RandomTree(tree_case().num_nodes, 78, tree_case().is_deep);
  TestCache cache(machine_, num_committed + tree.num_nodes(), shape.kv_heads,
                  shape.head_dim, 1, shape.cache_type);
  for (int slot = 0; slot < num_committed + tree.num_nodes(); ++slot)
    cache.WriteToken(slot, TokenSeed(slot));

  const std::vector<std::vector<float>> rows = AttendTree(tree);

  // AttendTree writes nodes by their own seeds.
  for (int node = 0; node < tree.num_nodes(); ++node)
    cache.WriteToken(num_committed + node, NodeSeed(node));
  for (int node = 0; node < tree.num_nodes(); ++node) {
    for (int head = 0; head < shape.heads; ++head) {
      const std::vector<double> exact =
          AttendExactly(cache, shape, tree, num_committed, node, head);
      for (int d = 0; d < shape.head_dim; ++d) {
        const size_t index = static_cast<size_t>(head * shape.head_dim + d);
        const double error = std::fabs(rows[static_cast<size_t>(node)][index] -
                                       exact[static_cast<size_t>(d)]);
        // Values lie within ±2, so this is four roundings of the greatest. A
        // q8 cache rounds queries to steps of 1/254: a score, a sum of head_dim
        // products below 2, moves by hundredths.
        const double limit = shape.cache_type == CacheType::kF16 ? 1e-6 : 0.04;
        ASSERT_LT(error, limit) << "node " << node << " head " << head;
      }
    }
  }
}

// A row that sees what is committed is the last token of that.
TEST_P(TreeAttention, SeesCommittedAsTheLastTokenDoes) {
  Shape shape = tree_case().shape;
  shape.window = 0;
  const int length = tree_case().num_committed + tree_case().num_nodes;
  TestCache cache(machine_, length, shape.kv_heads, shape.head_dim, 1,
                  shape.cache_type);
  for (int slot = 0; slot < length; ++slot)
    cache.WriteToken(slot, TokenSeed(slot));
  const TestTree one = Chain(1);
  const TestTree many = Chain(length);
  std::vector<int> queries(static_cast<size_t>(length));
  for (int row = 0; row < length; ++row)
    queries[static_cast<size_t>(row)] = row;

  const std::vector<std::vector<float>> last = Attend(
      machine_, shape, one.Sequence(cache.pages(), length - 1), {length / 2});
  shape.sees_committed = true;
  const std::vector<std::vector<float>> rows =
      Attend(machine_, shape, many.Sequence(cache.pages(), length), queries);

  EXPECT_EQ(Bits(rows[static_cast<size_t>(length / 2)]), Bits(last[0]));
}

INSTANTIATE_TEST_SUITE_P(
    Trees, TreeAttention,
    ::testing::Combine(
        ::testing::Values(
            TreeCase{"NothingCommitted", 0, 20, false, {}},
            TreeCase{
                "WithinFirstPage", 5, 30, false, {.heads = 3, .kv_heads = 1}},
            TreeCase{"AcrossAPage",
                     60,
                     24,
                     false,
                     {.heads = 6, .kv_heads = 2, .head_dim = 40}},
            TreeCase{"LastSlotOfAPage", 63, 16, true, {.head_dim = 80}},
            TreeCase{"PageEnd", 64, 16, false, {.head_dim = 128}},
            TreeCase{"DeepOverTwoPages",
                     40,
                     100,
                     true,
                     {.heads = 2, .kv_heads = 1, .head_dim = 32}},
            TreeCase{"Window1", 65, 12, false, {.window = 1}},
            TreeCase{"Window17", 130, 40, true, {.head_dim = 16, .window = 17}},
            TreeCase{"Window64", 127, 40, true, {.head_dim = 20, .window = 64}},
            TreeCase{"WindowAndSoftCap",
                     200,
                     20,
                     false,
                     {.window = 100, .soft_cap = 2.0f}},
            TreeCase{"Q8NothingCommitted", 0, 20, false, Q8({})},
            TreeCase{"Q8AcrossAPage", 60, 24, false,
                     Q8({.heads = 6, .kv_heads = 2, .head_dim = 40})},
            TreeCase{"Q8LastSlotOfAPage", 63, 16, true, Q8({.head_dim = 80})},
            TreeCase{"Q8PageEnd", 64, 16, false, Q8({.head_dim = 128})},
            TreeCase{"Q8WideHead", 70, 9, true, Q8({.head_dim = 256})},
            TreeCase{"Q8DeepOverTwoPages", 40, 100, true,
                     Q8({.heads = 2, .kv_heads = 1, .head_dim = 32})},
            TreeCase{"Q8Window17", 130, 40, true,
                     Q8({.head_dim = 16, .window = 17})},
            TreeCase{"Q8WindowAndSoftCap", 200, 20, false,
                     Q8({.window = 100, .soft_cap = 2.0f})}),
        ::testing::ValuesIn(CpuBackends())),
    [](const auto& instance) {
      return std::get<0>(instance.param).name + "_" +
             std::get<1>(instance.param).substr(4);
    });

// A page that fell out of the window is not held.
TEST(TreeAttentionWindow, ReadsNoPageOutsideIt) {
  Machine machine("cpu", 1);
  const Shape shape = {.window = 70};
  TestCache cache(machine, 200, shape.kv_heads, shape.head_dim);
  for (int slot = 0; slot < 200; ++slot)
    cache.WriteToken(slot, TokenSeed(slot));
  const TestTree chain = Chain(1);
  const std::vector<float> expected =
      Attend(machine, shape, chain.Sequence(cache.pages(), 199), {1}).back();
  cache.pages()[0] = {};

  const std::vector<float> bits =
      Attend(machine, shape, chain.Sequence(cache.pages(), 199), {1}).back();

  EXPECT_EQ(Bits(bits), Bits(expected));
}

}  // namespace
}  // namespace specinfer::testing
