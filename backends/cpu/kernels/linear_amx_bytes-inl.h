// Weights of int8 with one scale per span in tiles, which take them as they are
// stored.
//
// A unit is a span of two panels of rows times two groups of outputs: four
// sums, so that each load of rows or of weights serves two products. Spans come
// outermost, for then a span of the rows and of the groups stays in the first
// cache. While a unit is multiplied, the sums of the unit before are scaled and
// added, two rows after each product.
//
// Included by linear_amx-inl.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BYTES_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BYTES_INL_H_

namespace specinfer::cpu {
namespace {

// Σ code · activation of a unit, [panel][group].
struct alignas(64) UnitSums {
  BlockSums of[2][2];
};

// What a unit multiplies, and where its values go.
struct Unit {
  const ActivationSpan* x[2];  // by panel: its first row
  const uint8_t* codes[2];     // by group
  const uint8_t* header[2];    // by group
  PanelSums* panels[2];        // by panel: of the first of the groups
  int num_panels;
  int num_groups;
};

// Scales the sums of one unit and adds them, as far as each step goes. Rows
// that a panel lacks compute what nobody reads.
class UnitAdder {
 public:
  void Begin(const Unit& unit, const UnitSums& sums) {
    unit_ = unit;
    sums_ = &sums;
    row_ = 0;
    end_ = unit.num_panels * kPanelRows;
    for (int g = 0; g < unit.num_groups; ++g)
      scales_[g] = LoadScales(unit.header[g]);
  }

  void Step() {
    if (row_ == end_) return;
    const int panel = row_ / kPanelRows;
    const int row = row_ % kPanelRows;
    AddRow(panel, row);
    AddRow(panel, row + 1);
    row_ += 2;
  }

  void Finish() {
    while (row_ < end_) Step();
  }

 private:
  // The sums are below 2^22: 256 · 128 · 127.
  void AddRow(int panel, int row) {
    const __m512 row_scale = _mm512_set1_ps(unit_.x[panel][row].scale);
    for (int g = 0; g < unit_.num_groups; ++g) {
      float* const acc = unit_.panels[panel][g].rows[row];
      const __m512 dot =
          ToFloats(_mm512_load_si512(sums_->of[panel][g].rows[row]));
      _mm512_store_ps(acc, _mm512_fmadd_ps(_mm512_mul_ps(scales_[g], row_scale),
                                           dot, _mm512_load_ps(acc)));
    }
  }

  Unit unit_;
  const UnitSums* sums_ = nullptr;
  __m512 scales_[2];
  int row_ = 0;
  int end_ = 0;
};

// Registers: 0 to 3 sums, [panel][group]; 4, 5 rows; 6, 7 codes.
constexpr TileShapes UnitShapes(int num_rows) {
  TileShapes shapes;
  for (int tile = 0; tile < 6; ++tile) shapes.Set(tile, num_rows, 64);
  for (const int tile : {6, 7}) shapes.Set(tile, kTileRows, 64);
  return shapes;
}

template <class Tiles, int kPanels, int kGroups>
void MultiplyUnit(const Unit& unit, int num_tiles, UnitAdder* before,
                  UnitSums* out) {
  Tiles::template Zero<0>();
  if constexpr (kGroups > 1) Tiles::template Zero<1>();
  if constexpr (kPanels > 1) Tiles::template Zero<2>();
  if constexpr (kPanels > 1 && kGroups > 1) Tiles::template Zero<3>();
  for (int t = 0; t < num_tiles; ++t) {
    const auto rows = [&](int p) { return unit.x[p]->codes + t * kTileInputs; };
    const auto codes = [&](int g) {
      return unit.codes[g] + t * kTileRows * kTileRowBytes;
    };
    Tiles::template Load<4>(rows(0), sizeof(ActivationSpan));
    Tiles::template Load<6>(codes(0), kTileRowBytes);
    Tiles::template DotSignedSigned<0, 4, 6>();
    before->Step();
    if constexpr (kGroups > 1) {
      Tiles::template Load<7>(codes(1), kTileRowBytes);
      Tiles::template DotSignedSigned<1, 4, 7>();
      before->Step();
    }
    if constexpr (kPanels > 1) {
      Tiles::template Load<5>(rows(1), sizeof(ActivationSpan));
      Tiles::template DotSignedSigned<2, 5, 6>();
      before->Step();
    }
    if constexpr (kPanels > 1 && kGroups > 1) {
      Tiles::template DotSignedSigned<3, 5, 7>();
      before->Step();
    }
  }
  before->Finish();
  Tiles::template Store<0>(out->of[0][0].rows, kTileRowBytes);
  if constexpr (kGroups > 1)
    Tiles::template Store<1>(out->of[0][1].rows, kTileRowBytes);
  if constexpr (kPanels > 1)
    Tiles::template Store<2>(out->of[1][0].rows, kTileRowBytes);
  if constexpr (kPanels > 1 && kGroups > 1)
    Tiles::template Store<3>(out->of[1][1].rows, kTileRowBytes);
}

template <class Tiles, int kLayout>
class BytePanels {
 public:
  BytePanels(const LinearTile& tile, const PanelRange& range)
      : tile_(tile),
        range_(range),
        num_spans_(tile.weight->num_headers()),
        num_panels_(static_cast<int>(range.num_panels())),
        num_groups_(static_cast<int>(tile.num_groups)) {}

  void Run() {
    Tiles::Configure(UnitShapes(static_cast<int>(range_.RowsOf(0))));
    for (int64_t s = 0; s < num_spans_; ++s) {
      const int num_tiles =
          NumSpanBlocks<kLayout>(tile_, s) * kBlockInputs / kTileInputs;
      for (int g = 0; g < num_groups_; g += 2) {
        for (int p = 0; p < num_panels_; p += 2)
          RunUnit(UnitOf(s, p, g), num_tiles);
      }
    }
    adder_.Finish();
    Tiles::Release();
    Store();
  }

 private:
  Unit UnitOf(int64_t s, int panel, int group) {
    constexpr PackedLayout kL = kPackedLayouts[kLayout];
    Unit unit = {};
    unit.num_panels = num_panels_ - panel < 2 ? 1 : 2;
    unit.num_groups = num_groups_ - group < 2 ? 1 : 2;
    for (int p = 0; p < unit.num_panels; ++p) {
      unit.x[p] = tile_.SpansOf(range_.first_row) +
                  (panel + p) * kPanelRows * num_spans_ +
                  s * range_.RowsOf(panel + p);
      unit.panels[p] = &sums_[panel + p][group];
    }
    for (int g = 0; g < unit.num_groups; ++g) {
      unit.header[g] = tile_.weight->group(tile_.group + group + g);
      unit.codes[g] = unit.header[g] + tile_.weight->codes_at +
                      s * kL.header_blocks() * kL.code_bytes;
      unit.header[g] += s * kL.header_bytes();
    }
    return unit;
  }

  void RunUnit(const Unit& unit, int num_tiles) {
    using Multiplier = void(const Unit&, int, UnitAdder*, UnitSums*);
    static constexpr Multiplier* kMultipliers[2][2] = {
        {&MultiplyUnit<Tiles, 1, 1>, &MultiplyUnit<Tiles, 1, 2>},
        {&MultiplyUnit<Tiles, 2, 1>, &MultiplyUnit<Tiles, 2, 2>}};
    UnitSums& out = unit_sums_[num_units_++ % 2];
    kMultipliers[unit.num_panels - 1][unit.num_groups - 1](unit, num_tiles,
                                                           &adder_, &out);
    adder_.Begin(unit, out);
  }

  void Store() {
    LinearTile tile = tile_;
    for (int g = 0; g < num_groups_; ++g) {
      for (int p = 0; p < num_panels_; ++p) {
        StorePanel(tile, range_.first_row + p * kPanelRows, range_.RowsOf(p),
                   sums_[p][g]);
      }
      ++tile.group;
      tile.out += kGroupOutputs;
      if (tile.bias != nullptr) tile.bias += kGroupOutputs;
    }
  }

  const LinearTile& tile_;
  const PanelRange& range_;
  const int64_t num_spans_;
  const int num_panels_;
  const int num_groups_;
  int num_units_ = 0;
  UnitAdder adder_;
  UnitSums unit_sums_[2];
  PanelSums sums_[kMaxPanels][kMaxGroups] = {};
};

template <class Tiles, int kLayout>
void RunBytePanels(const LinearTile& tile, const PanelRange& range) {
  BytePanels<Tiles, kLayout>(tile, range).Run();
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BYTES_INL_H_
