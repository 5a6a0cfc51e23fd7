// Earlier texts of one user or application, kept to guess from.
#ifndef SPECINFER_SRC_SPECULATE_CORPUS_H_
#define SPECINFER_SRC_SPECULATE_CORPUS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speculate/continuations.h"
#include "src/speculate/ngram_index.h"

namespace specinfer {

struct CorpusOptions {
  int32_t max_tokens = 1 << 20;
  int32_t vocabulary_size = 0;  // tokens are below it
  // Tells vocabularies apart: a saved corpus is restored only to its own.
  uint64_t vocabulary_fingerprint = 0;
};

// A ring of kNumSegments indexes: when all are full the oldest is dropped
// whole. It holds what it was given in memory alone, and only Save hands
// anything out. Thread-safe.
class Corpus {
 public:
  // A part of max_tokens each. More parts forget less at once, but each is
  // searched on its own.
  static constexpr size_t kNumSegments = 4;

  // `memory` must outlive it.
  // Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<Corpus>> Create(
      Memory& memory, const CorpusOptions& options);
  ~Corpus() { Clear(); }

  // Adds a text, which is not continued by the next one.
  // Errors: INVALID_ARGUMENT, with nothing added.
  absl::Status Add(absl::Span<const Token> tokens);

  // Forgets everything: the memory is overwritten.
  void Clear();

  // Adds to `continuations` what followed the places that match the end of
  // `text`, up to `max_matches` of each segment. Never waits: a corpus that is
  // being changed adds nothing. `scratch` holds matches.
  void FindContinuations(absl::Span<const Token> text, size_t max_matches,
                         std::vector<NgramMatch>* scratch,
                         Continuations* continuations) const;

  // Writes the corpus as bytes that Restore takes, by calling `write` for parts
  // of it in order. `write` must not call the corpus; false stops.
  // Errors: CANCELLED, RESOURCE_EXHAUSTED.
  absl::Status Save(
      absl::FunctionRef<bool(const void* data, size_t num_bytes)> write) const;

  // Replaces the contents by what was saved, or by the latest part of it that
  // has room. Any bytes may be given.
  // Errors: INVALID_ARGUMENT (not a corpus), DATA_LOSS (damaged),
  // FAILED_PRECONDITION (of another vocabulary, or another version of the
  // format); the corpus is then unchanged.
  absl::Status Restore(absl::Span<const uint8_t> bytes);

  size_t num_tokens() const;  // with one mark at the end of each text

 private:
  Corpus(const CorpusOptions& options, std::vector<NgramIndex> segments);
  // REQUIRES: the lock is held.
  void AppendLocked(absl::Span<const Token> tokens);
  void ClearLocked();
  size_t NumTokensLocked() const;
  // The i-th segment in the order of age, the oldest first.
  NgramIndex& segment(size_t i) {
    return segments_[(latest_ + 1 + i) % kNumSegments];
  }
  const NgramIndex& segment(size_t i) const {
    return segments_[(latest_ + 1 + i) % kNumSegments];
  }

  const CorpusOptions options_;
  mutable std::shared_mutex mutex_;   // of what follows
  std::vector<NgramIndex> segments_;  // a ring
  size_t latest_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_CORPUS_H_
