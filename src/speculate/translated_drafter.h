// A drafter of another vocabulary, through text.
#ifndef SPECINFER_SRC_SPECULATE_TRANSLATED_DRAFTER_H_
#define SPECINFER_SRC_SPECULATE_TRANSLATED_DRAFTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speculate/acceptance.h"
#include "src/speculate/drafter.h"
#include "src/speculate/translated_text.h"
#include "src/text/tokenizer.h"

namespace specinfer {

struct TranslatedDrafterOptions {
  int32_t max_nodes = 64;  // of a round's tree, in either vocabulary
  int32_t max_context_tokens = 4096;
};

// Keeps the text in the draft's tokens too, lets a drafter of that vocabulary
// guess a tree behind it, and offers what the bytes of the tree's paths are in
// the target's tokens. Like universal assisted generation (Hugging Face, 2024),
// with trees, and with words encoded whole on both sides of a seam.
//
// It goes on from what other drafters have guessed before it in the target's
// tree.
//
// Tokens differ, so noise cannot be shared: the drafter guesses without. What
// became of its guesses it is told in its own tokens once the text has gone on,
// at the next draft.
//
// A node's score is its parent's times what the draft gives to the bytes
// between, calibrated. The last token of a path, which longer guesses might
// change, is calibrated apart: it is offered as far as that is worth a row. A
// character that is not whole is not offered, and nothing after a control
// token.
class TranslatedDrafter : public Drafter {
 public:
  // `drafter` guesses in tokens of `draft`. The tokenizers and the memory must
  // outlive this.
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<TranslatedDrafter>> Create(
      std::unique_ptr<Drafter> drafter, const Tokenizer& draft,
      const Tokenizer& target, Memory& memory,
      const TranslatedDrafterOptions& options);

  std::string_view name() const override { return drafter_->name(); }
  absl::Status Prefill(absl::Span<const Token> text,
                       const PassControl& control) override;
  double PredictJoining(size_t num_tokens) const override {
    return drafter_->PredictJoining(text_.PredictSize(num_tokens));
  }
  double joining_seconds() const override {
    return drafter_->joining_seconds();
  }
  double step_seconds() const override { return drafter_->step_seconds(); }
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override;
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const WalkFeatures& features) override;
  void Rollback(size_t num_tokens) override;
  bool GiveBackMemory() override { return drafter_->GiveBackMemory(); }
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override;

 private:
  // A node that this drafter added to the tree.
  struct Guess {
    int32_t node;
    float confidence;  // given its parent
    bool is_last;      // of its path
  };

  TranslatedDrafter(std::unique_ptr<Drafter> drafter, const Tokenizer& draft,
                    const Tokenizer& target, TranslatedText text,
                    const TranslatedDrafterOptions& options);

  absl::Status Follow(absl::Span<const Token> text);
  bool MakeWalk(absl::Span<const Token> added);
  bool IsOpen(int32_t draft_node, Token last) const;

  TreeBudget DraftBudget(const TreeBudget& budget) const;
  absl::Status SeedDraft(const DraftRequest& request, const TokenTree& tree);
  absl::Status OfferDraft(const DraftRequest& request, TokenTree* tree);
  absl::Status OfferPath(const DraftRequest& request, int32_t leaf,
                         TokenTree* tree);
  size_t NumUnfinished(absl::Span<const Token> text);
  Token GatherPath(int32_t leaf);
  absl::StatusOr<size_t> EncodePath(absl::Span<const Token> unfinished,
                                    size_t num_unfinished_bytes);
  int32_t Offer(const DraftRequest& request, int32_t parent, Token token,
                const Guess& guess, TokenTree* tree);

  std::unique_ptr<Drafter> drafter_;
  const Tokenizer& draft_;
  const Tokenizer& target_;
  const TranslatedDrafterOptions options_;
  TranslatedText text_;

  // What was learnt.
  Calibration calibration_;
  Calibration last_calibration_;

  // This round.
  bool is_drafting_ = false;
  bool is_undecided_ = false;  // draft_tree_ awaits what becomes of it
  TokenTree draft_tree_;
  std::vector<int32_t> leaves_;
  std::vector<Guess> guesses_;  // ascending nodes
  Walk draft_walk_;

  // The path that is offered.
  std::vector<int32_t>
      path_;  // nodes of the draft's tree, from the root's child
  std::vector<size_t> ends_;  // [path]: where its bytes end in bytes_
  std::string bytes_;         // of unfinished tokens of the text, then the path
  std::vector<Token> encoded_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_TRANSLATED_DRAFTER_H_
