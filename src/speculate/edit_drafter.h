// Guesses that an earlier part of the text is written again with small changes:
// code that is edited, a document that is revised.
#ifndef SPECINFER_SRC_SPECULATE_EDIT_DRAFTER_H_
#define SPECINFER_SRC_SPECULATE_EDIT_DRAFTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/speculate/drafter.h"
#include "src/speculate/guess_log.h"
#include "src/speculate/hit_rate.h"

namespace specinfer {

// A cursor in what was there before the answer (the source) moves with the
// answer. Where the two part it remembers the place: the answer may go on
// behind the next few tokens of the source. Once it has, the tokens that were
// replaced and those that replaced them are a substitution, which is guessed
// wherever the source has the same tokens again: a name that is changed once is
// changed everywhere.
class EditDrafter final : public Drafter {
 public:
  EditDrafter();

  std::string_view name() const override { return "edit"; }
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override;
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const WalkFeatures& features) override;
  void Rollback(size_t num_tokens) override;
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override;

 private:
  static constexpr size_t kMaxReplaced = 6;
  static constexpr size_t kMaxReplacement = 8;
  static constexpr size_t kMaxSubstitutions = 32;
  static constexpr size_t kMaxResumes = 5;

  struct Substitution {
    std::array<Token, kMaxReplaced> source;
    std::array<Token, kMaxReplacement> target;
    size_t num_source = 0;
    size_t num_target = 0;
  };
  // Why a token is guessed; kResume + j: j source tokens were left out.
  // kFollows + b: by the number of tokens in agreement, in powers of two.
  enum Cell : int32_t {
    kSubstitute,
    kInside,   // a substitution that has begun in this guess
    kFinish,   // a substitution that has begun in the text
    kLiteral,  // where a substitution is known
    kResume,
    kFollows = kResume + static_cast<int32_t>(kMaxResumes),
    kNumCells = kFollows + 5
  };

  // Brings the cursor in step with the text, whatever became of it.
  void Follow(absl::Span<const Token> text);
  void Step(absl::Span<const Token> text, size_t place);
  // Looks for the place where the answer goes on after a change.
  void Realign(absl::Span<const Token> text, size_t end);
  // Looks for any place of the source that ends as the text does.
  void Acquire(absl::Span<const Token> text);
  void Learn(absl::Span<const Token> text, size_t num_source,
             size_t num_target);
  // The latest that replaces the source at `place`, and has begun with the
  // `num_begun` tokens from `begun` on; null: none.
  const Substitution* Find(absl::Span<const Token> text, size_t place,
                           size_t begun, size_t num_begun) const;

  // Each adds guesses below `node`, which stands at `place` of the source.
  void GrowAlong(const DraftRequest& request, int32_t node, size_t place,
                 size_t num_followed, double score, TokenTree* tree);
  void GrowSubstitution(const DraftRequest& request, int32_t node, size_t place,
                        const Substitution& substitution, size_t num_begun,
                        double score, TokenTree* tree);
  // Adds one guess and gives its node, or -1. Multiplies its rate into *score.
  int32_t Add(const DraftRequest& request, int32_t parent, Token token,
              int32_t cell, double* score, TokenTree* tree);
  static int32_t CellOf(size_t num_followed);

  bool has_started_ = false;  // a Draft has set what is source
  size_t source_size_ = 0;    // the text before the answer
  size_t text_size_ = 0;      // how much of the text has been followed
  bool is_aligned_ = false;
  size_t cursor_ = 0;        // in the source: the next token
  size_t num_followed_ = 0;  // tokens in agreement before it
  size_t num_strayed_ = 0;   // tokens of the answer since the two parted
  std::vector<Substitution> substitutions_;  // the latest last
  std::array<HitRate, kNumCells> rates_;
  GuessLog log_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_EDIT_DRAFTER_H_
