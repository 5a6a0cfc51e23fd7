#include "src/speculate/translated_drafter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/status_macros.h"
#include "src/speculate/add_node.h"
#include "src/text/utf8.h"

namespace specinfer {
namespace {

// Paths of a draft that are encoded, the likeliest first.
constexpr size_t kMaxPaths = 32;
// Scratch that is there from the beginning.
constexpr size_t kUsualPathBytes = 1024;
constexpr size_t kUsualPathTokens = 512;
// A character's first bytes are spread over so many tokens at most.
constexpr size_t kMaxUnfinished = 3;

bool ContinuesCharacter(char byte) {
  return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

// Where the character that `bytes` end with begins; npos where it began before.
size_t LastCharacter(std::string_view bytes) {
  for (size_t i = 1; i <= std::min<size_t>(bytes.size(), 4); ++i) {
    if (!ContinuesCharacter(bytes[bytes.size() - i])) return bytes.size() - i;
  }
  return std::string_view::npos;
}

// Bytes at the end of `bytes` that begin a character and do not end it.
size_t NumUnfinishedBytes(std::string_view bytes) {
  const size_t begin = LastCharacter(bytes);
  if (begin == std::string_view::npos) return 0;
  const Utf8Step step = FirstUtf8Step(bytes.substr(begin));
  return step.kind == Utf8Step::Kind::kTruncated ? step.num_bytes : 0;
}

int32_t LikeliestChild(const TokenTree& tree, int32_t node) {
  int32_t best = tree.first_child(node);
  for (int32_t child = best; child >= 0; child = tree.next_sibling(child)) {
    if (tree.score(child) > tree.score(best)) best = child;
  }
  return best;
}

}  // namespace

TranslatedDrafter::TranslatedDrafter(std::unique_ptr<Drafter> drafter,
                                     const Tokenizer& draft,
                                     const Tokenizer& target,
                                     TranslatedText text,
                                     const TranslatedDrafterOptions& options)
    : drafter_(std::move(drafter)),
      draft_(draft),
      target_(target),
      options_(options),
      text_(std::move(text)),
      draft_tree_(options.max_nodes) {
  const size_t max_nodes = static_cast<size_t>(options.max_nodes);
  leaves_.reserve(max_nodes);
  guesses_.reserve(max_nodes);
  path_.reserve(max_nodes);
  ends_.reserve(max_nodes);
  draft_walk_.Reserve(options.max_nodes);
  bytes_.reserve(kUsualPathBytes);
  encoded_.reserve(kUsualPathTokens);
}

absl::StatusOr<std::unique_ptr<TranslatedDrafter>> TranslatedDrafter::Create(
    std::unique_ptr<Drafter> drafter, const Tokenizer& draft,
    const Tokenizer& target, Memory& memory,
    const TranslatedDrafterOptions& options) {
  SPECINFER_ASSIGN_OR_RETURN(
      TranslatedText text, TranslatedText::Create(memory, target, draft,
                                                  options.max_context_tokens));
  return std::unique_ptr<TranslatedDrafter>(new TranslatedDrafter(
      std::move(drafter), draft, target, std::move(text), options));
}

absl::StatusOr<std::unique_ptr<Drafter>> TranslatedDrafter::Fork() {
  if (is_undecided_) drafter_->Rollback(text_.tokens().size());
  is_undecided_ = false;
  SPECINFER_ASSIGN_OR_RETURN(std::unique_ptr<Drafter> drafter,
                             drafter_->Fork());
  SPECINFER_ASSIGN_OR_RETURN(TranslatedText text, text_.Copy());
  std::unique_ptr<TranslatedDrafter> fork(new TranslatedDrafter(
      std::move(drafter), draft_, target_, std::move(text), options_));
  fork->calibration_ = calibration_;
  fork->last_calibration_ = last_calibration_;
  return fork;
}

// ---- Following the text -----------------------------------------------------

absl::Status TranslatedDrafter::Prefill(absl::Span<const Token> text,
                                        const PassControl& control) {
  SPECINFER_RETURN_IF_ERROR(Follow(text));
  if (text_.tokens().empty()) return absl::OkStatus();
  return drafter_->Prefill(text_.tokens(), control);
}

// Tells the drafter what became of its guesses, if they still stand behind the
// same tokens.
absl::Status TranslatedDrafter::Follow(absl::Span<const Token> text) {
  const size_t num_before = text_.tokens().size();
  SPECINFER_ASSIGN_OR_RETURN(const size_t num_kept, text_.Follow(text));
  const absl::Span<const Token> tokens = text_.tokens();
  if (is_undecided_ && num_kept == num_before &&
      MakeWalk(tokens.subspan(num_before))) {
    drafter_->Accept(tokens.first(num_before), draft_tree_, draft_walk_, {});
  } else if (is_undecided_ || num_kept < num_before) {
    drafter_->Rollback(num_kept);
  }
  is_undecided_ = false;
  return absl::OkStatus();
}

// The walk through the draft's tree that `added` takes. False: it tells
// nothing.
bool TranslatedDrafter::MakeWalk(absl::Span<const Token> added) {
  draft_walk_.path.clear();
  draft_walk_.tokens.clear();
  draft_walk_.nodes.clear();
  int32_t node = 0;
  for (size_t i = 0; i < added.size(); ++i) {
    const int32_t child = draft_tree_.FindChild(node, added[i]);
    // The text goes on, and may make another token of its end.
    if (child < 0 && i + 1 == added.size() && IsOpen(node, added[i])) break;
    draft_walk_.path.push_back(node);
    draft_walk_.tokens.push_back(added[i]);
    draft_walk_.nodes.push_back(node);
    if (child < 0) break;
    node = child;
  }
  return !draft_walk_.tokens.empty();
}

// Whether `last` may yet become what was guessed.
bool TranslatedDrafter::IsOpen(int32_t draft_node, Token last) const {
  const std::string_view bytes =
      draft_.TokenBytes(last, /*show_special=*/false);
  for (int32_t child = draft_tree_.first_child(draft_node); child >= 0;
       child = draft_tree_.next_sibling(child)) {
    if (draft_.TokenBytes(draft_tree_.token(child), /*show_special=*/false)
            .substr(0, bytes.size()) == bytes)
      return true;
  }
  return false;
}

void TranslatedDrafter::Rollback(size_t num_tokens) {
  is_drafting_ = false;
  is_undecided_ = false;
  guesses_.clear();
  text_.Rollback(num_tokens);
  drafter_->Rollback(text_.tokens().size());
}

// ---- Drafting ---------------------------------------------------------------

absl::Status TranslatedDrafter::Draft(const DraftRequest& request,
                                      TokenTree* tree) {
  if (!is_drafting_) {
    guesses_.clear();
    SPECINFER_RETURN_IF_ERROR(Follow(request.text));
    if (text_.tokens().empty() || request.budget.max_depth <= 0)
      return absl::OkStatus();
    draft_tree_.Reset(text_.tokens().back());
    SPECINFER_RETURN_IF_ERROR(SeedDraft(request, *tree));
    is_drafting_ = true;
  }
  const absl::Status status =
      drafter_->Draft({.text = text_.tokens(),
                       .budget = DraftBudget(request.budget),
                       .is_forced = request.is_forced,
                       .control = request.control},
                      &draft_tree_);
  if (absl::IsDeadlineExceeded(status)) return status;
  is_drafting_ = false;
  SPECINFER_RETURN_IF_ERROR(status);
  is_undecided_ = true;
  return OfferDraft(request, tree);
}

// Rows are the target's in both; only depth counts tokens of the draft's.
TreeBudget TranslatedDrafter::DraftBudget(const TreeBudget& budget) const {
  TreeBudget scaled = budget;
  scaled.max_nodes = std::min(budget.max_nodes, options_.max_nodes);
  scaled.max_depth = static_cast<int32_t>(
      std::min<double>(scaled.max_nodes,
                       std::ceil(budget.max_depth * text_.tokens_per_token())));
  return scaled;
}

// The draft goes on from what others have guessed: the likeliest path. Its last
// token might be another with what follows.
absl::Status TranslatedDrafter::SeedDraft(const DraftRequest& request,
                                          const TokenTree& tree) {
  path_.clear();
  ends_.clear();
  bytes_.clear();
  for (int32_t node = LikeliestChild(tree, 0); node >= 0;
       node = LikeliestChild(tree, node)) {
    if (target_.IsControl(tree.token(node))) break;
    bytes_.append(target_.TokenBytes(tree.token(node), /*show_special=*/false));
    path_.push_back(node);
    ends_.push_back(bytes_.size());
  }
  encoded_.clear();
  SPECINFER_RETURN_IF_ERROR(draft_.TokenizeContinuation(bytes_, &encoded_));
  const TreeBudget budget = DraftBudget(request.budget);
  const int32_t num_seeds = std::min({static_cast<int32_t>(encoded_.size()) - 1,
                                      budget.max_depth, budget.max_nodes - 1});
  size_t position = 0;
  size_t covered = 0;  // of path_
  for (int32_t i = 0; i < num_seeds; ++i) {
    const Token token = encoded_[static_cast<size_t>(i)];
    position += draft_.TokenBytes(token, /*show_special=*/false).size();
    while (covered + 1 < ends_.size() && ends_[covered] < position) ++covered;
    draft_tree_.AddNode(/*parent=*/i, token, tree.score(path_[covered]));
  }
  return absl::OkStatus();
}

absl::Status TranslatedDrafter::OfferDraft(const DraftRequest& request,
                                           TokenTree* tree) {
  leaves_.clear();
  for (int32_t node = 1; node < draft_tree_.size(); ++node) {
    if (draft_tree_.first_child(node) < 0) leaves_.push_back(node);
  }
  std::sort(leaves_.begin(), leaves_.end(), [this](int32_t a, int32_t b) {
    const float score_a = draft_tree_.score(a);
    const float score_b = draft_tree_.score(b);
    return score_a != score_b ? score_a > score_b : a < b;
  });
  for (size_t i = 0; i < std::min(leaves_.size(), kMaxPaths); ++i)
    SPECINFER_RETURN_IF_ERROR(OfferPath(request, leaves_[i], tree));
  return absl::OkStatus();
}

absl::Status TranslatedDrafter::OfferPath(const DraftRequest& request,
                                          int32_t leaf, TokenTree* tree) {
  const size_t num_unfinished = NumUnfinished(request.text);
  size_t position = bytes_.size();
  Token control = GatherPath(leaf);
  if (const size_t num_bytes = NumUnfinishedBytes(bytes_); num_bytes > 0) {
    if (bytes_.size() < position + num_bytes) return absl::OkStatus();
    bytes_.resize(bytes_.size() - num_bytes);
    control = -1;
  }
  SPECINFER_ASSIGN_OR_RETURN(
      const size_t first,
      EncodePath(request.text.last(num_unfinished), position));
  int32_t parent = 0;
  float score_before = draft_tree_.score(0);
  size_t covered = 0;  // of path_
  for (size_t i = first; i < encoded_.size() && parent >= 0; ++i) {
    const std::string_view bytes =
        target_.TokenBytes(encoded_[i], /*show_special=*/false);
    // What the target has no tokens for is lost.
    if (bytes.empty() || bytes_.compare(position, bytes.size(), bytes) != 0)
      return absl::OkStatus();
    position += bytes.size();
    while (ends_[covered] < position) ++covered;
    const float score = draft_tree_.score(path_[covered]);
    parent = Offer(request, parent, encoded_[i],
                   {.confidence = std::min(1.0f, score / score_before),
                    .is_last = control < 0 && position == bytes_.size()},
                   tree);
    score_before = score;
  }
  if (control >= 0 && parent >= 0) {
    const float score = draft_tree_.score(path_.back());
    Offer(request, parent, control,
          {.confidence = std::min(1.0f, score / score_before)}, tree);
  }
  return absl::OkStatus();
}

// Puts into bytes_ those of the text's last tokens that hold the beginning of a
// character that is not whole, and returns how many they are.
size_t TranslatedDrafter::NumUnfinished(absl::Span<const Token> text) {
  bytes_.clear();
  for (size_t i = 1; i <= std::min(text.size(), kMaxUnfinished); ++i) {
    const std::string_view bytes =
        target_.TokenBytes(text[text.size() - i], /*show_special=*/false);
    if (bytes.empty()) break;
    bytes_.insert(0, bytes);
    if (LastCharacter(bytes_) == std::string_view::npos) continue;
    if (NumUnfinishedBytes(bytes_) > 0) return i;
    break;
  }
  bytes_.clear();
  return 0;
}

// Appends the bytes of the path to bytes_, up to a control token: returns what
// that is for the target, or -1.
Token TranslatedDrafter::GatherPath(int32_t leaf) {
  path_.clear();
  for (int32_t node = leaf; node > 0; node = draft_tree_.parent(node))
    path_.push_back(node);
  std::reverse(path_.begin(), path_.end());
  ends_.clear();
  for (const int32_t node : path_) {
    const Token token = draft_tree_.token(node);
    bytes_.append(draft_.TokenBytes(token, /*show_special=*/false));
    ends_.push_back(bytes_.size());
    if (!draft_.IsControl(token)) continue;
    path_.resize(ends_.size());
    return TranslateControl(draft_, token, target_);
  }
  return -1;
}

// Encodes bytes_, whose first `num_unfinished_bytes` are those of `unfinished`.
// Returns how many of the tokens are those. Where they would be others, the
// path is encoded alone.
absl::StatusOr<size_t> TranslatedDrafter::EncodePath(
    absl::Span<const Token> unfinished, size_t num_unfinished_bytes) {
  encoded_.clear();
  SPECINFER_RETURN_IF_ERROR(target_.TokenizeContinuation(bytes_, &encoded_));
  if (encoded_.size() >= unfinished.size() &&
      std::equal(unfinished.begin(), unfinished.end(), encoded_.begin()))
    return unfinished.size();
  encoded_.clear();
  SPECINFER_RETURN_IF_ERROR(target_.TokenizeContinuation(
      std::string_view(bytes_).substr(num_unfinished_bytes), &encoded_));
  return 0;
}

int32_t TranslatedDrafter::Offer(const DraftRequest& request, int32_t parent,
                                 Token token, const Guess& guess,
                                 TokenTree* tree) {
  if (tree->depth(parent) >= request.budget.max_depth) return -1;
  const Calibration& calibration =
      guess.is_last ? last_calibration_ : calibration_;
  const int32_t size_before = tree->size();
  const int32_t node = AddNodeIfWorth(
      request, parent, token,
      tree->score(parent) * calibration.Probability(guess.confidence), tree);
  if (tree->size() > size_before)
    guesses_.push_back({node, guess.confidence, guess.is_last});
  return node;
}

// ---- After the round --------------------------------------------------------

void TranslatedDrafter::Accept(absl::Span<const Token>, const TokenTree& tree,
                               const Walk& walk, const WalkFeatures&) {
  for (const Guess& guess : guesses_) {
    const auto is_on_path = [&walk](int32_t node) {
      return std::binary_search(walk.path.begin(), walk.path.end(), node);
    };
    if (!is_on_path(tree.parent(guess.node))) continue;
    (guess.is_last ? last_calibration_ : calibration_)
        .Record(guess.confidence, is_on_path(guess.node));
  }
  guesses_.clear();
}

}  // namespace specinfer
