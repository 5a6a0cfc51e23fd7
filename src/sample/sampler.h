// Turns sampling options into a question to the head, and the head's answer
// into a token.
#ifndef SPECINFER_SRC_SAMPLE_SAMPLER_H_
#define SPECINFER_SRC_SAMPLE_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/sample/processors.h"
#include "src/sample/sampling.h"

namespace specinfer {

// Memory of one question and its answer. Grows once, then is used again and
// again.
struct SampleSlot {
  std::vector<Adjustment> adjustments;
  Candidate arg_max;
  std::vector<Candidate> top;
  double log_sum_exp = 0.0;
  std::vector<float> full;
  NoiseKey noise;
};

// The draw is a function of the law, the seed, the stream, the position and
// nothing else, so it does not matter which of the head's three answers it is
// made from. Not thread-safe.
class Sampler {
 public:
  // `allowed`: bit set of the tokens that may be sampled; must outlive it.
  Sampler(const SamplingOptions& options, absl::Span<const uint64_t> allowed);

  absl::Span<const uint64_t> allowed() const { return allowed_; }

  // The question for the token at `position`, which follows `text` and then
  // `path`; asked of `row`. Tokens in `banned` are not chosen. `slot` must stay
  // where it is until the answer is in.
  HeadQuery Ask(int32_t row, int64_t position, absl::Span<const Token> text,
                absl::Span<const Token> path, absl::Span<const Token> banned,
                SampleSlot* slot);
  // The same question for the whole row, when Choose could not tell.
  HeadQuery AskFull(int32_t row, int32_t vocabulary_size,
                    SampleSlot* slot) const;

  // The token, or -1 when the answer does not reach far enough: ask for the
  // full row. -2: no token is left (the law is empty, or a hostile model's
  // logits are no numbers).
  Token Choose(const SampleSlot& slot);
  Token ChooseFull(SampleSlot* slot);

  // The same question for the law instead of a token: of all tokens, the
  // probabilities they are chosen with. `law` [vocabulary] is where it will be.
  HeadQuery AskLaw(int32_t row, int64_t position, absl::Span<const Token> text,
                   absl::Span<const Token> path, absl::Span<const Token> banned,
                   absl::Span<float> law, SampleSlot* slot);
  HeadQuery AskFullLaw(int32_t row, absl::Span<float> law,
                       SampleSlot* slot) const;

  // The law, which sums to 1. REQUIRES: the temperature is above 0.
  enum class LawState { kComplete, kNeedsFullRow, kEmpty };
  LawState MakeLaw(const SampleSlot& slot, absl::Span<float> law) const;
  LawState MakeFullLaw(const SampleSlot& slot, absl::Span<float> law);
  // Where MakeLaw needs the full row: a law of the likeliest tokens alone.
  void MakeLawOfCandidates(const SampleSlot& slot, absl::Span<float> law) const;

  static constexpr Token kNeedsFullRow = -1;
  static constexpr Token kNoToken = -2;

 private:
  // How many of the leading candidates survive the cuts; -1 when `candidates`
  // is not long enough to tell.
  int64_t CountSurvivors(absl::Span<const Candidate> candidates,
                         bool is_complete, double log_sum_exp) const;
  void Collect(int64_t position, absl::Span<const Token> text,
               absl::Span<const Token> path, absl::Span<const Token> banned,
               SampleSlot* slot);
  // Those of `logits` that exist, in order; into sorted_.
  void Sort(absl::Span<const float> logits);
  void SpreadLaw(absl::Span<const Candidate> survivors,
                 absl::Span<float> law) const;
  Token Draw(absl::Span<const Candidate> survivors,
             const NoiseKey& noise) const;

  const SamplingOptions options_;
  const absl::Span<const uint64_t> allowed_;
  const bool has_cuts_;
  Processors processors_;
  std::vector<Candidate> sorted_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SAMPLE_SAMPLER_H_
