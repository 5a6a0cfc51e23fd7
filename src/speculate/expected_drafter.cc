#include "src/speculate/expected_drafter.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/speculate/add_node.h"

namespace specinfer {
namespace {

// The host's word counts as much as this many tokens in agreement.
constexpr size_t kTrustedAtFirst = 8;
// Contexts that realign. One token alone is found nearly anywhere.
constexpr size_t kMinContext = 2;
constexpr size_t kMaxContext = 8;
// Places looked at on either side of the cursor: some microseconds.
constexpr size_t kMaxDistance = 8192;
constexpr int32_t kMaxDepth = 256;
constexpr size_t kMaxGuesses = 2 * kMaxDepth;
// By cell.
constexpr float kPriors[] = {0.3f, 0.2f, 0.6f, 0.7f, 0.85f, 0.9f, 0.95f};
constexpr float kPriorVisits = 20.0f;

}  // namespace

ExpectedDrafter::ExpectedDrafter(Memory& memory, int32_t vocabulary_size)
    : memory_(memory), vocabulary_size_(vocabulary_size), log_(kMaxGuesses) {}

absl::Status ExpectedDrafter::SetExpected(absl::Span<const Token> tokens) {
  for (const Token token : tokens) {
    if (token < 0 || token >= vocabulary_size_) {
      return absl::InvalidArgumentError(Cat("expected token ", token,
                                            " is not of the vocabulary of ",
                                            vocabulary_size_));
    }
  }
  std::shared_ptr<Expected> expected;
  if (!tokens.empty()) {
    expected = std::make_shared<Expected>();
    SPECINFER_ASSIGN_OR_RETURN(
        expected->block,
        memory_.Allocate(tokens.size() * sizeof(Token), "expected tokens"));
    std::memcpy(expected->block.data(), tokens.data(),
                tokens.size() * sizeof(Token));
    expected->tokens = {reinterpret_cast<const Token*>(expected->block.data()),
                        tokens.size()};
  }
  expected_ = std::move(expected);
  has_started_ = false;
  log_.Clear();
  return absl::OkStatus();
}

void ExpectedDrafter::Follow(absl::Span<const Token> text) {
  Rollback(text.size());
  if (!has_started_) {
    has_started_ = true;
    start_ = text_size_ = text.size();
    cursor_ = anchor_ = num_strayed_ = 0;
    num_followed_ = kTrustedAtFirst;
  }
  for (; text_size_ < text.size(); ++text_size_) {
    if (num_strayed_ == 0 && cursor_ < expected().size() &&
        expected()[cursor_] == text[text_size_]) {
      ++cursor_;
      if (++num_followed_ >= kMaxContext) anchor_ = cursor_;
    } else {
      ++num_strayed_;
    }
  }
  if (num_strayed_ > 0) Realign(text);
}

size_t ExpectedDrafter::ContextLength(absl::Span<const Token> text,
                                      size_t place) const {
  const size_t limit = std::min({place, text.size(), kMaxContext});
  size_t length = 0;
  while (length < limit &&
         expected()[place - 1 - length] == text[text.size() - 1 - length]) {
    ++length;
  }
  return length;
}

// The longest context wins, then a place at or after the anchor, then the
// nearest.
void ExpectedDrafter::Realign(absl::Span<const Token> text) {
  const size_t num_places = expected().size() + 1;
  const size_t end = std::min(num_places, anchor_ + kMaxDistance);
  size_t best_length = kMinContext - 1;
  size_t best_place = 0;
  const auto consider = [&](size_t place) {
    const size_t length = ContextLength(text, place);
    if (length <= best_length) return;
    best_length = length;
    best_place = place;
  };
  for (size_t place = anchor_; place < end && best_length < kMaxContext;
       ++place) {
    consider(place);
  }
  const size_t first = anchor_ - std::min(anchor_, kMaxDistance);
  for (size_t place = anchor_; place > first && best_length < kMaxContext;
       --place) {
    consider(place - 1);
  }
  if (best_length < kMinContext) return;
  cursor_ = best_place;
  num_followed_ = best_length;
  num_strayed_ = 0;
}

ExpectedDrafter::Cell ExpectedDrafter::CellOf(size_t num_followed) {
  const int32_t bucket = static_cast<int32_t>(std::bit_width(num_followed));
  return static_cast<Cell>(
      std::clamp(kFollows + bucket - 1, int32_t{kFollows}, kNumCells - 1));
}

void ExpectedDrafter::DraftChain(const DraftRequest& request, size_t place,
                                 Cell first, size_t num_followed,
                                 TokenTree* tree) {
  const int32_t max_depth = std::min(request.budget.max_depth, kMaxDepth);
  double score = 1.0;
  int32_t node = 0;
  for (int32_t depth = 1; place < expected().size(); ++depth, ++place) {
    const Token token = expected()[place];
    const Cell cell = depth == 1 ? first : CellOf(num_followed);
    if (depth <= kMaxDepth) log_.Add(*tree, node, token, cell);
    if (depth > max_depth) return;
    score *= rates_[cell].Mean(kPriors[cell], kPriorVisits);
    const int32_t child = AddNodeIfWorth(request, node, token, score, tree);
    if (child < 0) return;
    node = child;
    ++num_followed;
  }
}

absl::Status ExpectedDrafter::Draft(const DraftRequest& request,
                                    TokenTree* tree) {
  log_.Clear();
  if (expected_ == nullptr) return absl::OkStatus();
  Follow(request.text);
  if (num_strayed_ == 0) {
    DraftChain(request, cursor_, CellOf(num_followed_), num_followed_, tree);
    return absl::OkStatus();
  }
  // As many tokens were replaced as have been seen; or they were inserted.
  DraftChain(request, cursor_ + num_strayed_, kReplaced, 0, tree);
  DraftChain(request, cursor_, kInserted, 0, tree);
  return absl::OkStatus();
}

void ExpectedDrafter::Accept(absl::Span<const Token>, const TokenTree& tree,
                             const Walk& walk, const WalkFeatures&) {
  log_.Settle(tree, walk, [this](int32_t cell, bool is_hit) {
    rates_[static_cast<size_t>(cell)].Record(is_hit);
  });
}

void ExpectedDrafter::Rollback(size_t num_tokens) {
  log_.Clear();
  if (!has_started_ || num_tokens >= text_size_) return;
  size_t num_removed = text_size_ - num_tokens;
  text_size_ = num_tokens;
  if (num_tokens <= start_) {
    has_started_ = false;  // the answer begins anew
    return;
  }
  // First what strayed is gone, then what the cursor had followed.
  const size_t num_strayed = std::min(num_strayed_, num_removed);
  num_strayed_ -= num_strayed;
  num_removed -= num_strayed;
  // Where a cursor was before it was put to its place is not known.
  if (num_removed > std::min(num_followed_, cursor_)) num_strayed_ = 1;
  cursor_ -= std::min(cursor_, num_removed);
  num_followed_ -= std::min(num_followed_, num_removed);
  anchor_ = std::min(anchor_, cursor_);
}

absl::StatusOr<std::unique_ptr<Drafter>> ExpectedDrafter::Fork() {
  auto fork = std::make_unique<ExpectedDrafter>(memory_, vocabulary_size_);
  fork->expected_ = expected_;
  fork->has_started_ = has_started_;
  fork->start_ = start_;
  fork->text_size_ = text_size_;
  fork->cursor_ = cursor_;
  fork->anchor_ = anchor_;
  fork->num_followed_ = num_followed_;
  fork->num_strayed_ = num_strayed_;
  fork->rates_ = rates_;
  return fork;
}

}  // namespace specinfer
