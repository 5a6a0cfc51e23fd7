#include "src/speculate/ngram_drafter.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

#include "src/base/status_macros.h"
#include "src/speculate/add_node.h"

namespace specinfer {
namespace {

// Of the text; a corpus may add as many. The eighth best match rarely says what
// none before it said.
constexpr size_t kMaxTextMatches = 8;
constexpr size_t kMaxMatches = 2 * kMaxTextMatches;
// A guess that is right 0.98 of the time at each step has 0.3 left here.
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxGuesses = kMaxMatches * kMaxDepth;
static_assert(kMaxMatches <= 32, "a candidate's bits");

}  // namespace

NgramDrafter::NgramDrafter(NgramIndex index,
                           std::shared_ptr<const Corpus> corpus)
    : index_(std::move(index)),
      corpus_(std::move(corpus)),
      log_(kMaxGuesses),
      continuations_(kMaxMatches, kMaxDepth) {
  matches_.reserve(kMaxMatches + 1);
  groups_.reserve(kMaxMatches);
  heap_.reserve(kMaxGuesses);
}

absl::StatusOr<std::unique_ptr<NgramDrafter>> NgramDrafter::Create(
    Memory& memory, int32_t max_tokens, std::shared_ptr<const Corpus> corpus) {
  SPECINFER_ASSIGN_OR_RETURN(NgramIndex index,
                             NgramIndex::Create(memory, max_tokens));
  return std::unique_ptr<NgramDrafter>(
      new NgramDrafter(std::move(index), std::move(corpus)));
}

absl::StatusOr<std::unique_ptr<Drafter>> NgramDrafter::Fork() {
  SPECINFER_ASSIGN_OR_RETURN(NgramIndex index, index_.Clone());
  std::unique_ptr<NgramDrafter> fork(
      new NgramDrafter(std::move(index), corpus_));
  fork->rates_ = rates_;
  return fork;
}

void NgramDrafter::Follow(absl::Span<const Token> text) {
  index_.Truncate(text.size());
  const auto known = index_.tokens();
  const size_t num_compared =
      std::min(known.size(), size_t{NgramIndex::kMaxMatch});
  const size_t start = known.size() - num_compared;
  if (known.subspan(start) != text.subspan(start, num_compared)) {
    const auto [at, unused] =
        std::mismatch(known.begin(), known.end(), text.begin());
    index_.Truncate(static_cast<size_t>(at - known.begin()));
  }
  index_.Append(text.subspan(index_.size()));
}

absl::Status NgramDrafter::Prefill(absl::Span<const Token> text,
                                   const PassControl&) {
  Follow(text);
  return absl::OkStatus();
}

void NgramDrafter::FindContinuations(absl::Span<const Token> text) {
  continuations_.Clear();
  index_.FindMatches(text, kMaxTextMatches, &matches_);
  for (const NgramMatch& match : matches_)
    continuations_.AddOfText(index_, match);
  if (corpus_ != nullptr)
    corpus_->FindContinuations(text, kMaxTextMatches, &matches_,
                               &continuations_);
}

absl::Status NgramDrafter::Draft(const DraftRequest& request, TokenTree* tree) {
  log_.Clear();
  heap_.clear();
  Follow(request.text);
  FindContinuations(request.text);
  if (continuations_.size() == 0) return absl::OkStatus();
  const auto is_worse = [](const Candidate& a, const Candidate& b) {
    return a.score < b.score || (a.score == b.score && a.order > b.order);
  };
  const uint32_t all = ~uint32_t{0} >> (32 - continuations_.size());
  Expand(request, *tree, 0, {1.0, 0, -1, 0, 0, all});
  std::make_heap(heap_.begin(), heap_.end(), is_worse);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), is_worse);
    const Candidate best = heap_.back();
    heap_.pop_back();
    const int32_t node =
        AddNodeIfWorth(request, best.parent, best.token, best.score, tree);
    if (node < 0) continue;
    const size_t num_before = heap_.size();
    Expand(request, *tree, node, best);
    for (size_t end = num_before + 1; end <= heap_.size(); ++end) {
      std::push_heap(heap_.begin(), heap_.begin() + static_cast<ptrdiff_t>(end),
                     is_worse);
    }
  }
  return absl::OkStatus();
}

void NgramDrafter::GroupByToken(uint32_t matches, size_t depth) {
  groups_.clear();
  for (; matches != 0; matches &= matches - 1) {
    const size_t i = static_cast<size_t>(std::countr_zero(matches));
    const auto tokens = continuations_.tokens(i);
    if (depth >= tokens.size()) continue;
    auto group = groups_.begin();
    while (group != groups_.end() && group->token != tokens[depth]) ++group;
    if (group == groups_.end()) {
      groups_.push_back({tokens[depth], 0, i});
      group = groups_.end() - 1;
    }
    group->matches |= uint32_t{1} << i;
  }
}

void NgramDrafter::Expand(const DraftRequest& request, const TokenTree& tree,
                          int32_t node, const Candidate& reached) {
  const int32_t depth = reached.depth + 1;
  if (reached.depth > 0 && depth > request.budget.max_depth) return;
  GroupByToken(reached.matches, static_cast<size_t>(reached.depth));
  double share_left = 1.0;
  for (size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    const auto& match = continuations_.entry(group.first);
    NgramGuess guess = {match.match_length, depth, GuessRank::kLater,
                        match.is_from_corpus};
    if (i == 0) {
      guess.rank = groups_.size() > 1                   ? GuessRank::kDisputed
                   : std::has_single_bit(group.matches) ? GuessRank::kOnly
                                                        : GuessRank::kAgreed;
    } else if (i == 1) {
      guess.rank = GuessRank::kSecond;
    }
    const int32_t cell = NgramRates::CellOf(guess);
    log_.Add(tree, node, group.token, cell);
    // Of siblings one at most is right.
    const double rate = std::min(double{rates_.Mean(cell)}, share_left);
    share_left -= rate;
    if (depth > request.budget.max_depth || rate <= 0.0) continue;
    heap_.push_back({reached.score * rate, log_.size(), node, depth,
                     group.token, group.matches});
  }
}

void NgramDrafter::Accept(absl::Span<const Token>, const TokenTree& tree,
                          const Walk& walk, const WalkFeatures&) {
  log_.Settle(tree, walk, [this](int32_t cell, bool is_hit) {
    rates_.Record(cell, is_hit);
  });
}

void NgramDrafter::Rollback(size_t num_tokens) {
  index_.Truncate(num_tokens);
  log_.Clear();
}

}  // namespace specinfer
