#include "src/speculate/ngram_rates.h"

#include "gtest/gtest.h"

namespace specinfer {
namespace {

int32_t Cell(int32_t match_length, int32_t depth,
             GuessRank rank = GuessRank::kOnly, bool is_from_corpus = false) {
  return NgramRates::CellOf({match_length, depth, rank, is_from_corpus});
}

void Record(NgramRates& rates, int32_t cell, bool is_hit, int count) {
  for (int i = 0; i < count; ++i) rates.Record(cell, is_hit);
}

TEST(NgramRates, BeginWithWhatWasMeasured) {
  const NgramRates rates;
  float before = 0.0f;
  for (const int32_t length : {1, 2, 3, 4, 6, 8, 16, 32}) {
    EXPECT_GT(rates.Mean(Cell(length, 1)), before);
    before = rates.Mean(Cell(length, 1));
    // A path that is right so far makes the match longer.
    EXPECT_EQ(rates.Mean(Cell(1, length)), before);
    EXPECT_GT(before, rates.Mean(Cell(length, 1, GuessRank::kDisputed)));
    EXPECT_GE(rates.Mean(Cell(length, 1, GuessRank::kDisputed)),
              rates.Mean(Cell(length, 1, GuessRank::kSecond)));
  }
  EXPECT_GT(before, 0.95f);
}

TEST(NgramRates, LearnFromGuessesOfTheSameLengthInAll) {
  NgramRates rates;
  const float before = rates.Mean(Cell(6, 1));

  Record(rates, Cell(4, 3), false, 50);

  EXPECT_LT(rates.Mean(Cell(6, 1)), before / 2);
}

TEST(NgramRates, TellApartWhatDiffers) {
  NgramRates rates;
  Record(rates, Cell(6, 1), false, 500);
  Record(rates, Cell(4, 3), true, 500);

  EXPECT_LT(rates.Mean(Cell(6, 1)), 0.1f);
  EXPECT_GT(rates.Mean(Cell(4, 3)), 0.9f);
}

TEST(NgramRates, TheTextTeachesNothingAboutACorpus) {
  NgramRates rates;
  const int32_t of_corpus = Cell(6, 1, GuessRank::kOnly, true);
  const float before = rates.Mean(of_corpus);

  Record(rates, Cell(6, 1), false, 50);

  EXPECT_EQ(rates.Mean(of_corpus), before);
}

TEST(NgramRates, TheLastHundredsCount) {
  NgramRates rates;
  Record(rates, Cell(6, 1), false, 5000);
  Record(rates, Cell(6, 1), true, 500);

  // Half of what was before is left.
  EXPECT_NEAR(rates.Mean(Cell(6, 1)), 0.5, 0.03);
}

}  // namespace
}  // namespace specinfer
