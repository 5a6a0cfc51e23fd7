#include "backends/cpu/kernels/pack.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/cpu/reference/dequantize.h"
#include "tests/backend/weight_cases.h"
#include "xxhash.h"

namespace specinfer::cpu {
namespace {

using ::testing::HasSubstr;

// One record of dequantize_golden.bin.
struct GoldenRows {
  DType dtype;
  int64_t outputs, inputs;
  std::vector<uint8_t> bytes;
  std::vector<float> values;
};

std::vector<GoldenRows> ReadGoldenRows() {
  std::ifstream file(SPECINFER_TESTDATA "/dequantize_golden.bin",
                     std::ios::binary);
  std::vector<GoldenRows> all;
  uint32_t header[4];
  while (file.read(reinterpret_cast<char*>(header), sizeof(header))) {
    GoldenRows rows = {
        static_cast<DType>(header[0]), header[1], header[2], {}, {}};
    rows.bytes.resize(header[3]);
    rows.values.resize(header[1] * header[2]);
    file.read(reinterpret_cast<char*>(rows.bytes.data()), rows.bytes.size());
    file.read(reinterpret_cast<char*>(rows.values.data()),
              rows.values.size() * sizeof(float));
    all.push_back(rows);
  }
  return all;
}

class GoldenTest : public ::testing::TestWithParam<GoldenRows> {};

TEST_P(GoldenTest, DequantizedRowsEqualThoseOfGgufPy) {
  const GoldenRows& golden = GetParam();
  std::vector<float> values(golden.values.size());

  for (int64_t row = 0; row < golden.outputs; ++row) {
    DequantizeRow(
        golden.dtype,
        golden.bytes.data() + row * (golden.bytes.size() / golden.outputs),
        golden.inputs, values.data() + row * golden.inputs);
  }

  EXPECT_EQ(values, golden.values);
}

TEST_P(GoldenTest, EmbeddedRowsEqualThoseOfGgufPyOnEveryInstructionSet) {
  const GoldenRows& golden = GetParam();
  for (const Isa isa : MachineIsas()) {
    Workbench bench(isa, 2, {});
    const auto table =
        bench.Pack(golden.dtype, golden.outputs, golden.inputs, golden.bytes);

    const std::vector<float> rows = bench.Embed(*table, {1, 0}, 1.0f);

    std::vector<float> expected(golden.values.begin() + golden.inputs,
                                golden.values.begin() + 2 * golden.inputs);
    expected.insert(expected.end(), golden.values.begin(),
                    golden.values.begin() + golden.inputs);
    EXPECT_EQ(rows, expected) << IsaName(isa);
  }
}

std::string GoldenName(const ::testing::TestParamInfo<GoldenRows>& info) {
  return std::string(GetDTypeTraits(info.param.dtype).name);
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenTest,
                         ::testing::ValuesIn(ReadGoldenRows()), GoldenName);

class PackTest : public ::testing::TestWithParam<DType> {};

std::string TypeName(const ::testing::TestParamInfo<DType>& info) {
  return std::string(GetDTypeTraits(info.param).name);
}

TEST_P(PackTest, EmbedsAnyBytesLikeTheReference) {
  const int64_t outputs = 21, inputs = 2 * InputUnit(GetParam());
  const std::vector<uint8_t> bytes =
      RandomWeightBytes(GetParam(), outputs, inputs, WeightKind::kHostile, 1);
  std::vector<float> expected(outputs * inputs);
  std::vector<Token> tokens;
  for (int64_t row = 0; row < outputs; ++row) {
    DequantizeRow(GetParam(), bytes.data() + row * (bytes.size() / outputs),
                  inputs, &expected[row * inputs]);
    tokens.push_back(row);
  }
  for (float& value : expected) value = value * 3.5f;

  for (const Isa isa : MachineIsas()) {
    Workbench bench(isa, 2, {});
    const auto table = bench.Pack(GetParam(), outputs, inputs, bytes);
    EXPECT_EQ(FirstDifference(bench.Embed(*table, tokens, 3.5f), expected), "")
        << IsaName(isa);
  }
}

TEST_P(PackTest, TakesTheBytesThatWerePlanned) {
  const int64_t inputs = 3 * InputUnit(GetParam());
  Workbench bench(Isa::kAvx2, 1, {});
  const auto weight = bench.Pack(
      GetParam(), 17, inputs,
      RandomWeightBytes(GetParam(), 17, inputs, WeightKind::kSane, 1));

  EXPECT_EQ(weight->packed_bytes, PackedWeightBytes(GetParam(), 17, inputs));
  EXPECT_EQ(AsPacked(*weight).block.size(), weight->packed_bytes);
  EXPECT_EQ(weight->bytes().size(), weight->packed_bytes);
}

TEST_P(PackTest, AdoptsThePackedBytesInPlace) {
  const int64_t outputs = 21, inputs = 2 * InputUnit(GetParam());
  const std::vector<uint8_t> bytes =
      RandomWeightBytes(GetParam(), outputs, inputs, WeightKind::kSane, 1);
  for (const Isa isa : MachineIsas()) {
    if (isa == Isa::kReference) continue;
    Workbench bench(isa, 1, {});
    const auto packed = bench.Pack(GetParam(), outputs, inputs, bytes);
    const auto adopted =
        AdoptWeight({GetParam(), outputs, inputs, packed->bytes(), "x"}, isa);
    ASSERT_TRUE(adopted.ok()) << adopted.status();

    EXPECT_EQ((*adopted)->bytes().data(), packed->bytes().data());
    EXPECT_EQ(FirstDifference(bench.Embed(**adopted, {0, 20}, 1.0f),
                              bench.Embed(*packed, {0, 20}, 1.0f)),
              "");
  }
}

TEST_P(PackTest, AdoptsNothingOfAnotherSizeOrUnaligned) {
  const int64_t inputs = 2 * InputUnit(GetParam());
  const size_t num_bytes = PackedWeightBytes(GetParam(), 16, inputs);
  Memory memory(0);
  const Block block = *memory.Allocate(num_bytes + 64, "test");
  const auto adopt = [&](int64_t outputs, size_t offset, size_t count) {
    return AdoptWeight({GetParam(),
                        outputs,
                        inputs,
                        {block.data() + offset, count},
                        "x"},
                       Isa::kAvx2)
        .status()
        .code();
  };

  EXPECT_EQ(adopt(16, 0, num_bytes), absl::StatusCode::kOk);
  EXPECT_EQ(adopt(16, 0, num_bytes - 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(adopt(16, 0, num_bytes + 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(adopt(17, 0, num_bytes), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(adopt(16, 2, num_bytes), absl::StatusCode::kInvalidArgument);
}

// Q3_K's 6-bit scales become bytes, which is 3.6 %.
TEST_P(PackTest, GrowsByAtMostThreePercent) {
  const DTypeTraits& traits = GetDTypeTraits(GetParam());
  const double file_bytes =
      4096.0 * 2048.0 / traits.block_elements * traits.block_bytes;

  EXPECT_LE(PackedWeightBytes(GetParam(), 4096, 2048),
            file_bytes * (GetParam() == DType::kQ3_K ? 1.037 : 1.03));
}

TEST_P(PackTest, RefusesARowThatIsNotWholeBlocks) {
  if (InputUnit(GetParam()) == 1) return;  // every row is
  if (FindPackedLayout(GetParam())->has_short_spans) return;
  Memory memory(0);
  ThreadPool pool(1);
  const std::vector<uint8_t> bytes(4096);

  const auto weight =
      PackWeight({GetParam(), 2, InputUnit(GetParam()) + 16, bytes, "blk.0.x"},
                 Isa::kAvx2, memory, pool);

  EXPECT_EQ(weight.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(weight.status().message()),
              HasSubstr("tensor \"blk.0.x\" has rows of"));
}

TEST_P(PackTest, RefusesOneByteTooFewOrTooMany) {
  Memory memory(0);
  ThreadPool pool(1);
  const DTypeTraits& traits = GetDTypeTraits(GetParam());
  const size_t right = 512 / traits.block_elements * traits.block_bytes;
  const std::vector<uint8_t> bytes(right + 1);
  const absl::Span<const uint8_t> all(bytes);

  const auto too_many = PackWeight({GetParam(), 2, 256, all, "blk.0.x"},
                                   Isa::kAvx2, memory, pool);
  const auto too_few =
      PackWeight({GetParam(), 2, 256, all.first(right - 1), "blk.0.x"},
                 Isa::kAvx2, memory, pool);

  EXPECT_EQ(too_many.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(too_few.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(too_few.status().message()),
              HasSubstr("tensor \"blk.0.x\" holds"));
}

INSTANTIATE_TEST_SUITE_P(Types, PackTest, ::testing::ValuesIn(AllWeightTypes()),
                         TypeName);

// Packed files hold these bytes: another hash is another kPackedVersion.
struct LayoutHash {
  DType dtype;
  uint64_t hash;
};
constexpr LayoutHash kLayoutHashes[] = {
    {DType::kF32, 0x6b726ec8fd1e8390},   {DType::kF16, 0x0eb318227e718eeb},
    {DType::kBF16, 0x0eb318227e718eeb},  {DType::kQ4_0, 0x01a1f82ba1dfce81},
    {DType::kQ4_1, 0x754421be7a605402},  {DType::kQ5_0, 0x227a955e07e9dc42},
    {DType::kQ5_1, 0xbca5076f6fcea789},  {DType::kQ8_0, 0x708e9c51d0b98ad3},
    {DType::kQ2_K, 0x96e197ed4890a9b4},  {DType::kQ3_K, 0xdcec00eaa8a0cd6d},
    {DType::kQ4_K, 0x0b3231ae62b703f2},  {DType::kQ5_K, 0x943386e592f11f4d},
    {DType::kQ6_K, 0x3814a43ebe629209},  {DType::kIQ4_NL, 0x01a1f82ba1dfce81},
    {DType::kIQ4_XS, 0xba7d4d3f23f09573}};

class PackedLayoutTest : public ::testing::TestWithParam<LayoutHash> {};

TEST_P(PackedLayoutTest, VersionTwoNeverChanges) {
  const DType dtype = GetParam().dtype;
  uint64_t hash = 0;
  for (const int64_t outputs : {1, 16, 21, 40}) {
    for (const int64_t units : {1, 3, 9}) {
      const int64_t inputs =
          units * (InputUnit(dtype) == 1 ? 96 : InputUnit(dtype));
      Workbench bench(Isa::kAvx2, 2, {});
      const auto weight = bench.Pack(
          dtype, outputs, inputs,
          RandomWeightBytes(dtype, outputs, inputs, WeightKind::kHostile,
                            static_cast<uint64_t>(outputs * 10 + units)));
      hash = XXH3_64bits_withSeed(weight->bytes().data(),
                                  weight->bytes().size(), hash);
    }
  }

  EXPECT_EQ(kPackedVersion, 2u);
  EXPECT_EQ(hash, GetParam().hash);
}

INSTANTIATE_TEST_SUITE_P(Types, PackedLayoutTest,
                         ::testing::ValuesIn(kLayoutHashes),
                         [](const auto& type) {
                           return std::string(
                               GetDTypeTraits(type.param.dtype).name);
                         });

TEST(Pack, RefusesTypesThatAreNoWeights) {
  Memory memory(0);
  ThreadPool pool(1);
  const std::vector<uint8_t> bytes(64);

  const auto integers =
      PackWeight({DType::kI32, 1, 16, bytes, "ids"}, Isa::kAvx2, memory, pool);
  const auto unknown = PackWeight({static_cast<DType>(99), 1, 16, bytes, "odd"},
                                  Isa::kAvx2, memory, pool);

  EXPECT_EQ(integers.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(integers.status().message()),
              HasSubstr("tensor \"ids\" has the type I32"));
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(PackedWeightBytes(static_cast<DType>(99), 1, 16), 0u);
}

TEST(Pack, RefusesHugeAndNegativeShapes) {
  Memory memory(0);
  ThreadPool pool(1);
  const std::vector<uint8_t> bytes(64);
  for (const int64_t extent :
       {int64_t{0}, int64_t{-16}, INT64_MAX, int64_t{1} << 40}) {
    EXPECT_FALSE(PackWeight({DType::kF32, extent, 16, bytes, "x"}, Isa::kAvx2,
                            memory, pool)
                     .ok());
    EXPECT_FALSE(PackWeight({DType::kF32, 16, extent, bytes, "x"}, Isa::kAvx2,
                            memory, pool)
                     .ok());
    EXPECT_EQ(PackedWeightBytes(DType::kF32, extent, extent), 0u);
  }
}

TEST(Pack, ReportsABudgetThatIsTooSmall) {
  Memory memory(1000);
  ThreadPool pool(1);
  const std::vector<uint8_t> bytes =
      RandomWeightBytes(DType::kQ8_0, 64, 64, WeightKind::kSane, 1);

  const auto weight =
      PackWeight({DType::kQ8_0, 64, 64, bytes, "x"}, Isa::kAvx2, memory, pool);

  EXPECT_EQ(weight.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace specinfer::cpu
