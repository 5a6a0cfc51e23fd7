#include "src/speculate/corpus.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer {
namespace {

constexpr Token kEndOfText = -1;  // matches nothing, and ends a continuation

}  // namespace

Corpus::Corpus(const CorpusOptions& options, std::vector<NgramIndex> segments)
    : options_(options), segments_(std::move(segments)) {}

absl::StatusOr<std::unique_ptr<Corpus>> Corpus::Create(
    Memory& memory, const CorpusOptions& options) {
  constexpr int32_t kLeast = 64 * int32_t{kNumSegments};
  if (options.max_tokens < kLeast || options.vocabulary_size < 1) {
    return absl::InvalidArgumentError(
        Cat("a corpus holds at least ", kLeast, " tokens of a vocabulary; got ",
            options.max_tokens, " of ", options.vocabulary_size));
  }
  std::vector<NgramIndex> segments;
  for (size_t i = 0; i < kNumSegments; ++i) {
    SPECINFER_ASSIGN_OR_RETURN(
        NgramIndex segment,
        NgramIndex::Create(memory, options.max_tokens / int32_t{kNumSegments}));
    segments.push_back(std::move(segment));
  }
  return std::unique_ptr<Corpus>(new Corpus(options, std::move(segments)));
}

absl::Status Corpus::Add(absl::Span<const Token> tokens) {
  for (const Token token : tokens) {
    if (token < 0 || token >= options_.vocabulary_size) {
      return absl::InvalidArgumentError(
          Cat("token ", token, " is not of the corpus's vocabulary of ",
              options_.vocabulary_size));
    }
  }
  const std::lock_guard<std::shared_mutex> lock(mutex_);
  AppendLocked(tokens);
  AppendLocked({&kEndOfText, 1});
  return absl::OkStatus();
}

void Corpus::AppendLocked(absl::Span<const Token> tokens) {
  while (!tokens.empty()) {
    tokens.remove_prefix(segments_[latest_].Append(tokens));
    if (tokens.empty()) return;
    latest_ = (latest_ + 1) % kNumSegments;
    segments_[latest_].Wipe();
  }
}

void Corpus::Clear() {
  const std::lock_guard<std::shared_mutex> lock(mutex_);
  ClearLocked();
}

void Corpus::ClearLocked() {
  for (NgramIndex& segment : segments_) segment.Wipe();
  latest_ = 0;
}

size_t Corpus::num_tokens() const {
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  return NumTokensLocked();
}

size_t Corpus::NumTokensLocked() const {
  size_t count = 0;
  for (const NgramIndex& segment : segments_) count += segment.size();
  return count;
}

void Corpus::FindContinuations(absl::Span<const Token> text, size_t max_matches,
                               std::vector<NgramMatch>* scratch,
                               Continuations* continuations) const {
  const std::shared_lock<std::shared_mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  for (size_t i = kNumSegments; i > 0; --i) {
    segment(i - 1).FindMatches(text, max_matches, scratch);
    for (const NgramMatch& match : *scratch)
      continuations->AddOfCorpus(segment(i - 1), match);
  }
}

}  // namespace specinfer
