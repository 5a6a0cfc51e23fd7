// Drafting allocates nothing once a drafter exists.
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "src/speculate/expected_drafter.h"
#include "src/speculate/ngram_drafter.h"
#include "tests/base/count_allocations.h"

namespace specinfer {
namespace {

constexpr int32_t kMaxNodes = 1024;

// Rounds whose target repeats itself with some noise; some are taken back.
void ExpectNoAllocations(Drafter& drafter) {
  std::mt19937 random(1);
  std::vector<Token> text = {1, 2, 3};
  text.reserve(100000);
  TokenTree tree(kMaxNodes);
  Walk walk;
  walk.Reserve(kMaxNodes);
  int64_t num_nodes = 0;
  const long before = num_allocations.load();
  for (int round = 0; round < 2000; ++round) {
    tree.Reset(text.back());
    DraftRequest request;
    request.text = text;
    request.budget = {.max_nodes = kMaxNodes, .max_depth = 64};
    static_cast<void>(drafter.Draft(request, &tree));
    num_nodes += tree.size();
    static_cast<void>(MatchVerify(
        tree,
        [&](int32_t node) {
          return static_cast<Token>(
              random() % 4 == 0 ? random() % 4
                                : static_cast<uint32_t>(tree.depth(node)) % 4);
        },
        &walk));
    drafter.Accept(text, tree, walk, {});
    text.insert(text.end(), walk.tokens.begin(), walk.tokens.end());
    if (random() % 50 == 0) {
      text.resize(text.size() - random() % text.size());
      drafter.Rollback(text.size());
    }
  }
  EXPECT_EQ(num_allocations.load() - before, 0);
  EXPECT_GT(num_nodes, 10000);
}

TEST(Allocation, NgramDrafterAllocatesNothing) {
  Memory memory(0);
  std::shared_ptr<Corpus> corpus =
      *Corpus::Create(memory, {.max_tokens = 2048, .vocabulary_size = 10});
  for (Token i = 0; i < 500; ++i)
    ASSERT_TRUE(corpus->Add({i % 3, i % 5, i % 7, i % 4, i % 6}).ok());
  const auto drafter = *NgramDrafter::Create(memory, 4096, corpus);

  ExpectNoAllocations(*drafter);
}

TEST(Allocation, ExpectedDrafterAllocatesNothing) {
  Memory memory(0);
  ExpectedDrafter drafter(memory, 10);
  std::vector<Token> expected(3000);
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] = static_cast<Token>(i % 4);
  ASSERT_TRUE(drafter.SetExpected(expected).ok());

  ExpectNoAllocations(drafter);
}

}  // namespace
}  // namespace specinfer
