#include "src/speculate/translated_text.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/status_macros.h"

namespace specinfer {
namespace {

// Tokens of a text without words that are encoded together, or somewhat more
// where no character ends.
constexpr size_t kWordTokens = 32;
constexpr size_t kMaxWordTokens = 48;
// How far a text that was not followed may be from the word it begins with.
constexpr size_t kSearchTokens = 16;
// Scratch that is there from the beginning.
constexpr size_t kUsualTokens = 512;
constexpr size_t kUsualWordBytes = 512;
constexpr size_t kMinTokens = 2 * TranslatedText::kMaxReadBack;

bool IsBlank(char character) {
  return character == ' ' || (character >= '\t' && character <= '\r');
}

bool ContinuesCharacter(char byte) {
  return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

}  // namespace

Token TranslateControl(const Tokenizer& from, Token token,
                       const Tokenizer& to) {
  if (token == from.special_token(SpecialToken::kUnknown)) return -1;
  const Token same =
      to.FindSpecial(from.TokenBytes(token, /*show_special=*/true));
  if (same >= 0 && to.IsControl(same)) return same;
  if (from.IsEndOfGeneration(token)) return to.eos();
  return token == from.bos() ? to.bos() : -1;
}

absl::StatusOr<TranslatedText> TranslatedText::Create(Memory& memory,
                                                      const Tokenizer& from,
                                                      const Tokenizer& to,
                                                      int32_t max_tokens) {
  TranslatedText text(memory, from, to,
                      std::max(static_cast<size_t>(max_tokens), kMinTokens));
  SPECINFER_ASSIGN_OR_RETURN(
      text.block_, memory.Allocate((2 * text.max_tokens_ + 1) * sizeof(Token),
                                   "a text in the draft model's tokens"));
  text.encoded_.reserve(kUsualTokens);
  text.word_.reserve(kUsualWordBytes);
  text.Clear();
  return text;
}

absl::StatusOr<TranslatedText> TranslatedText::Copy() const {
  SPECINFER_ASSIGN_OR_RETURN(
      TranslatedText copy,
      Create(*memory_, *from_, *to_, static_cast<int32_t>(max_tokens_)));
  std::memcpy(copy.block_.data(), block_.data(), block_.size());
  copy.first_ = first_;
  copy.num_followed_ = num_followed_;
  copy.last_boundary_ = last_boundary_;
  copy.size_ = size_;
  return copy;
}

void TranslatedText::Clear() {
  first_ = num_followed_ = last_boundary_ = size_ = 0;
  boundary(0) = 0;
}

double TranslatedText::tokens_per_token() const {
  return num_followed_ > first_
             ? static_cast<double>(size_) /
                   static_cast<double>(num_followed_ - first_)
             : 1.0;
}

size_t TranslatedText::PredictSize(size_t num_tokens) const {
  const size_t num_missing =
      std::min(num_tokens - std::min(num_tokens, num_followed_), kReadBack);
  return size_ + static_cast<size_t>(static_cast<double>(num_missing) *
                                     tokens_per_token());
}

absl::StatusOr<size_t> TranslatedText::Follow(absl::Span<const Token> text) {
  if (size_ > 0 && text.size() - num_followed_ <= kReadBack &&
      text.size() - first_ <= max_tokens_) {
    SPECINFER_RETURN_IF_ERROR(GoOn(text));
    if (base_ + encoded_.size() <= max_tokens_) return Take(text.size());
  }
  Clear();
  const absl::Status status = BeginAnew(text);
  if (!status.ok()) {
    Clear();
    return status;
  }
  Take(text.size());
  return 0;
}

absl::Status TranslatedText::GoOn(absl::Span<const Token> text) {
  encoded_.clear();
  base_ = static_cast<size_t>(boundary(last_boundary_));
  new_boundary_ = last_boundary_;
  return Encode(text);
}

absl::Status TranslatedText::BeginAnew(absl::Span<const Token> text) {
  for (size_t num_read = std::min(text.size(), kReadBack); num_read > 0;
       num_read /= 2) {
    first_ = FirstWord(text, text.size() - num_read);
    encoded_.clear();
    base_ = 0;
    // Models that were taught with it are lost without it.
    if (to_->adds_bos() &&
        TranslateControl(*from_, text[first_], *to_) != to_->bos())
      encoded_.push_back(to_->bos());
    MarkBoundary(first_);
    SPECINFER_RETURN_IF_ERROR(Encode(text));
    if (encoded_.size() <= kMaxReadBack) return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      "a token stands for too long a text to be read in another vocabulary");
}

// The first token from `first` on that begins a word, if it is near.
size_t TranslatedText::FirstWord(absl::Span<const Token> text,
                                 size_t first) const {
  if (first == 0) return 0;
  const size_t end = std::min(text.size(), first + kSearchTokens);
  for (size_t i = first; i < end; ++i) {
    if (from_->IsControl(text[i])) return i;
    const std::string_view before = from_->TokenBytes(text[i - 1], false);
    const std::string_view bytes = from_->TokenBytes(text[i], false);
    if (!before.empty() && !IsBlank(before.back()) && !bytes.empty() &&
        bytes[0] == ' ')
      return i;
  }
  return first;
}

// Encodes the text from the last boundary on, word by word.
absl::Status TranslatedText::Encode(absl::Span<const Token> text) {
  word_.clear();
  size_t num_word_tokens = 0;
  for (size_t i = new_boundary_; i < text.size(); ++i) {
    if (i != new_boundary_) boundary(i) = -1;
    const Token control = from_->IsControl(text[i])
                              ? TranslateControl(*from_, text[i], *to_)
                              : -1;
    const std::string_view bytes =
        from_->TokenBytes(text[i], /*show_special=*/false);
    if (control >= 0 || EndsWord(bytes, num_word_tokens)) {
      SPECINFER_RETURN_IF_ERROR(EncodeWord());
      MarkBoundary(i);
      num_word_tokens = 0;
    }
    if (control >= 0) {
      encoded_.push_back(control);
      MarkBoundary(i + 1);
      continue;
    }
    word_.append(bytes);
    ++num_word_tokens;
  }
  return EncodeWord();
}

// Whether the word of `num_tokens` tokens ends before `next`.
bool TranslatedText::EndsWord(std::string_view next, size_t num_tokens) const {
  if (num_tokens >= kMaxWordTokens) return true;
  if (word_.empty() || next.empty()) return false;
  if (next[0] == ' ' && !IsBlank(word_.back())) return true;
  return num_tokens >= kWordTokens && !ContinuesCharacter(next[0]);
}

absl::Status TranslatedText::EncodeWord() {
  if (word_.empty()) return absl::OkStatus();
  SPECINFER_RETURN_IF_ERROR(to_->TokenizeContinuation(word_, &encoded_));
  word_.clear();
  return absl::OkStatus();
}

void TranslatedText::MarkBoundary(size_t index) {
  boundary(index) = static_cast<int32_t>(base_ + encoded_.size());
  new_boundary_ = index;
}

// Makes what was encoded the end of the text. Returns how many tokens it left
// as they were.
size_t TranslatedText::Take(size_t num_tokens) {
  const size_t num_compared = std::min(encoded_.size(), size_ - base_);
  size_t num_same = 0;
  while (num_same < num_compared &&
         translated()[base_ + num_same] == encoded_[num_same])
    ++num_same;
  std::copy(encoded_.begin(), encoded_.end(), translated() + base_);
  size_ = base_ + encoded_.size();
  last_boundary_ = new_boundary_;
  num_followed_ = num_tokens;
  return base_ + num_same;
}

void TranslatedText::Rollback(size_t num_tokens) {
  if (num_tokens >= num_followed_) return;
  if (num_tokens < first_) return Clear();
  // One at the very end may owe it to the token that is gone.
  last_boundary_ =
      std::min(last_boundary_, std::max(num_tokens, first_ + 1) - 1);
  while (boundary(last_boundary_) < 0) --last_boundary_;
  num_followed_ = last_boundary_;
  size_ = static_cast<size_t>(boundary(last_boundary_));
}

}  // namespace specinfer
