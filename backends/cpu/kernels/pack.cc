#include "backends/cpu/kernels/pack.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "backends/cpu/kernels/linear.h"
#include "src/base/status_macros.h"

namespace specinfer::cpu {
namespace {

// Bounds that keep every product of sizes below far from overflow.
constexpr int64_t kMaxExtent = int64_t{1} << 30;

struct GroupShape {
  size_t codes_at = 0;
  size_t group_bytes = 0;
};

GroupShape ShapeOf(const PackedLayout& layout, int64_t inputs) {
  GroupShape shape;
  if (layout.is_float()) {
    shape.group_bytes =
        static_cast<size_t>(inputs) * static_cast<size_t>(layout.code_bytes);
    return shape;
  }
  const size_t headers = static_cast<size_t>(inputs / layout.header_inputs) *
                         static_cast<size_t>(layout.header_bytes());
  shape.codes_at = (headers + 63) / 64 * 64;
  shape.group_bytes =
      shape.codes_at + static_cast<size_t>(inputs / kBlockInputs) *
                           static_cast<size_t>(layout.code_bytes);
  return shape;
}

// Turns [16 outputs][32 inputs] into eight vectors of 64 bytes.
void Interleave(const SourceBlock* blocks, uint8_t* vectors) {
  for (int v = 0; v < kNumVectors; ++v) {
    for (int o = 0; o < kGroupOutputs; ++o)
      std::memcpy(vectors + v * 64 + o * 4, blocks[o].codes + v * 4, 4);
  }
}

// Bit kBit of the eight vectors, as one plane.
template <int kBit>
void SqueezeBit(const uint8_t* v, uint8_t* out) {
  for (int i = 0; i < 64; ++i) {
    int plane = 0;
    for (int b = 0; b < kNumVectors; ++b)
      plane |= (v[b * 64 + i] >> kBit & 1) << b;
    out[i] = static_cast<uint8_t>(plane);
  }
}

void Squeeze(Codes codes, const uint8_t* v, uint8_t* out) {
  const auto bits = [](int value) { return static_cast<uint8_t>(value); };
  switch (codes) {
    case Codes::k2Bit:
    case Codes::k3Bit:
      for (int i = 0; i < 64; ++i) {
        out[i] = bits((v[i] & 3) | (v[64 + i] & 3) << 2 |
                      (v[128 + i] & 3) << 4 | (v[192 + i] & 3) << 6);
        out[64 + i] = bits((v[256 + i] & 3) | (v[320 + i] & 3) << 2 |
                           (v[384 + i] & 3) << 4 | (v[448 + i] & 3) << 6);
      }
      if (codes == Codes::k3Bit) SqueezeBit<2>(v, out + 128);
      break;
    case Codes::k5Bit:
      SqueezeBit<4>(v, out + 256);
      [[fallthrough]];
    case Codes::k4Bit:
    case Codes::kTable4:
      for (int i = 0; i < 256; ++i)
        out[i] = bits((v[i] & 0x0f) | v[256 + i] << 4);
      break;
    case Codes::k6Bit:
      for (int part = 0; part < 6; ++part) {
        const uint8_t* spread = v + 384 + part / 3 * 64;
        const int shift = part % 3 * 2;
        for (int i = 0; i < 64; ++i)
          out[part * 64 + i] =
              bits(v[part * 64 + i] | (spread[i] >> shift & 3) << 6);
      }
      break;
    case Codes::k8Bit:
      std::memcpy(out, v, 512);
      break;
    default:
      break;
  }
}

void WriteHeader(const PackedLayout& layout, const SourceBlock* blocks,
                 int block_in_header, uint8_t* header) {
  for (int o = 0; o < kGroupOutputs; ++o) {
    std::memcpy(header + o * 2, &blocks[o].scale, 2);
    if (layout.has_minima)
      std::memcpy(header + 32 + o * 2, &blocks[o].minimum, 2);
  }
  for (int s = 0; s < layout.sub_scales; ++s) {
    const int at = (block_in_header * layout.sub_scales + s) * kGroupOutputs;
    for (int o = 0; o < kGroupOutputs; ++o) {
      header[layout.sub_scales_at() + at + o] = blocks[o].sub_scales[s];
      if (layout.has_nibble_scales()) {
        header[layout.sub_scales_at() + at + o] |=
            static_cast<uint8_t>(blocks[o].sub_minima[s] << 4);
      } else if (layout.has_minima) {
        header[layout.sub_minima_at() + at + o] = blocks[o].sub_minima[s];
      }
    }
  }
}

void PackQuantizedGroup(const WeightSource& source, const PackedWeight& weight,
                        int64_t group, uint8_t* out) {
  const PackedLayout& layout = *weight.layout;
  const SourceReader read = FindSourceReader(source.dtype);
  const int64_t first = group * kGroupOutputs;
  const int num_outputs = static_cast<int>(
      std::min<int64_t>(kGroupOutputs, source.outputs - first));
  const uint8_t* rows =
      source.bytes.data() + static_cast<size_t>(first) * weight.row_bytes;
  SourceBlock blocks[kGroupOutputs];
  alignas(64) uint8_t vectors[kNumVectors * 64];
  uint8_t* codes = out + weight.codes_at;
  for (int64_t b = 0; b < source.inputs / kBlockInputs; ++b) {
    for (int o = 0; o < num_outputs; ++o)
      read(rows + static_cast<size_t>(o) * weight.row_bytes, b, &blocks[o]);
    Interleave(blocks, vectors);
    Squeeze(layout.codes, vectors, codes + b * layout.code_bytes);
    WriteHeader(layout, blocks, static_cast<int>(b % layout.header_blocks()),
                out + b / layout.header_blocks() * layout.header_bytes());
  }
}

template <class Element>
void PackFloatGroup(const WeightSource& source, int64_t group, uint8_t* out) {
  const int64_t first = group * kGroupOutputs;
  const int64_t num_outputs =
      std::min<int64_t>(kGroupOutputs, source.outputs - first);
  const uint8_t* rows =
      source.bytes.data() +
      static_cast<size_t>(first * source.inputs) * sizeof(Element);
  constexpr int64_t kRun = 64;  // inputs at a time, so that the group's lines
                                // stay in the first cache
  for (int64_t begin = 0; begin < source.inputs; begin += kRun) {
    const int64_t end = std::min(begin + kRun, source.inputs);
    for (int64_t o = 0; o < num_outputs; ++o) {
      for (int64_t i = begin; i < end; ++i) {
        std::memcpy(
            out + static_cast<size_t>(i * kGroupOutputs + o) * sizeof(Element),
            rows + static_cast<size_t>(o * source.inputs + i) * sizeof(Element),
            sizeof(Element));
      }
    }
  }
}

absl::Status CheckSource(const WeightSource& source,
                         const PackedLayout& layout) {
  const std::string type(GetDTypeTraits(source.dtype).name);
  if (source.outputs <= 0 || source.inputs <= 0 ||
      source.outputs > kMaxExtent || source.inputs > kMaxExtent) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor \"", std::string(source.name), "\" has the shape ",
                     source.outputs, " x ", source.inputs,
                     ", which is not a weight matrix's"));
  }
  const int block = layout.is_float() ? 1 : layout.header_inputs;
  if (source.inputs % block != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor \"", std::string(source.name), "\" has rows of ", source.inputs,
        " elements; ", type, " needs a multiple of ", block));
  }
  return absl::OkStatus();
}

// Splits [0, count) into parts of `per_task` and runs them on the executor.
void ForEachPart(Executor& executor, int64_t count, int64_t per_task,
                 absl::FunctionRef<void(int64_t begin, int64_t end)> part) {
  const int num_tasks = static_cast<int>((count + per_task - 1) / per_task);
  executor.Run(num_tasks, [&](int task) {
    const int64_t begin = task * per_task;
    part(begin, std::min(begin + per_task, count));
  });
}

void PackGroup(const WeightSource& source, const PackedWeight& weight,
               int64_t group) {
  uint8_t* out =
      weight.block.data() + static_cast<size_t>(group) * weight.group_bytes;
  switch (weight.layout->codes) {
    case Codes::kFloat32:
      return PackFloatGroup<uint32_t>(source, group, out);
    case Codes::kFloat16:
    case Codes::kBFloat16:
      return PackFloatGroup<uint16_t>(source, group, out);
    default:
      return PackQuantizedGroup(source, weight, group, out);
  }
}

}  // namespace

const PackedLayout* FindPackedLayout(DType dtype) {
  for (const PackedLayout& layout : kPackedLayouts) {
    if (layout.dtype == dtype) return &layout;
  }
  return nullptr;
}

size_t PackedWeightBytes(DType dtype, int64_t outputs, int64_t inputs) {
  const PackedLayout* layout = FindPackedLayout(dtype);
  if (layout == nullptr) return 0;
  const WeightSource source{dtype, outputs, inputs, {}, {}};
  if (!CheckSource(source, *layout).ok()) return 0;
  const int64_t num_groups = (outputs + kGroupOutputs - 1) / kGroupOutputs;
  size_t num_bytes = 0;
  if (__builtin_mul_overflow(ShapeOf(*layout, inputs).group_bytes,
                             static_cast<size_t>(num_groups), &num_bytes)) {
    return 0;
  }
  return num_bytes;
}

absl::StatusOr<std::unique_ptr<Weight>> PackWeight(const WeightSource& source,
                                                   Isa isa, Memory& memory,
                                                   Executor& executor) {
  const PackedLayout* layout = FindPackedLayout(source.dtype);
  if (layout == nullptr) {
    const DTypeTraits* traits =
        FindDTypeTraits(static_cast<uint32_t>(source.dtype));
    return absl::UnimplementedError(absl::StrCat(
        "tensor \"", std::string(source.name), "\" has the type ",
        traits != nullptr ? std::string(traits->name)
                          : absl::StrCat(static_cast<int>(source.dtype)),
        ", which cannot be a weight matrix"));
  }
  SPECINFER_RETURN_IF_ERROR(CheckSource(source, *layout));
  const DTypeTraits& traits = GetDTypeTraits(source.dtype);
  const size_t row_bytes =
      static_cast<size_t>(source.inputs / traits.block_elements) *
      static_cast<size_t>(traits.block_bytes);
  if (source.bytes.size() % row_bytes != 0 ||
      source.bytes.size() / row_bytes != static_cast<size_t>(source.outputs)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor \"", std::string(source.name), "\" holds ", source.bytes.size(),
        " bytes; ", source.outputs, " rows of ", source.inputs, " ",
        std::string(traits.name), " elements take ", row_bytes, " each"));
  }
  auto weight = std::make_unique<PackedWeight>();
  weight->dtype = source.dtype;
  weight->outputs = source.outputs;
  weight->inputs = source.inputs;
  weight->layout = layout;
  weight->row_bytes = row_bytes;
  weight->is_raw = isa == Isa::kReference;
  const GroupShape shape = ShapeOf(*layout, source.inputs);
  weight->group_bytes = shape.group_bytes;
  weight->codes_at = shape.codes_at;
  weight->packed_bytes =
      weight->is_raw
          ? source.bytes.size()
          : PackedWeightBytes(source.dtype, source.outputs, source.inputs);
  SPECINFER_ASSIGN_OR_RETURN(weight->block,
                             memory.Allocate(weight->packed_bytes, "weights"));
  if (weight->is_raw) {
    ForEachPart(
        executor, source.outputs, /*per_task=*/256,
        [&](int64_t begin, int64_t end) {
          std::memcpy(
              weight->block.data() + static_cast<size_t>(begin) * row_bytes,
              source.bytes.data() + static_cast<size_t>(begin) * row_bytes,
              static_cast<size_t>(end - begin) * row_bytes);
        });
  } else {
    ForEachPart(executor, weight->num_groups(), /*per_task=*/8,
                [&](int64_t begin, int64_t end) {
                  for (int64_t group = begin; group < end; ++group)
                    PackGroup(source, *weight, group);
                });
  }
  return weight;
}

}  // namespace specinfer::cpu
