// What a drafter guessed in a round, until the target has said what is right.
#ifndef SPECINFER_SRC_SPECULATE_GUESS_LOG_H_
#define SPECINFER_SRC_SPECULATE_GUESS_LOG_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "src/speculate/token_tree.h"
#include "src/speculate/verifier.h"

namespace specinfer {

// A guess has an outcome where the target chose a token at its parent, whether
// the guess became a node or not. So guesses that were not worth a node are
// learnt from too: a kind of guess that became better is found out, and the
// rates do not depend on the budget.
class GuessLog {
 public:
  explicit GuessLog(size_t max_guesses) { guesses_.reserve(max_guesses); }

  void Clear() { guesses_.clear(); }
  size_t size() const { return guesses_.size(); }

  // `token` may follow node `parent` of `tree`. `cell` says which of the
  // drafter's statistics it belongs to.
  void Add(const TokenTree& tree, int32_t parent, Token token, int32_t cell) {
    guesses_.push_back({tree.id(parent), token, cell});
  }

  // Calls record(cell, is_hit) for each guess that has an outcome, and forgets
  // them all.
  template <typename Record>
  void Settle(const TokenTree& tree, const Walk& walk, Record record) {
    for (const Guess& guess : guesses_) {
      const auto at = std::lower_bound(
          walk.path.begin(), walk.path.end(), guess.parent_id,
          [&](int32_t node, int32_t id) { return tree.id(node) < id; });
      // The tree may have been cut after the guess.
      if (at == walk.path.end() || tree.id(*at) != guess.parent_id) continue;
      const size_t step = static_cast<size_t>(at - walk.path.begin());
      if (step < walk.tokens.size())
        record(guess.cell, walk.tokens[step] == guess.token);
    }
    Clear();
  }

 private:
  struct Guess {
    int32_t parent_id;
    Token token;
    int32_t cell;
  };
  std::vector<Guess> guesses_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_GUESS_LOG_H_
