// Best-first growth: the one routine that shapes trees, whatever scores them.
#ifndef SPECINFER_SRC_SPECULATE_TREE_GROWER_H_
#define SPECINFER_SRC_SPECULATE_TREE_GROWER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "src/speculate/token_tree.h"
#include "src/speculate/tree_budget.h"

namespace specinfer {

// Takes the most probable of the children on offer, from all nodes at once.
// Where a child scores no more than its parent and siblings are offered in
// falling order, the n nodes it takes are the best tree of n nodes: Sequoia's
// with positional scores, SpecExec's with the product of the draft's
// probabilities (Chen et al. 2024; Svirschevski et al. 2024). Equal scores: the
// shallower child first, then the one offered earlier.
//
// Belongs to one drafter; not thread-safe; allocates in its constructor only.
class TreeGrower {
 public:
  // A tree never takes more candidates than it has nodes, so `max_candidates`
  // of that size lose nothing unless limits refuse some. REQUIRES: > 0.
  explicit TreeGrower(int32_t max_candidates);

  // Forgets all candidates: a new round.
  void Begin();

  // Puts forward a child of the tree's node `parent`. `score`: the predicted
  // probability that the text passes through it. A score that is not above
  // zero is ignored; when full, the lowest score goes, of equal ones the last.
  void Offer(int32_t parent, Token token, float score, DraftSource source);

  // Adds the best candidates to `tree` while they are worth it, at most
  // `max_added`, and returns how many: they are its last nodes. Takes
  // candidates off that are beyond the limits of depth or children, or already
  // in the tree (whose score becomes the greater one). The others stay for the
  // next call.
  int32_t Grow(const TreeBudget& budget, TokenTree* tree, int32_t max_added);

  int32_t num_candidates() const {
    return static_cast<int32_t>(candidates_.size());
  }

 private:
  struct Candidate {
    float score;
    int32_t parent;
    Token token;
    DraftSource source;
  };

  Candidate TakeBest(const TokenTree& tree);

  const size_t max_candidates_;
  // Ascending score; of equal ones, the first offered is last. A few hundred:
  // moving them costs less than a heap with two ends.
  std::vector<Candidate> candidates_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_TREE_GROWER_H_
