// Guesses that what followed before follows again: costs next to nothing, and
// is often right where a text repeats itself or another.
#ifndef SPECINFER_SRC_SPECULATE_NGRAM_DRAFTER_H_
#define SPECINFER_SRC_SPECULATE_NGRAM_DRAFTER_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speculate/continuations.h"
#include "src/speculate/corpus.h"
#include "src/speculate/drafter.h"
#include "src/speculate/guess_log.h"
#include "src/speculate/ngram_index.h"
#include "src/speculate/ngram_rates.h"

namespace specinfer {

// The places of the session's text, and of a corpus, that match the text's end
// are merged into one trie, which grows best-first. A node's score is its
// parent's times the learnt rate of guesses like it.
//
// A Draft within a budget of one node adds nothing, yet learns.
class NgramDrafter final : public Drafter {
 public:
  // For texts of up to `max_tokens`: what is beyond is not learnt from.
  // `corpus` may be null. `memory` must outlive it.
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<NgramDrafter>> Create(
      Memory& memory, int32_t max_tokens, std::shared_ptr<const Corpus> corpus);

  // Guesses from this corpus too, from now on; null: from none.
  void SetCorpus(std::shared_ptr<const Corpus> corpus) {
    corpus_ = std::move(corpus);
  }

  std::string_view name() const override { return "ngram"; }
  absl::Status Prefill(absl::Span<const Token> text,
                       const PassControl& control) override;
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override;
  void Accept(absl::Span<const Token> text, const TokenTree& tree,
              const Walk& walk, const WalkFeatures& features) override;
  void Rollback(size_t num_tokens) override;
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override;

 private:
  // A node of the trie that is not in the tree yet.
  struct Candidate {
    double score;
    size_t order;  // of creation: settles ties
    int32_t parent;
    int32_t depth;
    Token token;
    uint32_t matches;  // bits: the continuations that pass through it
  };
  // The continuations that give the same next token.
  struct Group {
    Token token;
    uint32_t matches;
    size_t first;  // the best of them
  };

  NgramDrafter(NgramIndex index, std::shared_ptr<const Corpus> corpus);
  // Brings the index in step with the text, whatever became of it.
  void Follow(absl::Span<const Token> text);
  void FindContinuations(absl::Span<const Token> text);
  // Makes the trie's children of `node` candidates.
  void Expand(const DraftRequest& request, const TokenTree& tree, int32_t node,
              const Candidate& reached);
  void GroupByToken(uint32_t matches, size_t depth);

  NgramIndex index_;
  std::shared_ptr<const Corpus> corpus_;
  NgramRates rates_;
  GuessLog log_;
  Continuations continuations_;
  std::vector<NgramMatch> matches_;
  std::vector<Group> groups_;
  std::vector<Candidate> heap_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_NGRAM_DRAFTER_H_
