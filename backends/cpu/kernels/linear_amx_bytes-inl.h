// Weights of int8 with one scale per span in tiles, which take them as they are
// stored.
//
// A unit is a span of two panels of rows times two groups of outputs: four
// sums, so that each load of rows or of weights serves two products. The rows
// of two panels and two spans stay in the first cache while all groups pass by,
// whose weights come from the second: more from there and tiles would wait.
//
// While a unit is multiplied, the sums of the unit before are scaled and added,
// two rows after each product, in one run of instructions without a branch:
// then tiles and vectors work at the same time. Those of the last span go to
// where they are wanted, so that the stores have time, too.
//
// Included by linear_amx-inl.h.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BYTES_INL_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BYTES_INL_H_

namespace specinfer::cpu {
namespace {

constexpr int kUnitPanels = 2;
constexpr int kUnitGroups = 2;
constexpr int kUnitTiles = kSpanInputs / kTileInputs;  // one after the other
constexpr int kUnitParts = 4 * kUnitTiles;             // of adding a unit
constexpr int64_t kChunkSpans = 2;  // whose rows the first cache keeps

// Σ code · activation of a unit, [panel][group].
struct alignas(64) UnitSums {
  BlockSums of[kUnitPanels][kUnitGroups];
};

// What a unit multiplies, and where its values go. A panel or a group that it
// lacks is its first once more, with no rows or outputs to store.
struct Unit {
  const ActivationSpan* x[kUnitPanels];  // the first row
  int64_t num_rows[kUnitPanels];
  const uint8_t* codes[kUnitGroups];
  const uint8_t* header[kUnitGroups];
  __mmask16 outputs[kUnitGroups];
  const float* bias[kUnitGroups];  // or null
  PanelSums* acc;                  // [panel][group]
  float* out;                      // of the first row and output
  int64_t out_stride;
  bool is_first, is_last;  // of the spans
  int num_panels;
  int num_tiles;
};

// Where the sums of spans come from and go to: an accumulator, but zero before
// the first span, and the outputs after the last.
enum class Ends { kNeither, kFirst, kLast, kBoth };

// Scales the sums of a unit of kPanels panels and adds them, kUnitParts parts
// of as many rows each. Of no panels: has no parts.
template <int kPanels, Ends kEnds>
class UnitAdder {
 public:
  UnitAdder(const Unit& unit, const UnitSums& sums)
      : unit_(unit), sums_(&sums) {
    for (int g = 0; g < kUnitGroups; ++g) {
      scales_[g] = LoadScales(unit.header[g]);
      // What changes no number, nor the sign of zero.
      bias_[g] = unit.bias[g] == nullptr
                     ? _mm512_set1_ps(-0.0f)
                     : _mm512_maskz_loadu_ps(unit.outputs[g], unit.bias[g]);
    }
  }

  template <int kPart>
  [[gnu::always_inline]] void Add() const {
    if constexpr (kPanels == 1) {
      AddRow<0, kPart>();
    } else if constexpr (kPanels == 2) {
      AddRow<kPart / 8, kPart % 8 * 2>();
      AddRow<kPart / 8, kPart % 8 * 2 + 1>();
    }
  }

  template <int kPart = 0>
  [[gnu::always_inline]] void AddAll() const {
    if constexpr (kPart < kUnitParts) {
      Add<kPart>();
      AddAll<kPart + 1>();
    }
  }

 private:
  static constexpr bool kIsFirst =
      kEnds == Ends::kFirst || kEnds == Ends::kBoth;
  static constexpr bool kIsLast = kEnds == Ends::kLast || kEnds == Ends::kBoth;

  template <int kPanel, int kRow>
  [[gnu::always_inline]] void AddRow() const {
    const __m512 row_scale = _mm512_set1_ps(unit_.x[kPanel][kRow].scale);
    AddVector<kPanel, kRow, 0>(row_scale);
    AddVector<kPanel, kRow, 1>(row_scale);
  }

  // The sums are below 2^22: 256 · 128 · 127.
  template <int kPanel, int kRow, int kGroup>
  [[gnu::always_inline]] void AddVector(__m512 row_scale) const {
    float* const acc = unit_.acc[kPanel * kUnitGroups + kGroup].rows[kRow];
    const __m512 dot =
        ToFloats(_mm512_load_si512(sums_->of[kPanel][kGroup].rows[kRow]));
    const __m512 sum =
        _mm512_fmadd_ps(_mm512_mul_ps(scales_[kGroup], row_scale), dot,
                        kIsFirst ? _mm512_setzero_ps() : _mm512_load_ps(acc));
    if constexpr (!kIsLast) {
      _mm512_store_ps(acc, sum);
    } else if (kRow < unit_.num_rows[kPanel]) {
      _mm512_mask_storeu_ps(
          unit_.out + (kPanel * kPanelRows + kRow) * unit_.out_stride +
              kGroup * kGroupOutputs,
          unit_.outputs[kGroup], _mm512_add_ps(sum, bias_[kGroup]));
    }
  }

  const Unit unit_;
  const UnitSums* const sums_;
  __m512 scales_[kUnitGroups];
  __m512 bias_[kUnitGroups];
};

template <>
class UnitAdder<0, Ends::kNeither> {
 public:
  UnitAdder(const Unit&, const UnitSums&) {}
  template <int kPart>
  void Add() const {}
  void AddAll() const {}
};

// Registers: 0 to 3 sums, [panel][group]; 4, 5 rows; 6, 7 codes.
constexpr TileShapes UnitShapes(int num_rows) {
  TileShapes shapes;
  for (int tile = 0; tile < 6; ++tile) shapes.Set(tile, num_rows, 64);
  for (const int tile : {6, 7}) shapes.Set(tile, kTileRows, 64);
  return shapes;
}

// Tile kTile of a unit, which lies in registers if it is the first.
template <class Tiles, int kPanels, int kTile, class Adder>
[[gnu::always_inline]] inline void MultiplyUnitTile(const Unit& unit,
                                                    const Adder& before) {
  constexpr int kRowsAt = kTile * kTileInputs;
  constexpr int kCodesAt = kTile * kTileRows * kTileRowBytes;
  constexpr bool kLoads = kTile > 0;
  if constexpr (kLoads) {
    Tiles::template Load<4>(unit.x[0]->codes + kRowsAt, sizeof(ActivationSpan));
    Tiles::template Load<6>(unit.codes[0] + kCodesAt, kTileRowBytes);
  }
  Tiles::template DotSignedSigned<0, 4, 6>();
  before.template Add<4 * kTile>();
  if constexpr (kLoads)
    Tiles::template Load<7>(unit.codes[1] + kCodesAt, kTileRowBytes);
  Tiles::template DotSignedSigned<1, 4, 7>();
  before.template Add<4 * kTile + 1>();
  if constexpr (kPanels > 1) {
    if constexpr (kLoads) {
      Tiles::template Load<5>(unit.x[1]->codes + kRowsAt,
                              sizeof(ActivationSpan));
    }
    Tiles::template DotSignedSigned<2, 5, 6>();
  }
  before.template Add<4 * kTile + 2>();
  if constexpr (kPanels > 1) Tiles::template DotSignedSigned<3, 5, 7>();
  before.template Add<4 * kTile + 3>();
}

template <class Tiles>
[[gnu::always_inline]] inline void LoadFirstTile(const Unit& unit) {
  Tiles::template Load<4>(unit.x[0]->codes, sizeof(ActivationSpan));
  Tiles::template Load<6>(unit.codes[0], kTileRowBytes);
  Tiles::template Load<7>(unit.codes[1], kTileRowBytes);
  Tiles::template Load<5>(unit.x[1]->codes, sizeof(ActivationSpan));
}

// Multiplies a unit, whose first tile is loaded, of `num_tiles`: kUnitTiles, or
// fewer of a short span. Then the first tile of the next is loaded before the
// sums are stored: the processor compares the last 12 bits of addresses, so any
// load after tile stores of 4 KB waits for one of these.
template <class Tiles, int kPanels, class Adder>
void MultiplyUnit(const Unit& unit_at, int num_tiles, const Unit& unit_before,
                  const UnitSums& sums_before, const Unit& next,
                  UnitSums* out) {
  const Unit unit = unit_at;
  const Adder before(unit_before, sums_before);
  Tiles::template Zero<0>();
  Tiles::template Zero<1>();
  if constexpr (kPanels > 1) {
    Tiles::template Zero<2>();
    Tiles::template Zero<3>();
  }
  if (num_tiles == kUnitTiles) {
    MultiplyUnitTile<Tiles, kPanels, 0>(unit, before);
    MultiplyUnitTile<Tiles, kPanels, 1>(unit, before);
    MultiplyUnitTile<Tiles, kPanels, 2>(unit, before);
    MultiplyUnitTile<Tiles, kPanels, 3>(unit, before);
  } else {
    const UnitAdder<0, Ends::kNeither> none(unit_before, sums_before);
    MultiplyUnitTile<Tiles, kPanels, 0>(unit, none);
    if (num_tiles > 1) MultiplyUnitTile<Tiles, kPanels, 1>(unit, none);
    if (num_tiles > 2) MultiplyUnitTile<Tiles, kPanels, 2>(unit, none);
    before.AddAll();
  }
  LoadFirstTile<Tiles>(next);
  Tiles::template Store<0>(out->of[0][0].rows, kTileRowBytes);
  Tiles::template Store<1>(out->of[0][1].rows, kTileRowBytes);
  if constexpr (kPanels > 1) {
    Tiles::template Store<2>(out->of[1][0].rows, kTileRowBytes);
    Tiles::template Store<3>(out->of[1][1].rows, kTileRowBytes);
  }
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
    for (int p = 0; p < num_panels_; p += kUnitPanels) {
      for (int64_t s = 0; s < num_spans_; s += kChunkSpans) {
        const int64_t left = num_spans_ - s;
        const int64_t end = s + (left < kChunkSpans ? left : kChunkSpans);
        for (int g = 0; g < num_groups_; g += kUnitGroups)
          for (int64_t i = s; i < end; ++i) Take(p, g, i);
      }
    }
    // No unit comes next: the last serves as well.
    Multiply(units_[(num_units_ - 1) % 3]);
    Finish();
    Tiles::Release();
  }

 private:
  void SetUnit(int panel, int group, int64_t s, Unit* set) {
    constexpr PackedLayout kL = kPackedLayouts[kLayout];
    const PackedWeight& weight = *tile_.weight;
    Unit& unit = *set;
    unit.num_panels = num_panels_ - panel < kUnitPanels ? 1 : kUnitPanels;
    for (int p = 0; p < kUnitPanels; ++p) {
      const bool exists = p < unit.num_panels;
      const int at = exists ? panel + p : panel;
      unit.x[p] = tile_.SpansOf(range_.first_row) +
                  at * kPanelRows * num_spans_ + s * range_.RowsOf(at);
      unit.num_rows[p] = exists ? range_.RowsOf(at) : 0;
    }
    for (int g = 0; g < kUnitGroups; ++g) {
      const bool exists = group + g < num_groups_;
      const int64_t at = exists ? group + g : group;
      const uint8_t* const data = weight.group(tile_.group + at);
      unit.header[g] = data + s * kL.RunBytes(kRunBlocks);
      unit.codes[g] = unit.header[g] + kL.HeadersBytes(kRunBlocks);
      unit.outputs[g] = exists ? OutputsOf(tile_.group + at) : __mmask16{0};
      unit.bias[g] =
          tile_.bias == nullptr ? nullptr : tile_.bias + at * kGroupOutputs;
    }
    // Of one chunk each unit's begins anew.
    unit.acc = &acc_[num_spans_ <= kChunkSpans ? 0 : group * kUnitPanels];
    unit.out = tile_.out +
               (range_.first_row + panel * kPanelRows) * tile_.out_stride +
               group * kGroupOutputs;
    unit.out_stride = tile_.out_stride;
    unit.num_tiles =
        NumSpanBlocks<kLayout>(tile_, s) * kBlockInputs / kTileInputs;
    unit.is_first = s == 0;
    unit.is_last = s == num_spans_ - 1;
  }

  __mmask16 OutputsOf(int64_t group) const {
    const int64_t left = tile_.weight->outputs - group * kGroupOutputs;
    return static_cast<__mmask16>(left < kGroupOutputs ? (1u << left) - 1u
                                                       : 0xffffu);
  }

  using Multiplier = void(const Unit&, int, const Unit&, const UnitSums&,
                          const Unit&, UnitSums*);
  template <int kPanels>
  static Multiplier* Pick(const Unit& before, bool has_before) {
    static constexpr Multiplier* kMultipliers[kUnitPanels][4] = {
        {&MultiplyUnit<Tiles, kPanels, UnitAdder<1, Ends::kNeither>>,
         &MultiplyUnit<Tiles, kPanels, UnitAdder<1, Ends::kFirst>>,
         &MultiplyUnit<Tiles, kPanels, UnitAdder<1, Ends::kLast>>,
         &MultiplyUnit<Tiles, kPanels, UnitAdder<1, Ends::kBoth>>},
        {&MultiplyUnit<Tiles, kPanels, UnitAdder<2, Ends::kNeither>>,
         &MultiplyUnit<Tiles, kPanels, UnitAdder<2, Ends::kFirst>>,
         &MultiplyUnit<Tiles, kPanels, UnitAdder<2, Ends::kLast>>,
         &MultiplyUnit<Tiles, kPanels, UnitAdder<2, Ends::kBoth>>}};
    if (!has_before)
      return &MultiplyUnit<Tiles, kPanels, UnitAdder<0, Ends::kNeither>>;
    return kMultipliers[before.num_panels - 1]
                       [before.is_first + 2 * before.is_last];
  }

  // Takes the next unit and multiplies the one before it.
  void Take(int panel, int group, int64_t s) {
    Unit& next = units_[num_units_ % 3];
    SetUnit(panel, group, s, &next);
    if (num_units_ == 0) {
      LoadFirstTile<Tiles>(next);
    } else {
      Multiply(next);
    }
    ++num_units_;
  }

  // Multiplies the last unit taken, adds the one before that, and loads `next`.
  void Multiply(const Unit& next) {
    const int at = num_units_ - 1;
    const Unit& unit = units_[at % 3];
    const Unit& before = units_[(at + 2) % 3];
    (unit.num_panels == 1 ? Pick<1>(before, at > 0) : Pick<2>(before, at > 0))(
        unit, unit.num_tiles, before, sums_[(at + 1) % 2], next,
        &sums_[at % 2]);
  }

  // Adds the last unit, which ends a row of spans.
  void Finish() {
    const Unit& last = units_[(num_units_ - 1) % 3];
    const UnitSums& sums = sums_[(num_units_ - 1) % 2];
    if (last.num_panels == 1) {
      last.is_first ? UnitAdder<1, Ends::kBoth>(last, sums).AddAll()
                    : UnitAdder<1, Ends::kLast>(last, sums).AddAll();
    } else {
      last.is_first ? UnitAdder<2, Ends::kBoth>(last, sums).AddAll()
                    : UnitAdder<2, Ends::kLast>(last, sums).AddAll();
    }
  }

  const LinearTile& tile_;
  const PanelRange& range_;
  const int64_t num_spans_;
  const int num_panels_;
  const int num_groups_;
  int num_units_ = 0;
  Unit units_[3];
  UnitSums sums_[2];
  PanelSums acc_[kUnitPanels * kMaxGroups];
};

template <class Tiles, int kLayout>
void RunBytePanels(const LinearTile& tile, const PanelRange& range) {
  BytePanels<Tiles, kLayout>(tile, range).Run();
}

}  // namespace
}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_LINEAR_AMX_BYTES_INL_H_
