// Guesses along a text that the host expects: a document to be edited, an
// earlier answer, a transcript's last window.
#ifndef SPECINFER_SRC_SPECULATE_EXPECTED_DRAFTER_H_
#define SPECINFER_SRC_SPECULATE_EXPECTED_DRAFTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speculate/drafter.h"
#include "src/speculate/guess_log.h"
#include "src/speculate/hit_rate.h"

namespace specinfer {

// A cursor in the expected tokens moves with the text. Where the two part, it
// looks for the place that the text's end is at now, so that an answer may
// insert, drop and replace tokens.
class ExpectedDrafter final : public Drafter {
 public:
  // `memory` must outlive it and its forks.
  ExpectedDrafter(Memory& memory, int32_t vocabulary_size);

  // What is expected from the next Draft on, in place of what was before; empty
  // for nothing.
  // Errors: INVALID_ARGUMENT (a token of no vocabulary), RESOURCE_EXHAUSTED;
  // what was expected before is then still expected.
  absl::Status SetExpected(absl::Span<const Token> tokens);

  std::string_view name() const override { return "expected"; }
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override;
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const WalkFeatures& features) override;
  void Rollback(size_t num_tokens) override;
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override;

 private:
  // Never changes: shared by forks.
  struct Expected {
    Block block;
    absl::Span<const Token> tokens;
  };
  // Why a token is guessed. From kFollows on by the number of tokens that led
  // there: 1, 2-3, 4-7, 8-15, 16 and more.
  enum Cell : int32_t { kReplaced, kInserted, kFollows, kNumCells = 7 };

  absl::Span<const Token> expected() const {
    return expected_ == nullptr ? absl::Span<const Token>() : expected_->tokens;
  }
  // Moves the cursor over what the text has gained since the last call.
  void Follow(absl::Span<const Token> text);
  // Puts the cursor where the text's end is, if it is found.
  void Realign(absl::Span<const Token> text);
  // How many of the last tokens of `text` stand before `place`, up to the most
  // that Realign tells apart.
  size_t ContextLength(absl::Span<const Token> text, size_t place) const;
  // Adds a chain of guesses from `place` on. `first` is the cell of the first;
  // `num_followed` tokens led there.
  void DraftChain(const DraftRequest& request, size_t place, Cell first,
                  size_t num_followed, TokenTree* tree);
  static Cell CellOf(size_t num_followed);

  Memory& memory_;
  const int32_t vocabulary_size_;
  std::shared_ptr<const Expected> expected_;
  bool has_started_ = false;  // a Draft has set `start_`
  size_t start_ = 0;          // of what is expected, in the text
  size_t text_size_ = 0;      // how much of the text has been followed
  size_t cursor_ = 0;         // in expected(): the next token, if it is aligned
  size_t anchor_ = 0;  // the last place that was sure: searches start there
  size_t num_followed_ = 0;  // tokens in agreement up to the cursor
  size_t num_strayed_ = 0;   // tokens since the two parted; 0: aligned
  std::array<HitRate, kNumCells> rates_;
  GuessLog log_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_EXPECTED_DRAFTER_H_
