#include "src/base/random.h"

#include <array>

#include "gtest/gtest.h"

namespace specinfer {
namespace {

using Words = std::array<uint32_t, 4>;

// The known answers of Random123's kat_vectors, philox4x32 with 10 rounds.
TEST(Philox, GivesTheKnownAnswerForZeros) {
  EXPECT_EQ(Philox(0, {0, 0, 0, 0}),
            (Words{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
}

TEST(Philox, GivesTheKnownAnswerForOnes) {
  EXPECT_EQ(Philox(0xffffffffffffffffu,
                   {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}),
            (Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
}

TEST(Philox, GivesTheKnownAnswerForDigitsOfPi) {
  EXPECT_EQ(Philox(0x299f31d0a4093822u,
                   {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}),
            (Words{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

}  // namespace
}  // namespace specinfer
