#include "src/speculate/continuations.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace specinfer {
namespace {

using testing::ElementsAre;

class ContinuationsTest : public testing::Test {
 protected:
  ContinuationsTest() { index_.Append({10, 11, 12, 13, -1, 15, 16}); }

  Memory memory_{0};
  NgramIndex index_ = *NgramIndex::Create(memory_, 64);
};

TEST_F(ContinuationsTest, KeepsTheLongestMatches) {
  Continuations kept(2, 2);

  kept.AddOfCorpus(index_, {.position = 0, .length = 3});
  kept.AddOfCorpus(index_, {.position = 1, .length = 5});
  kept.AddOfCorpus(index_, {.position = 2, .length = 3});
  kept.AddOfText(index_, {.position = 5, .length = 4});

  ASSERT_EQ(kept.size(), 2u);
  EXPECT_THAT(kept.tokens(0), ElementsAre(11, 12));
  EXPECT_TRUE(kept.entry(0).is_from_corpus);
  EXPECT_THAT(kept.tokens(1), ElementsAre(15, 16));
  EXPECT_FALSE(kept.entry(1).is_from_corpus);
}

TEST_F(ContinuationsTest, ATextOfACorpusEndsAndTheTextItselfGoesOn) {
  Continuations kept(4, 5);

  kept.AddOfCorpus(index_, {.position = 4, .length = 9});
  kept.AddOfCorpus(index_, {.position = 2, .length = 4});
  kept.AddOfText(index_, {.position = 5, .length = 3});

  ASSERT_EQ(kept.size(), 2u);
  EXPECT_THAT(kept.tokens(0), ElementsAre(12, 13));
  EXPECT_THAT(kept.tokens(1), ElementsAre(15, 16, 15, 16, 15));
}

}  // namespace
}  // namespace specinfer
