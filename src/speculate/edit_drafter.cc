#include "src/speculate/edit_drafter.h"

#include <algorithm>
#include <bit>

#include "src/speculate/add_node.h"

namespace specinfer {
namespace {

// Tokens in agreement that make an alignment, and that end a change.
constexpr size_t kAcquireMatch = 4;
constexpr size_t kRealignMatch = 2;
constexpr size_t kLongestMatch = 16;
// A change of more tokens is no small one: the alignment is lost.
constexpr size_t kMaxStray = 12;
constexpr size_t kMaxSkip = 10;
// Places of the source that are looked at: some ten microseconds.
constexpr size_t kMaxDistance = 8192;
// Agreement before a change that makes it likely that the source goes on.
constexpr size_t kSureMatch = 6;
constexpr int32_t kMaxDepth = 64;
constexpr size_t kMaxGuesses = 1024;

constexpr float kPriors[] = {
    0.6f,  0.95f, 0.85f, 0.3f,          // substitutions
    0.03f, 0.15f, 0.06f, 0.04f, 0.02f,  // resuming
    0.3f,  0.4f,  0.6f,  0.85f, 0.95f,  // following
};
constexpr float kPriorVisits = 8.0f;

}  // namespace

EditDrafter::EditDrafter() : log_(kMaxGuesses) {
  static_assert(std::size(kPriors) == kNumCells);
  substitutions_.reserve(kMaxSubstitutions);
}

absl::StatusOr<std::unique_ptr<Drafter>> EditDrafter::Fork() {
  auto fork = std::make_unique<EditDrafter>();
  fork->has_started_ = has_started_;
  fork->source_size_ = source_size_;
  fork->text_size_ = text_size_;
  fork->is_aligned_ = is_aligned_;
  fork->cursor_ = cursor_;
  fork->num_followed_ = num_followed_;
  fork->num_strayed_ = num_strayed_;
  fork->substitutions_.assign(substitutions_.begin(), substitutions_.end());
  fork->rates_ = rates_;
  return fork;
}

// ---- Following the text -----------------------------------------------------

void EditDrafter::Rollback(size_t num_tokens) {
  log_.Clear();
  if (!has_started_ || num_tokens >= text_size_) return;
  text_size_ = num_tokens;
  is_aligned_ = false;
  if (num_tokens > source_size_) return;
  has_started_ = false;
  substitutions_.clear();
}

void EditDrafter::Follow(absl::Span<const Token> text) {
  Rollback(text.size());
  if (!has_started_) {
    has_started_ = true;
    source_size_ = text_size_ = text.size();
    is_aligned_ = false;
  }
  for (; text_size_ < text.size(); ++text_size_) Step(text, text_size_);
  if (!is_aligned_) Acquire(text);
}

void EditDrafter::Step(absl::Span<const Token> text, size_t place) {
  if (!is_aligned_) return;
  if (num_strayed_ == 0 && cursor_ < source_size_ &&
      text[cursor_] == text[place]) {
    ++cursor_;
    ++num_followed_;
    return;
  }
  ++num_strayed_;
  const size_t begun = place + 1 - num_strayed_;
  const Substitution* known = Find(text, cursor_, begun, num_strayed_);
  if (known != nullptr && known->num_target == num_strayed_) {
    cursor_ += known->num_source;
    num_strayed_ = 0;
    return;
  }
  Realign(text, place + 1);
  if (num_strayed_ > kMaxStray) is_aligned_ = false;
}

// The most tokens in agreement, then the fewest left out.
void EditDrafter::Realign(absl::Span<const Token> text, size_t end) {
  size_t best_length = kRealignMatch - 1;
  size_t best_place = 0;
  const size_t last = std::min(source_size_, cursor_ + kMaxSkip);
  for (size_t place = cursor_ + 1; place <= last; ++place) {
    const size_t limit = std::min(num_strayed_, place - cursor_);
    size_t length = 0;
    while (length < limit && text[place - 1 - length] == text[end - 1 - length])
      ++length;
    if (length <= best_length) continue;
    best_length = length;
    best_place = place;
  }
  if (best_length < kRealignMatch) return;
  Learn(text.first(end), best_place - best_length - cursor_,
        num_strayed_ - best_length);
  cursor_ = best_place;
  num_followed_ = std::max(num_followed_, best_length);
  num_strayed_ = 0;
}

// The answer has gone on for as many tokens as are in agreement since.
void EditDrafter::Learn(absl::Span<const Token> text, size_t num_source,
                        size_t num_target) {
  if (num_source == 0 || num_source > kMaxReplaced || num_target == 0 ||
      num_target > kMaxReplacement)
    return;
  Substitution learnt;
  learnt.num_source = num_source;
  learnt.num_target = num_target;
  const size_t begun = text.size() - num_strayed_;
  std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(cursor_), num_source,
              learnt.source.begin());
  std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(begun), num_target,
              learnt.target.begin());
  if (substitutions_.size() == kMaxSubstitutions)
    substitutions_.erase(substitutions_.begin());
  substitutions_.push_back(learnt);
}

// The longest match, then the nearest behind where the cursor was.
void EditDrafter::Acquire(absl::Span<const Token> text) {
  num_strayed_ = 0;
  size_t best_length = kAcquireMatch - 1;
  size_t best_place = 0;
  const size_t before = cursor_ < source_size_ ? cursor_ : 0;
  const size_t first = source_size_ - std::min(source_size_, kMaxDistance);
  for (size_t step = 0; step < source_size_ - first; ++step) {
    size_t place = std::max(before, first) + 1 + step;
    if (place > source_size_) place -= source_size_ - first;
    const size_t limit = std::min(place, kLongestMatch);
    size_t length = 0;
    while (length < limit &&
           text[place - 1 - length] == text[text.size() - 1 - length])
      ++length;
    // The end of the source is the end of the text itself.
    if (length <= best_length || place == text.size()) continue;
    best_length = length;
    best_place = place;
  }
  if (best_length < kAcquireMatch) return;
  is_aligned_ = true;
  cursor_ = best_place;
  num_followed_ = best_length;
}

const EditDrafter::Substitution* EditDrafter::Find(absl::Span<const Token> text,
                                                   size_t place, size_t begun,
                                                   size_t num_begun) const {
  for (size_t i = substitutions_.size(); i > 0; --i) {
    const Substitution& known = substitutions_[i - 1];
    if (place + known.num_source <= source_size_ &&
        num_begun <= known.num_target &&
        std::equal(known.source.begin(),
                   known.source.begin() +
                       static_cast<std::ptrdiff_t>(known.num_source),
                   text.begin() + static_cast<std::ptrdiff_t>(place)) &&
        std::equal(
            known.target.begin(),
            known.target.begin() + static_cast<std::ptrdiff_t>(num_begun),
            text.begin() + static_cast<std::ptrdiff_t>(begun)))
      return &known;
  }
  return nullptr;
}

// ---- Guessing ---------------------------------------------------------------

absl::Status EditDrafter::Draft(const DraftRequest& request, TokenTree* tree) {
  log_.Clear();
  Follow(request.text);
  if (!is_aligned_) return absl::OkStatus();
  if (num_strayed_ == 0) {
    GrowAlong(request, 0, cursor_, num_followed_, 1.0, tree);
    return absl::OkStatus();
  }
  const Substitution* known = Find(
      request.text, cursor_, request.text.size() - num_strayed_, num_strayed_);
  if (known != nullptr)
    GrowSubstitution(request, 0, cursor_, *known, num_strayed_, 1.0, tree);
  if (num_followed_ < kSureMatch) return absl::OkStatus();
  constexpr size_t kOrder[kMaxResumes] = {1, 2, 3, 4, 0};
  for (const size_t skipped : kOrder) {
    const size_t place = cursor_ + skipped;
    if (place >= source_size_) continue;
    double score = 1.0;
    const int32_t node =
        Add(request, 0, request.text[place],
            kResume + static_cast<int32_t>(skipped), &score, tree);
    if (node > 0)
      GrowAlong(request, node, place + 1, num_followed_, score, tree);
  }
  return absl::OkStatus();
}

int32_t EditDrafter::CellOf(size_t num_followed) {
  return kFollows +
         std::clamp(static_cast<int32_t>(std::bit_width(num_followed)) - 1, 0,
                    4);
}

int32_t EditDrafter::Add(const DraftRequest& request, int32_t parent,
                         Token token, int32_t cell, double* score,
                         TokenTree* tree) {
  const int32_t depth = tree->depth(parent) + 1;
  if (depth > kMaxDepth || log_.size() >= kMaxGuesses) return -1;
  log_.Add(*tree, parent, token, cell);
  if (depth > request.budget.max_depth) return -1;
  const size_t index = static_cast<size_t>(cell);
  *score *= rates_[index].Mean(kPriors[index], kPriorVisits);
  return AddNodeIfWorth(request, parent, token, *score, tree);
}

void EditDrafter::GrowAlong(const DraftRequest& request, int32_t node,
                            size_t place, size_t num_followed, double score,
                            TokenTree* tree) {
  const absl::Span<const Token> text = request.text;
  for (; place < source_size_; ++place, ++num_followed) {
    const Substitution* known = Find(text, place, 0, 0);
    if (known != nullptr) {
      double literal = score;
      Add(request, node, text[place], kLiteral, &literal, tree);
      GrowSubstitution(request, node, place, *known, 0, score, tree);
      return;
    }
    node = Add(request, node, text[place], CellOf(num_followed), &score, tree);
    if (node < 0) return;
  }
}

void EditDrafter::GrowSubstitution(const DraftRequest& request, int32_t node,
                                   size_t place,
                                   const Substitution& substitution,
                                   size_t num_begun, double score,
                                   TokenTree* tree) {
  for (size_t i = num_begun; i < substitution.num_target; ++i) {
    const Cell cell = i > num_begun ? kInside : i > 0 ? kFinish : kSubstitute;
    node = Add(request, node, substitution.target[i], cell, &score, tree);
    if (node < 0) return;
  }
  GrowAlong(request, node, place + substitution.num_source, num_followed_,
            score, tree);
}

void EditDrafter::Accept(absl::Span<const Token>, const TokenTree& tree,
                         const Walk& walk, const WalkFeatures&) {
  log_.Settle(tree, walk, [this](int32_t cell, bool is_hit) {
    rates_[static_cast<size_t>(cell)].Record(is_hit);
  });
}

}  // namespace specinfer
