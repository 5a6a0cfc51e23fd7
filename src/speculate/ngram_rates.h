// How often the token that followed an earlier match follows again.
#ifndef SPECINFER_SRC_SPECULATE_NGRAM_RATES_H_
#define SPECINFER_SRC_SPECULATE_NGRAM_RATES_H_

#include <array>
#include <cstdint>

#include "src/speculate/hit_rate.h"

namespace specinfer {

// Where a guess stands among those of the matches that agree with its path.
enum class GuessRank : int32_t {
  kOnly,      // one match is left
  kAgreed,    // all that are left say this
  kDisputed,  // what the longest says; another says something else
  kSecond,
  kLater,
};

struct NgramGuess {
  int32_t match_length;  // of the longest match that says this
  int32_t depth;         // of the guessed token below the root; 1 or more
  GuessRank rank;
  bool is_from_corpus;
};

// Two levels, so that a new session learns from few outcomes: a coarse cell
// knows a guess by the length its match has if the path is right (match_length
// + depth - 1); a fine one, which leans on the coarse one, by both numbers.
class NgramRates {
 public:
  // Names the statistics of guesses like this one.
  static int32_t CellOf(const NgramGuess& guess);

  float Mean(int32_t cell) const;
  void Record(int32_t cell, bool is_hit);

 private:
  static constexpr int32_t kNumRanks = 5;
  static constexpr int32_t kNumLengths = 8;
  static constexpr int32_t kNumDepths = 5;
  static constexpr int32_t kNumCoarse = 2 * kNumRanks * kNumLengths;
  static constexpr int32_t kNumFine = kNumCoarse * kNumDepths;

  static int32_t LengthBucket(int32_t length);
  static int32_t DepthBucket(int32_t depth);

  std::array<HitRate, kNumCoarse> coarse_;
  std::array<HitRate, kNumFine> fine_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_NGRAM_RATES_H_
