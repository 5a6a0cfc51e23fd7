#include "tests/backend/weight_cases.h"

#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "backends/cpu/cpu_buffer.h"
#include "src/base/cpu_features.h"
#include "src/base/half.h"
#include "src/base/random.h"

namespace specinfer::cpu {
namespace {

// Where the half-precision numbers of a block stand.
std::vector<int> HalfOffsets(DType dtype) {
  switch (dtype) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 2};
    case DType::kQ2_K:
      return {80, 82};
    case DType::kQ3_K:
      return {108};
    case DType::kQ6_K:
      return {208};
    default:
      return {0};
  }
}

void WriteFloats(DType dtype, int64_t count, Random& random,
                 std::vector<uint8_t>& bytes) {
  for (int64_t i = 0; i < count; ++i) {
    const float value = random.Uniform();
    if (dtype == DType::kF32) {
      std::memcpy(&bytes[i * 4], &value, 4);
    } else {
      const uint16_t half = dtype == DType::kF16
                                ? FloatToHalf(value)
                                : std::bit_cast<uint32_t>(value) >> 16;
      std::memcpy(&bytes[i * 2], &half, 2);
    }
  }
}

}  // namespace

std::vector<Isa> MachineIsas() {
  const CpuFeatures features = DetectCpuFeatures();
  std::vector<Isa> isas = {Isa::kReference};
  if (features.avx2) isas.push_back(Isa::kAvx2);
  if (features.avx512) isas.push_back(Isa::kAvx512);
  if (features.amx) isas.push_back(Isa::kAmx);
  if (features.dotprod) isas.push_back(Isa::kNeon);
  return isas;
}

std::vector<DType> AllWeightTypes() {
  std::vector<DType> types;
  for (const DType dtype : kWeightTypes) types.push_back(dtype);
  for (const DType dtype : kPackedWeightTypes) types.push_back(dtype);
  return types;
}

std::string_view IsaName(Isa isa) {
  return isa == Isa::kAmx      ? "Amx"
         : isa == Isa::kAvx512 ? "Avx512"
         : isa == Isa::kAvx2   ? "Avx2"
         : isa == Isa::kNeon   ? "Neon"
                               : "Reference";
}

uint32_t Random::Bits() {
  const uint32_t counter = counter_++;
  return Philox(seed_, {counter / 4, 0, 0, 0})[counter % 4];
}

float Random::Uniform() {
  return static_cast<float>(static_cast<int32_t>(Bits())) * 0x1p-31f;
}

int64_t InputUnit(DType dtype) { return GetDTypeTraits(dtype).block_elements; }

std::vector<uint8_t> RandomWeightBytes(DType dtype, int64_t outputs,
                                       int64_t inputs, WeightKind kind,
                                       uint64_t seed) {
  const DTypeTraits& traits = GetDTypeTraits(dtype);
  const int64_t num_blocks =
      outputs * ((inputs + traits.block_elements - 1) / traits.block_elements);
  std::vector<uint8_t> bytes(num_blocks * traits.block_bytes);
  Random random(seed);
  for (uint8_t& byte : bytes) byte = random.Bits() >> 24;
  if (kind == WeightKind::kHostile) return bytes;
  if (traits.block_elements == 1) {
    WriteFloats(dtype, num_blocks, random, bytes);
    return bytes;
  }
  const float magnitude = traits.block_elements == 256 ? 1e-3f : 2e-2f;
  for (int64_t block = 0; block < num_blocks; ++block) {
    for (const int offset : HalfOffsets(dtype)) {
      const uint16_t half = FloatToHalf(random.Uniform() * magnitude);
      std::memcpy(&bytes[block * traits.block_bytes + offset], &half, 2);
    }
  }
  return bytes;
}

std::vector<float> RandomFloats(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values)
    value = random.Uniform() * random.Uniform() * 4.0f;
  return values;
}

Workbench::Workbench(Isa isa, int num_threads, StreamLimits limits)
    : isa_(isa), pool_(num_threads) {
  const absl::Status status =
      AllocateLinearScratch(limits, pool_.num_workers(), memory_, &scratch_);
  EXPECT_TRUE(status.ok()) << status;
}

std::unique_ptr<Weight> Workbench::Pack(DType dtype, int64_t outputs,
                                        int64_t inputs,
                                        const std::vector<uint8_t>& bytes) {
  auto weight = PackWeight({dtype, outputs, inputs, bytes, "test.weight"}, isa_,
                           memory_, pool_);
  EXPECT_TRUE(weight.ok()) << weight.status();
  return weight.ok() ? std::move(weight).value() : nullptr;
}

Tensor Workbench::MakeTensor(int64_t rows, int64_t columns,
                             const std::vector<float>& values) {
  auto block = memory_.Allocate(rows * columns * sizeof(float), "test");
  EXPECT_TRUE(block.ok()) << block.status();
  if (!values.empty())
    std::memcpy(block->data(), values.data(), values.size() * sizeof(float));
  buffers_.push_back(std::make_unique<CpuBuffer>(std::move(block).value()));
  return {buffers_.back().get(), 0, rows, columns};
}

std::vector<float> Workbench::Linear(const LinearArgs& args) {
  TileRunner tiles(pool_);
  const absl::Status status = RunLinear(args, isa_, scratch_, tiles);
  EXPECT_TRUE(status.ok()) << status;
  const Tensor& out = args.outputs[0].out;
  return std::vector<float>(Floats(out), Floats(out) + out.rows * out.columns);
}

std::vector<float> Workbench::Linear(const Weight& weight, int64_t rows,
                                     const std::vector<float>& in,
                                     const std::vector<float>& bias) {
  LinearOutput output = {
      .weight = &weight, .bias = {}, .out = MakeTensor(rows, weight.outputs)};
  if (!bias.empty()) output.bias = MakeTensor(1, weight.outputs, bias);
  LinearArgs args;
  args.in = MakeTensor(rows, weight.inputs, in);
  args.outputs = absl::MakeConstSpan(&output, 1);
  std::vector<float> out = Linear(args);
  buffers_.clear();
  return out;
}

std::vector<float> Workbench::Embed(const Weight& table,
                                    const std::vector<Token>& tokens,
                                    float multiplier) {
  const int64_t rows = tokens.size();
  const EmbedArgs args = {&table, tokens, multiplier,
                          MakeTensor(rows, table.inputs)};
  TileRunner tiles(pool_);
  const absl::Status status = RunEmbed(args, isa_, tiles);
  EXPECT_TRUE(status.ok()) << status;
  std::vector<float> out(Floats(args.out),
                         Floats(args.out) + rows * table.inputs);
  buffers_.clear();
  return out;
}

absl::Status Workbench::Head(const HeadArgs& args) {
  TileRunner tiles(pool_);
  return RunHead(args, isa_, scratch_, tiles);
}

std::string FirstDifference(const std::vector<float>& a,
                            const std::vector<float>& b) {
  if (a.size() != b.size())
    return absl::StrCat("sizes ", a.size(), " and ", b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const bool is_nan = a[i] != a[i] && b[i] != b[i];
    if (!is_nan &&
        std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) {
      return absl::StrCat("at ", i, ": ", a[i], " and ", b[i]);
    }
  }
  return "";
}

}  // namespace specinfer::cpu
