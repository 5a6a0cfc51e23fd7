#include <vector>

#include "gtest/gtest.h"

#include "tests/backend/machine.h"

namespace specinfer::testing {
namespace {

std::vector<float> Unfold(int64_t frames, int64_t channels, int64_t stride,
                          const std::vector<float>& in) {
  Machine machine(CpuBackends().front(), 1);
  const int64_t rows = static_cast<int64_t>(in.size()) / channels;
  UnfoldArgs args;
  args.frames = frames;
  args.stride = stride;
  args.in = machine.MakeTensor(rows, channels, in);
  args.out = machine.MakeTensor(
      rows / frames * ((frames + stride - 1) / stride), 3 * channels);
  EXPECT_TRUE(
      machine.Run([&](Stream& stream) { return stream.Unfold(args); }).ok());
  return Machine::Values(args.out);
}

TEST(UnfoldTest, ARowIsEachChannelOfThreeFrames) {
  EXPECT_EQ(Unfold(3, 2, 1, {1, 10, 2, 20, 3, 30}),
            (std::vector<float>{0, 1, 2, 0, 10, 20,   //
                                1, 2, 3, 10, 20, 30,  //
                                2, 3, 0, 20, 30, 0}));
}

TEST(UnfoldTest, AStrideSkipsFramesAndSequencesDoNotTouch) {
  EXPECT_EQ(Unfold(3, 1, 2, {1, 2, 3, 4, 5, 6}),
            (std::vector<float>{0, 1, 2, 2, 3, 0, 0, 4, 5, 5, 6, 0}));
}

}  // namespace
}  // namespace specinfer::testing
