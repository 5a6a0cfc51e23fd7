// Rows of a packed table as floats.
#include <algorithm>
#include <cstring>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/linear.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pack.h"
#include "backends/cpu/reference/dequantize.h"
#include "src/base/half.h"

namespace specinfer::cpu {
namespace {

uint16_t LoadHalf(const uint8_t* bytes) {
  uint16_t half;
  std::memcpy(&half, bytes, sizeof(half));
  return half;
}

// The code of a block's input `i` of output `o`, undoing Codes.
int CodeAt(Codes codes, const uint8_t* block, int o, int i) {
  const int v = i / 4;
  const uint8_t* column = block + o * 4 + i % 4;  // this byte of plane 0
  switch (codes) {
    case Codes::k2Bit:
    case Codes::k3Bit: {
      const int low = column[v / 4 * 64] >> (v % 4 * 2) & 3;
      return codes == Codes::k2Bit ? low : low | (column[128] >> v & 1) << 2;
    }
    case Codes::k4Bit:
    case Codes::k5Bit:
    case Codes::kTable4: {
      const int low = column[v % 4 * 64] >> (v / 4 * 4) & 15;
      return codes == Codes::k5Bit ? low | (column[256] >> v & 1) << 4 : low;
    }
    case Codes::k6Bit: {
      if (v < 6) return column[v * 64] & 63;
      const uint8_t* plane = column + (v - 6) * 192;
      return plane[0] >> 6 | plane[64] >> 6 << 2 | plane[128] >> 6 << 4;
    }
    case Codes::kSigned8:
      return static_cast<int8_t>(column[v * 64]);
    case Codes::k8Bit:
      return column[v * 64];
    default:
      return 0;
  }
}

// The value of one weight: scale · sub_scale, · weight, then plus or minus
// minimum · sub_minimum.
struct RowScales {
  float scale[2];  // by half of the block
  float minimum[2];
};

RowScales ScalesAt(const PackedLayout& layout, const uint8_t* header, int block,
                   int o) {
  RowScales scales = {};
  const float scale = HalfToFloat(LoadHalf(header + o * 2));
  const float minimum =
      layout.has_minima ? HalfToFloat(LoadHalf(header + 32 + o * 2)) : 0.0f;
  for (int half = 0; half < 2; ++half) {
    scales.scale[half] = scale;
    scales.minimum[half] = layout.subtracts_minima ? -minimum : minimum;
    if (layout.sub_scales == 0) continue;
    const int at =
        (block * layout.sub_scales + std::min(half, layout.sub_scales - 1)) *
            kGroupOutputs +
        o;
    const uint8_t sub_scale = header[layout.sub_scales_at() + at];
    const uint8_t sub_minimum =
        layout.has_minima ? header[layout.sub_minima_at() + at] : uint8_t{0};
    if (layout.has_nibble_scales()) {
      scales.scale[half] *= static_cast<float>(sub_scale & 15);
      scales.minimum[half] *= static_cast<float>(sub_minimum >> 4);
    } else {
      scales.scale[half] *= static_cast<float>(
          layout.has_minima ? sub_scale : static_cast<int8_t>(sub_scale));
      if (layout.has_minima)
        scales.minimum[half] *= static_cast<float>(sub_minimum);
    }
  }
  return scales;
}

void UnpackQuantizedRow(const PackedWeight& weight, int64_t row, float* out) {
  const PackedLayout& layout = *weight.layout;
  const uint8_t* group = weight.group(row / kGroupOutputs);
  const int o = static_cast<int>(row % kGroupOutputs);
  for (int64_t b = 0; b * kBlockInputs < weight.inputs; ++b) {
    const int64_t in_run = b % kRunBlocks;
    const uint8_t* run = group + b / kRunBlocks * layout.RunBytes(kRunBlocks);
    const uint8_t* header =
        run + in_run / layout.header_blocks() * layout.header_bytes();
    const uint8_t* codes =
        run + layout.HeadersBytes(weight.NumRunBlocks(b - in_run)) +
        in_run * layout.code_bytes;
    const RowScales scales = ScalesAt(
        layout, header, static_cast<int>(b % layout.header_blocks()), o);
    const int64_t rest = weight.inputs - b * kBlockInputs;
    for (int i = 0; i < std::min<int64_t>(rest, kBlockInputs); ++i) {
      const int code = CodeAt(layout.codes, codes, o, i);
      const int value = layout.codes == Codes::kTable4 ? kTable4Values[code]
                        : layout.codes == Codes::kSigned8
                            ? code
                            : code - layout.offset;
      out[b * kBlockInputs + i] =
          scales.scale[i / 16] * static_cast<float>(value) +
          scales.minimum[i / 16];
    }
  }
}

void UnpackFloatRow(const PackedWeight& weight, int64_t row, float* out) {
  const uint8_t* group = weight.group(row / kGroupOutputs);
  for (int64_t i = 0; i < weight.inputs; ++i) {
    const int64_t element = i * kGroupOutputs + row % kGroupOutputs;
    switch (weight.layout->codes) {
      case Codes::kFloat32:
        std::memcpy(&out[i], group + element * 4, 4);
        break;
      case Codes::kFloat16:
        out[i] = HalfToFloat(LoadHalf(group + element * 2));
        break;
      default:
        out[i] = BFloat16ToFloat(LoadHalf(group + element * 2));
        break;
    }
  }
}

}  // namespace

absl::Status RunEmbed(const EmbedArgs& args, Isa, TileRunner& tiles) {
  const PackedWeight& table = AsPacked(*args.table);
  const int64_t width = table.inputs;
  const int64_t num_rows = static_cast<int64_t>(args.tokens.size());
  const int64_t rows_per_tile = std::max<int64_t>(RowsPerTile(width) / 4, 1);
  return tiles.Phase(
      (num_rows + rows_per_tile - 1) / rows_per_tile, [&](int64_t tile, int) {
        const int64_t end = std::min(num_rows, (tile + 1) * rows_per_tile);
        for (int64_t row = tile * rows_per_tile; row < end; ++row) {
          float* out = Floats(args.out) + row * width;
          const int64_t token = args.tokens[static_cast<size_t>(row)];
          if (table.is_raw) {
            DequantizeRow(table.dtype, table.row(token), width, out);
          } else if (table.layout->is_float()) {
            UnpackFloatRow(table, token, out);
          } else {
            UnpackQuantizedRow(table, token, out);
          }
          for (int64_t i = 0; i < width; ++i) out[i] = out[i] * args.multiplier;
        }
      });
}

}  // namespace specinfer::cpu
