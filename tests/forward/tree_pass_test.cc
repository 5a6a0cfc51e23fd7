// A tree's row is, bit for bit, the row of its path decoded as a chain.
#include <cstring>
#include <vector>

#include "gtest/gtest.h"

#include "src/forward/decoder.h"
#include "src/session/model.h"
#include "src/speculate/token_tree.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

class Passes {
 public:
  explicit Passes(const Model& model)
      : model_(model),
        decoder_(*Decoder::Create(*model.engine().backend, model.architecture(),
                                  model.cache_layout(), model.weights(),
                                  /*max_rows=*/64, /*max_answer_rows=*/64)) {}

  std::unique_ptr<Sequence> NewSequence() {
    return *Sequence::Create(*model_.engine().backend, model_.cache_layout(),
                             /*max_positions=*/256, /*max_nodes=*/64);
  }

  // The logits of all computed nodes.
  std::vector<float> Forward(const SequenceNodes& nodes) {
    const size_t width = model_.architecture().vocabulary_size;
    const size_t num_rows =
        nodes.tokens.size() - static_cast<size_t>(nodes.first_node);
    EXPECT_TRUE(
        nodes.sequence->Prepare(static_cast<int32_t>(nodes.tokens.size()))
            .ok());
    std::vector<float> logits(num_rows * width);
    std::vector<int32_t> rows;
    std::vector<HeadQuery> queries;
    for (size_t i = 0; i < num_rows; ++i) {
      rows.push_back(static_cast<int32_t>(i));
      queries.push_back(
          {.row = static_cast<int32_t>(i),
           .full = absl::MakeSpan(logits).subspan(i * width, width)});
    }
    EXPECT_TRUE(
        decoder_->Forward({&nodes, 1}, {.rows = rows, .queries = queries}, {})
            .ok());
    return logits;
  }

  // Feeds `tokens` as committed chains.
  void Feed(Sequence& sequence, absl::Span<const Token> tokens) {
    for (size_t first = 0; first < tokens.size(); first += 50) {
      const auto part = tokens.subspan(first, 50);
      Forward({.sequence = &sequence, .tokens = part});
      sequence.CommitChain(static_cast<int32_t>(part.size()));
    }
  }

  Stream& stream() { return decoder_->stream(); }

 private:
  const Model& model_;
  std::unique_ptr<Decoder> decoder_;
};

uint32_t Next(uint32_t* state) {
  return *state = *state * 1664525u + 1013904223u;
}

std::vector<Token> RandomPrompt(size_t vocabulary, uint32_t* state) {
  std::vector<Token> prompt(1 + Next(state) % 140);
  for (Token& token : prompt)
    token = static_cast<Token>((Next(state) >> 8) % vocabulary);
  return prompt;
}

// A tree of 40 nodes, or a chain.
TokenTree RandomTree(size_t vocabulary, bool is_chain, uint32_t* state) {
  TokenTree tree(40);
  tree.Reset(static_cast<Token>(Next(state) % vocabulary));
  while (!tree.is_full()) {
    const uint32_t size = static_cast<uint32_t>(tree.size());
    const uint32_t parent = is_chain ? size - 1 : (Next(state) >> 8) % size;
    tree.AddNode(static_cast<int32_t>(parent),
                 static_cast<Token>((Next(state) >> 8) % vocabulary));
  }
  return tree;
}

class TreePass : public testing::TestWithParam<const char*> {};

TEST_P(TreePass, EqualsTheChainOfEachPathAndCommitsIt) {
  const auto model = LoadTiny(GetParam(), MakeEngine("cpu", 2));
  ASSERT_NE(model, nullptr);
  Passes passes(*model);
  const size_t width = model->architecture().vocabulary_size;
  uint32_t state = 99;
  for (int trial = 0; trial < 12; ++trial) {
    const std::vector<Token> prompt = RandomPrompt(width, &state);
    auto sequence = passes.NewSequence();
    passes.Feed(*sequence, prompt);
    TokenTree tree = RandomTree(width, /*is_chain=*/false, &state);
    const std::vector<float> tree_logits =
        passes.Forward({.sequence = sequence.get(),
                        .tokens = tree.tokens(),
                        .depths = tree.depths(),
                        .path_bits = tree.PathBits()});

    const int32_t leaf = tree.size() - 1;
    std::vector<int32_t> path;
    for (int32_t node = leaf; node >= 0; node = tree.parent(node))
      path.insert(path.begin(), node);
    std::vector<Token> chain;
    for (const int32_t node : path) chain.push_back(tree.token(node));
    auto plain = passes.NewSequence();
    passes.Feed(*plain, prompt);
    const std::vector<float> chain_logits =
        passes.Forward({.sequence = plain.get(), .tokens = chain});
    for (size_t i = 0; i < path.size(); ++i) {
      ASSERT_EQ(std::memcmp(&tree_logits[path[i] * width],
                            &chain_logits[i * width], width * sizeof(float)),
                0)
          << "trial " << trial << ", depth " << i;
    }

    // After the commit the cache is that of the chain: the next token's row is
    // too.
    ASSERT_TRUE(sequence->Commit(path, passes.stream()).ok());
    plain->CommitChain(static_cast<int32_t>(path.size()));
    const std::vector<Token> next = {5, 6};
    EXPECT_EQ(passes.Forward({.sequence = sequence.get(), .tokens = next}),
              passes.Forward({.sequence = plain.get(), .tokens = next}));
  }
}

TEST_P(TreePass, InPartsEqualsTheWhole) {
  for (const char* backend : {"cpu", "cpu-reference"}) {
    const auto model = LoadTiny(GetParam(), MakeEngine(backend, 2));
    ASSERT_NE(model, nullptr);
    Passes passes(*model);
    const size_t width = model->architecture().vocabulary_size;
    uint32_t state = 7;
    for (int trial = 0; trial < 12; ++trial) {
      auto sequence = passes.NewSequence();
      passes.Feed(*sequence, RandomPrompt(width, &state));
      const TokenTree tree =
          RandomTree(width, /*is_chain=*/trial % 3 == 0, &state);
      const auto nodes = [&](int32_t first_node, int32_t end) {
        TokenTree part = tree;
        part.Shrink(end);
        const std::vector<Token> tokens(part.tokens().begin(),
                                        part.tokens().end());
        const std::vector<int32_t> depths(part.depths().begin(),
                                          part.depths().end());
        const absl::Span<const uint64_t> bits = part.PathBits();
        const std::vector<uint64_t> path_bits(bits.begin(), bits.end());
        return passes.Forward({.sequence = sequence.get(),
                               .tokens = tokens,
                               .depths = depths,
                               .path_bits = path_bits,
                               .first_node = first_node});
      };
      const std::vector<float> whole = nodes(0, 40);
      std::vector<float> parts;
      for (int32_t first = 0; first < 40;) {
        const int32_t end = std::min<int32_t>(
            40, first + 1 + static_cast<int32_t>(Next(&state) % 13));
        const std::vector<float> part = nodes(first, end);
        parts.insert(parts.end(), part.begin(), part.end());
        first = end;
      }
      ASSERT_EQ(parts, whole) << backend << ", trial " << trial;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TreePass,
                         testing::Values("tiny-llama", "tiny-qwen3",
                                         "tiny-gemma3"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(Decoder, StoppedAtEveryDeadlineGivesTheSameBits) {
  const auto model = LoadTiny("tiny-llama", MakeEngine("cpu", 2));
  ASSERT_NE(model, nullptr);
  Passes passes(*model);
  const std::vector<Token> prompt = {1, 2, 3, 4, 5, 6, 7};
  auto whole = passes.NewSequence();
  const std::vector<float> expected =
      passes.Forward({.sequence = whole.get(), .tokens = prompt});

  const size_t width = model->architecture().vocabulary_size;
  auto decoder =
      *Decoder::Create(*model->engine().backend, model->architecture(),
                       model->cache_layout(), model->weights(), 8, 8);
  auto sequence = passes.NewSequence();
  ASSERT_TRUE(sequence->Prepare(7).ok());
  std::vector<float> logits(width);
  const std::vector<int32_t> rows = {6};
  const HeadQuery query = {.row = 0, .full = absl::MakeSpan(logits)};
  const SequenceNodes nodes = {.sequence = sequence.get(), .tokens = prompt};
  int num_stops = 0;
  while (true) {
    const absl::Status status =
        decoder->Forward({&nodes, 1}, {.rows = rows, .queries = {&query, 1}},
                         {.deadline_us = 0});
    if (status.ok()) break;
    ASSERT_TRUE(absl::IsDeadlineExceeded(status)) << status;
    ASSERT_LT(++num_stops, 100000);
  }

  EXPECT_GT(num_stops, 20);
  EXPECT_EQ(
      std::memcmp(logits.data(), &expected[6 * width], width * sizeof(float)),
      0);
}

}  // namespace
}  // namespace specinfer
