// A drafter that knows what comes.
#ifndef SPECINFER_TESTS_SPECULATE_KNOWING_DRAFTER_H_
#define SPECINFER_TESTS_SPECULATE_KNOWING_DRAFTER_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "src/speculate/drafter.h"
#include "src/text/tokenizer.h"

namespace specinfer {

// Knows the text, and guesses its next tokens in its own vocabulary. Watches
// that it is treated as a drafter may expect.
class KnowingDrafter : public Drafter {
 public:
  KnowingDrafter(const Tokenizer& tokenizer, std::string text)
      : tokenizer_(tokenizer), text_(std::move(text)) {}

  int32_t num_guesses = 8;
  int num_deadlines = 0;        // of each draft
  absl::Status failure;         // of the next draft
  Token end = -1;               // guessed behind the text
  bool guesses_others = false;  // besides what comes
  int lies_every = 0;           // of so many guesses one is wrong; 0: none
  int num_seeds = 0;            // nodes that were there before
  // Of what it was told.
  int num_told = 0, num_accepted = 0, num_refused = 0;

  std::string_view name() const override { return "knowing"; }
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override {
    EXPECT_EQ(request.noise.temperature, 0.0f);
    EXPECT_LE(held_.size(), request.text.size()) << "cut without a Rollback";
    EXPECT_TRUE(std::equal(held_.begin(), held_.end(), request.text.begin()))
        << "changed without a Rollback";
    held_.assign(request.text.begin(), request.text.end());
    if (size_at_stop_ > 0) {
      EXPECT_EQ(tree->size(), size_at_stop_);
    }
    if (deadlines_left_ < 0) deadlines_left_ = num_deadlines;
    if (deadlines_left_-- > 0) {
      Guess(request, tree->size() + 1, tree);
      size_at_stop_ = tree->size();
      return absl::DeadlineExceededError("not yet");
    }
    deadlines_left_ = -1;
    size_at_stop_ = 0;
    if (!failure.ok()) return std::exchange(failure, absl::OkStatus());
    if (num_deadlines == 0) num_seeds += tree->size() - 1;
    EXPECT_EQ(tree->token(0), held_.back());
    Guess(request, num_guesses + 1, tree);
    is_drafted_ = true;
    return absl::OkStatus();
  }
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const WalkFeatures&) override {
    EXPECT_TRUE(is_drafted_);
    is_drafted_ = false;
    EXPECT_EQ(std::vector<Token>(text.begin(), text.end()), held_);
    ASSERT_FALSE(walk.tokens.empty());
    ASSERT_EQ(walk.path.size(), walk.tokens.size());
    EXPECT_EQ(walk.nodes, walk.path);
    EXPECT_EQ(walk.path[0], 0);
    for (size_t i = 0; i + 1 < walk.path.size(); ++i)
      EXPECT_EQ(tree.FindChild(walk.path[i], walk.tokens[i]), walk.path[i + 1]);
    num_told += static_cast<int>(walk.tokens.size());
    for (size_t i = 0; i < walk.path.size(); ++i) {
      if (tree.FindChild(walk.path[i], walk.tokens[i]) >= 0) {
        ++num_accepted;
      } else if (tree.first_child(walk.path[i]) >= 0) {
        ++num_refused;
      }
    }
    held_.insert(held_.end(), walk.tokens.begin(), walk.tokens.end());
  }
  void Rollback(size_t num_tokens) override {
    is_drafted_ = false;
    deadlines_left_ = -1;
    size_at_stop_ = 0;
    held_.resize(std::min(held_.size(), num_tokens));
  }
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override {
    EXPECT_FALSE(is_drafted_);
    auto fork = std::make_unique<KnowingDrafter>(tokenizer_, text_);
    fork->num_guesses = num_guesses;
    fork->num_deadlines = num_deadlines;
    fork->lies_every = lies_every;
    fork->held_ = held_;
    return fork;
  }

 private:
  void Guess(const DraftRequest& request, int32_t max_nodes, TokenTree* tree) {
    std::string read;
    for (const Token token : held_)
      read += tokenizer_.TokenBytes(token, /*show_special=*/false);
    const size_t begin = text_.find(read);
    ASSERT_NE(begin, std::string::npos) << "another text";
    std::vector<Token> next;
    ASSERT_TRUE(
        tokenizer_
            .TokenizeContinuation(text_.substr(begin + read.size()), &next)
            .ok());
    if (end >= 0) next.push_back(end);
    int32_t node = 0;
    for (const Token token : next) {
      if (tree->size() >= max_nodes ||
          tree->depth(node) >= request.budget.max_depth)
        break;
      const Token other = (token + 17) % 200 + 5;
      if (guesses_others) tree->AddNode(node, other, tree->score(node) * 0.05f);
      const bool lies = lies_every > 0 && ++num_guessed_ % lies_every == 0;
      node =
          tree->AddNode(node, lies ? other : token, tree->score(node) * 0.9f);
    }
  }

  const Tokenizer& tokenizer_;
  const std::string text_;
  std::vector<Token> held_;
  bool is_drafted_ = false;
  int deadlines_left_ = -1;
  int32_t size_at_stop_ = 0;  // of the tree, at a deadline
  int num_guessed_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPECULATE_KNOWING_DRAFTER_H_
