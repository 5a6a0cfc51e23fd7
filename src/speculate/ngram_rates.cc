#include "src/speculate/ngram_rates.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace specinfer {
namespace {

// Of undisputed guesses, by length bucket. Measured with matches of 2 to 5
// tokens: right 0.94 of the time where code is edited, 0.51 on code, 0.50 in
// chat; matches of 8 and more are nearly always right.
constexpr float kPriors[] = {0.20f, 0.40f, 0.50f, 0.60f,
                             0.75f, 0.90f, 0.95f, 0.97f};
constexpr float kDisputedShare = 0.75f;  // of the above
constexpr float kSecondPrior = 0.15f;
constexpr float kLaterPrior = 0.05f;
// Outcomes that count as much as the prior: few, for texts differ more from
// each other than from themselves.
constexpr float kCoarsePriorVisits = 6.0f;
constexpr float kFinePriorVisits = 12.0f;

float PriorOf(GuessRank rank, int32_t length_bucket) {
  const float prior = kPriors[length_bucket];
  switch (rank) {
    case GuessRank::kOnly:
    case GuessRank::kAgreed:
      return prior;
    case GuessRank::kDisputed:
      return prior * kDisputedShare;
    case GuessRank::kSecond:
      return kSecondPrior;
    case GuessRank::kLater:
      return kLaterPrior;
  }
  return kLaterPrior;
}

}  // namespace

// 1, 2, 3, 4-5, 6-7, 8-15, 16-31, 32 and more.
int32_t NgramRates::LengthBucket(int32_t length) {
  if (length < 4) return std::max(length, 1) - 1;
  if (length < 8) return length < 6 ? 3 : 4;
  return std::min(
      static_cast<int32_t>(std::bit_width(static_cast<uint32_t>(length))) + 1,
      kNumLengths - 1);
}

// 1, 2, 3-4, 5-8, 9 and more.
int32_t NgramRates::DepthBucket(int32_t depth) {
  return std::min(
      static_cast<int32_t>(std::bit_width(static_cast<uint32_t>(depth - 1))),
      kNumDepths - 1);
}

int32_t NgramRates::CellOf(const NgramGuess& guess) {
  const int32_t group =
      (guess.is_from_corpus ? kNumRanks : 0) + static_cast<int32_t>(guess.rank);
  const int32_t coarse =
      group * kNumLengths + LengthBucket(guess.match_length + guess.depth - 1);
  const int32_t fine =
      (group * kNumLengths + LengthBucket(guess.match_length)) * kNumDepths +
      DepthBucket(guess.depth);
  return fine * kNumCoarse + coarse;
}

float NgramRates::Mean(int32_t cell) const {
  const int32_t coarse = cell % kNumCoarse;
  const float prior =
      PriorOf(static_cast<GuessRank>(coarse / kNumLengths % kNumRanks),
              coarse % kNumLengths);
  return fine_[static_cast<size_t>(cell / kNumCoarse)].Mean(
      coarse_[static_cast<size_t>(coarse)].Mean(prior, kCoarsePriorVisits),
      kFinePriorVisits);
}

void NgramRates::Record(int32_t cell, bool is_hit) {
  coarse_[static_cast<size_t>(cell % kNumCoarse)].Record(is_hit);
  fine_[static_cast<size_t>(cell / kNumCoarse)].Record(is_hit);
}

}  // namespace specinfer
