#include "backends/cpu/kernels/linear.h"

#include <algorithm>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/head.h"
#include "backends/cpu/kernels/linear_kernel.h"
#include "backends/cpu/kernels/linear_rows.h"
#include "backends/cpu/kernels/ops.h"
#include "backends/cpu/kernels/pick_kernel.h"
#include "src/base/status_macros.h"

namespace specinfer::cpu {
namespace {

// Rows of one tile: their activations stay in the second cache while the tile's
// groups pass by. Tiles of AMX, which unpack weights for all their rows, want
// as many as there may be.
constexpr int64_t kMaxRowsPerTile = 64;
constexpr int64_t kMaxTileRowBytes = 512 << 10;
// What a tile may cost: 50 to 100 µs on one core.
constexpr int64_t kTileBytes = 1 << 20;
constexpr int64_t kTileProducts = 8 << 20;
constexpr int64_t kByteTileProducts = 64 << 20;  // of bytes in AMX
constexpr int64_t kMinTilesPerWorker = 4;
// Fewer rows leave tiles so empty that vectors are faster.
constexpr int64_t kMinAmxRows = 9;

bool TakesTiles(Isa isa, DType dtype, int64_t num_rows) {
  return isa == Isa::kAmx && num_rows >= kMinAmxRows &&
         !FindPackedLayout(dtype)->is_float();
}

// How many groups one call of the kernel may compute.
int64_t MaxGroupsAtOnce(Isa isa, DType dtype, int64_t num_rows) {
  return TakesTiles(isa, dtype, num_rows) && dtype == DType::kQ8_K ? kMaxGroups
                                                                   : 1;
}

// Of a row that is quantised, or of one that is not.
int64_t RowBytes(Activations activations, int64_t inputs) {
  switch (activations) {
    case Activations::kBlocks:
      return (inputs + kBlockInputs - 1) / kBlockInputs *
             static_cast<int64_t>(sizeof(ActivationBlock));
    case Activations::kSpans:
      return NumSpans(inputs) * static_cast<int64_t>(sizeof(ActivationSpan));
    case Activations::kFloats:
      break;
  }
  return inputs * static_cast<int64_t>(sizeof(float));
}

int64_t MaxRowsPerTile(Isa isa, Activations activations, int64_t inputs) {
  if (isa == Isa::kAmx) return kMaxRowsPerTile;
  const int64_t rows = kMaxTileRowBytes / RowBytes(activations, inputs);
  return std::clamp(rows / kPanelRows * kPanelRows, int64_t{kPanelRows},
                    kMaxRowsPerTile);
}

// How the work of one RunLinear is cut: tile t covers the groups [t /
// num_row_parts · groups, …) of all outputs together and the rows [t %
// num_row_parts · rows, …), so tiles that run together read the same weights.
struct TilePlan {
  int64_t num_groups = 0;
  int64_t groups = 1;  // of a tile
  int64_t num_row_parts = 1;
  int64_t rows = 1;  // of a tile
  int64_t num_tiles() const {
    return (num_groups + groups - 1) / groups * num_row_parts;
  }
};

TilePlan PlanTiles(const LinearArgs& args, Activations activations, Isa isa,
                   int num_workers) {
  TilePlan plan;
  int64_t bytes = 0;
  int64_t tile_products = kByteTileProducts;
  for (const LinearOutput& output : args.outputs) {
    const PackedWeight& weight = AsPacked(*output.weight);
    if (weight.layout->activations() != activations) continue;
    if (MaxGroupsAtOnce(isa, weight.dtype, args.in.rows) == 1)
      tile_products = kTileProducts;
    plan.num_groups += weight.num_groups();
    bytes += static_cast<int64_t>(output.weight->packed_bytes);
  }
  if (plan.num_groups == 0) return plan;
  const int64_t rows = args.in.rows;
  const int64_t max_rows = MaxRowsPerTile(isa, activations, args.in.columns);
  plan.num_row_parts = (rows + max_rows - 1) / max_rows;
  plan.rows =
      ((rows + plan.num_row_parts - 1) / plan.num_row_parts + kPanelRows - 1) /
      kPanelRows * kPanelRows;
  plan.num_row_parts = (rows + plan.rows - 1) / plan.rows;
  const int64_t group_bytes = std::max<int64_t>(bytes / plan.num_groups, 1);
  const int64_t group_products = std::max<int64_t>(
      args.in.columns * kGroupOutputs * std::min(rows, plan.rows), 1);
  const int64_t by_cost =
      std::min(kTileBytes / group_bytes, tile_products / group_products);
  const int64_t by_balance =
      plan.num_groups * plan.num_row_parts / (kMinTilesPerWorker * num_workers);
  plan.groups =
      std::clamp<int64_t>(std::min(by_cost, by_balance), 1, plan.num_groups);
  return plan;
}

// One tile: groups [first_group, last_group), counted over all outputs, of
// `num_rows` rows from `first_row` on, a multiple of kPanelRows. Outputs whose
// weights want other activations are passed over.
void RunTile(const LinearArgs& args, const QuantizedRows& rows, Isa isa,
             int64_t first_row, int64_t num_rows, int64_t first_group,
             int64_t last_group) {
  for (const LinearOutput& output : args.outputs) {
    const PackedWeight& weight = AsPacked(*output.weight);
    if (weight.layout->activations() != rows.activations) continue;
    const int64_t num_groups = weight.num_groups();
    if (first_group < num_groups && last_group > 0) {
      LinearTile tile = rows.TileOf(weight, isa, first_row, num_rows);
      LinearKernel* const kernel =
          FindLinearKernel(isa, weight.dtype, num_rows);
      const int64_t last = std::min(last_group, num_groups);
      const int64_t step = MaxGroupsAtOnce(isa, weight.dtype, num_rows);
      for (tile.group = std::max<int64_t>(first_group, 0); tile.group < last;
           tile.group += step) {
        tile.num_groups = std::min(step, last - tile.group);
        const int64_t first_output = tile.group * kGroupOutputs;
        tile.bias =
            output.bias.empty() ? nullptr : Floats(output.bias) + first_output;
        tile.out =
            Floats(output.out) + first_row * weight.outputs + first_output;
        kernel(tile);
      }
    }
    first_group -= num_groups;
    last_group -= num_groups;
  }
}

}  // namespace

LinearKernel* FindLinearKernel(Isa isa, DType dtype,
                               [[maybe_unused]] int64_t num_rows) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kAmx:
      if (TakesTiles(isa, dtype, num_rows)) return FindLinearAmx(dtype);
      [[fallthrough]];
    case Isa::kAvx512:
      return FindLinearAvx512(dtype);
    case Isa::kAvx2:
      return FindLinearAvx2(dtype);
    case Isa::kNeon:
    case Isa::kReference:
      break;
  }
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return FindLinearNeon(dtype);
#endif
  return &LinearReference;
}

namespace {

// Measured on Sapphire Rapids (AMX, when headers lay apart from codes) and Zen
// 5.
PrefetchAhead PrefetchAheadOf(Isa isa) {
  if (isa == Isa::kAmx) return {2048, 16384};
  return {8192, 0};
}

}  // namespace

LinearTile QuantizedRows::TileOf(const PackedWeight& weight, Isa isa,
                                 int64_t first_row,
                                 int64_t num_tile_rows) const {
  const int64_t inputs = weight.inputs;
  LinearTile tile = {.weight = &weight,
                     .num_rows = num_tile_rows,
                     .out_stride = weight.outputs,
                     .ahead = PrefetchAheadOf(isa)};
  switch (activations) {
    case Activations::kFloats:
      tile.floats = floats + first_row * inputs;
      break;
    case Activations::kBlocks:
      tile.blocks = reinterpret_cast<const ActivationBlock*>(codes) +
                    PanelOffset(inputs / kBlockInputs, first_row);
      break;
    case Activations::kSpans:
      tile.spans = reinterpret_cast<const ActivationSpan*>(codes) +
                   PanelOffset(NumSpans(inputs), first_row);
      break;
  }
  return tile;
}

namespace {

// Zeros stand for what a short span lacks.
void QuantizeToSpans(QuantizeSpansKernel* quantize, const float* in,
                     int64_t inputs, int64_t stride, ActivationSpan* out) {
  const int64_t whole = inputs / kSpanInputs * kSpanInputs;
  quantize(in, whole, stride, out);
  if (whole == inputs) return;
  alignas(64) float rest[kSpanInputs] = {};
  std::copy(in + whole, in + inputs, rest);
  quantize(rest, kSpanInputs, stride, out + whole / kSpanInputs * stride);
}

}  // namespace

absl::Status QuantizeRows(const Tensor& in, int64_t num_rows,
                          absl::FunctionRef<int64_t(int64_t)> source, Isa isa,
                          const QuantizedRows& out, TileRunner& tiles) {
  if (out.activations == Activations::kFloats) return absl::OkStatus();
  QuantizeKernel* const to_blocks = SPECINFER_PICK_KERNEL(isa, &Quantize);
  QuantizeSpansKernel* const to_spans =
      SPECINFER_PICK_KERNEL(isa, &QuantizeSpans);
  const int64_t rows_per_tile = RowsPerTile(in.columns);
  const int64_t inputs = in.columns;
  return tiles.Phase(
      (num_rows + rows_per_tile - 1) / rows_per_tile, [&](int64_t tile, int) {
        const int64_t end = std::min(num_rows, (tile + 1) * rows_per_tile);
        for (int64_t row = tile * rows_per_tile; row < end; ++row) {
          const float* floats = Floats(in) + source(row) * inputs;
          const int64_t stride = PanelStride(num_rows, row);
          if (out.activations == Activations::kBlocks) {
            to_blocks(floats, inputs, stride,
                      reinterpret_cast<ActivationBlock*>(out.codes) +
                          PanelOffset(inputs / kBlockInputs, row));
          } else {
            QuantizeToSpans(to_spans, floats, inputs, stride,
                            reinterpret_cast<ActivationSpan*>(out.codes) +
                                PanelOffset(NumSpans(inputs), row));
          }
        }
      });
}

absl::Status AllocateLinearScratch(const StreamLimits& limits, int num_workers,
                                   Memory& memory, Scratch* scratch) {
  // The head quantises a row for each query. A kernel may read a panel beyond
  // the end of the last, and ignores what it finds. Whole spans take less than
  // their blocks, short ones may take more.
  const int64_t rows = limits.max_vocabulary > 0
                           ? std::max(limits.max_rows, kMaxBatchQueries)
                           : limits.max_rows;
  const int64_t row_bytes =
      std::max(RowBytes(Activations::kBlocks, limits.max_inputs),
               RowBytes(Activations::kSpans, limits.max_inputs));
  if (limits.max_inputs > 0) {
    SPECINFER_ASSIGN_OR_RETURN(
        scratch->quantized,
        memory.Allocate(static_cast<size_t>((rows + kPanelRows) * row_bytes),
                        "activations"));
  }
  return AllocateHeadScratch(limits, num_workers, memory, scratch);
}

absl::Status RunLinear(const LinearArgs& args, Isa isa, Scratch& scratch,
                       TileRunner& tiles) {
  if (args.in.rows == 0) return absl::OkStatus();
  for (const Activations activations :
       {Activations::kFloats, Activations::kBlocks, Activations::kSpans}) {
    const TilePlan plan =
        PlanTiles(args, activations, isa, tiles.num_workers());
    if (plan.num_groups == 0) continue;
    const QuantizedRows rows = {activations, Floats(args.in),
                                scratch.quantized.data()};
    SPECINFER_RETURN_IF_ERROR(QuantizeRows(
        args.in, args.in.rows, [](int64_t row) { return row; }, isa, rows,
        tiles));
    SPECINFER_RETURN_IF_ERROR(
        tiles.Phase(plan.num_tiles(), [&](int64_t tile, int) {
          const int64_t first_group = tile / plan.num_row_parts * plan.groups;
          const int64_t first_row = tile % plan.num_row_parts * plan.rows;
          RunTile(args, rows, isa, first_row,
                  std::min(plan.rows, args.in.rows - first_row), first_group,
                  std::min(first_group + plan.groups, plan.num_groups));
        }));
  }
  return absl::OkStatus();
}

}  // namespace specinfer::cpu
