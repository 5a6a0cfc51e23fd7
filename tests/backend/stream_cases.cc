#include "tests/backend/stream_cases.h"

#include <limits>

#include "src/base/scalar_math.h"
#include "tests/backend/test_cache.h"
#include "tests/backend/test_tree.h"

namespace specinfer::testing {
namespace {

// No case writes nothing.
const std::vector<uint32_t> kFailed;

StreamCase RmsNormCase(int64_t rows, int64_t width, float spread) {
  return {
      "RmsNorm" + std::to_string(rows) + "x" + std::to_string(width),
      [=](Machine& machine) {
        RmsNormArgs args;
        args.in = machine.MakeTensor(
            rows, width,
            RandomFloats(static_cast<size_t>(rows * width), 1, spread));
        args.weight = machine.MakeTensor(
            1, width, RandomFloats(static_cast<size_t>(width), 2));
        args.out = machine.MakeTensor(rows, width);
        if (!machine.Run([&](Stream& stream) { return stream.RmsNorm(args); })
                 .ok())
          return kFailed;
        std::vector<uint32_t> bits = Bits(Machine::Values(args.out));
        args.out = args.in;
        if (!machine.Run([&](Stream& stream) { return stream.RmsNorm(args); })
                 .ok())
          return kFailed;
        const std::vector<uint32_t> in_place = Bits(Machine::Values(args.out));
        bits.insert(bits.end(), in_place.begin(), in_place.end());
        return bits;
      }};
}

StreamCase LayerNormCase(int64_t rows, int64_t width, float spread) {
  return {
      "LayerNorm" + std::to_string(rows) + "x" + std::to_string(width),
      [=](Machine& machine) {
        const size_t count = static_cast<size_t>(width);
        LayerNormArgs args;
        args.in = machine.MakeTensor(
            rows, width,
            RandomFloats(static_cast<size_t>(rows * width), 21, spread));
        args.weight = machine.MakeTensor(1, width, RandomFloats(count, 22));
        args.bias = machine.MakeTensor(1, width, RandomFloats(count, 23));
        args.out = machine.MakeTensor(rows, width);
        if (!machine.Run([&](Stream& stream) { return stream.LayerNorm(args); })
                 .ok())
          return kFailed;
        std::vector<uint32_t> bits = Bits(Machine::Values(args.out));
        args.out = args.in;
        if (!machine.Run([&](Stream& stream) { return stream.LayerNorm(args); })
                 .ok())
          return kFailed;
        const std::vector<uint32_t> in_place = Bits(Machine::Values(args.out));
        bits.insert(bits.end(), in_place.begin(), in_place.end());
        return bits;
      }};
}

StreamCase UnfoldCase(int64_t sequences, int64_t frames, int64_t channels,
                      int64_t stride) {
  return {
      "Unfold" + std::to_string(frames) + "x" + std::to_string(channels) +
          "by" + std::to_string(stride),
      [=](Machine& machine) {
        UnfoldArgs args;
        args.frames = frames;
        args.stride = stride;
        args.in = machine.MakeTensor(
            sequences * frames, channels,
            RandomFloats(static_cast<size_t>(sequences * frames * channels),
                         24));
        args.out = machine.MakeTensor(
            sequences * ((frames + stride - 1) / stride), 3 * channels);
        if (!machine.Run([&](Stream& stream) { return stream.Unfold(args); })
                 .ok())
          return kFailed;
        return Bits(Machine::Values(args.out));
      }};
}

// Values where the exponential overflows, underflows or is denormal, among
// ordinary ones.
std::vector<float> GateFloats(size_t count) {
  std::vector<float> values =
      RandomFloats(count, 3, count % 2 == 0 ? 12.0f : 90.0f);
  const float infinity = std::numeric_limits<float>::infinity();
  const float special[] = {0.0f,   -0.0f,   87.0f, -87.0f, 87.5f,   -88.5f,
                           1e-40f, -1e-40f, 1e30f, -1e30f, infinity};
  for (size_t i = 0; i < std::size(special) && 3 * i < count; ++i)
    values[3 * i] = special[i];
  return values;
}

StreamCase ActivationCase(Activation activation, int64_t rows, int64_t width,
                          bool has_gate = true) {
  const std::string kind = activation == Activation::kSilu   ? "Silu"
                           : activation == Activation::kGelu ? "Gelu"
                                                             : "GeluTanh";
  return {(has_gate ? kind : "Plain" + kind) + std::to_string(rows) + "x" +
              std::to_string(width),
          [=](Machine& machine) {
            const size_t count = static_cast<size_t>(rows * width);
            GatedActivationArgs args;
            args.activation = activation;
            args.gate = machine.MakeTensor(rows, width, GateFloats(count));
            if (has_gate)
              args.up = machine.MakeTensor(rows, width, RandomFloats(count, 4));
            args.out = machine.MakeTensor(rows, width);
            if (!machine
                     .Run([&](Stream& stream) {
                       return stream.GatedActivation(args);
                     })
                     .ok())
              return kFailed;
            std::vector<uint32_t> bits = Bits(Machine::Values(args.out));
            args.out = args.gate;
            if (!machine
                     .Run([&](Stream& stream) {
                       return stream.GatedActivation(args);
                     })
                     .ok())
              return kFailed;
            const std::vector<uint32_t> in_place =
                Bits(Machine::Values(args.out));
            bits.insert(bits.end(), in_place.begin(), in_place.end());
            return bits;
          }};
}

StreamCase AddCase(int64_t rows, int64_t width) {
  return {
      "Add" + std::to_string(rows) + "x" + std::to_string(width),
      [=](Machine& machine) {
        const size_t count = static_cast<size_t>(rows * width);
        AddArgs args;
        args.sum = machine.MakeTensor(rows, width, RandomFloats(count, 5));
        args.addend =
            machine.MakeTensor(rows, width, RandomFloats(count, 6, 1e-3f));
        if (!machine.Run([&](Stream& stream) { return stream.Add(args); }).ok())
          return kFailed;
        return Bits(Machine::Values(args.sum));
      }};
}

// By their bits, as the host may have set its thread to flush them.
std::vector<float> DenormalFloats(size_t count, uint64_t seed) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = std::bit_cast<float>(
        Philox(seed, {static_cast<uint32_t>(i), 2, 0, 0})[0] & 0x803fffffu);
  }
  return values;
}

StreamCase DenormalCase() {
  return {"DenormalSums", [](Machine& machine) {
            AddArgs args;
            args.sum = machine.MakeTensor(4, 33, DenormalFloats(132, 7));
            args.addend = machine.MakeTensor(4, 33, DenormalFloats(132, 8));
            RmsNormArgs norm;
            norm.in = norm.out = args.sum;
            norm.weight = machine.MakeTensor(1, 33, RandomFloats(33, 9));
            norm.epsilon = 1e-30f;
            const absl::Status status = machine.Run([&](Stream& stream) {
              const absl::Status added = stream.Add(args);
              return added.ok() ? stream.RmsNorm(norm) : added;
            });
            return status.ok() ? Bits(Machine::Values(args.sum)) : kFailed;
          }};
}

StreamCase GatherCase() {
  return {
      "GatherAndCopy", [](Machine& machine) {
        const std::vector<float> in = RandomFloats(50 * 1000, 10);
        const std::vector<int32_t> rows = {49, 0,  0,  17, 3,  48, 21, 9,  33,
                                           32, 31, 30, 29, 28, 27, 26, 25, 24};
        GatherRowsArgs args;
        args.in = machine.MakeTensor(50, 1000);
        args.rows = rows;
        args.out = machine.MakeTensor(static_cast<int64_t>(rows.size()), 1000);
        std::vector<float> out(rows.size() * 1000);
        const absl::Status status = machine.Run([&](Stream& stream) {
          absl::Status done = stream.CopyIn(in, args.in);
          if (done.ok()) done = stream.GatherRows(args);
          return done.ok() ? stream.CopyOut(args.out, absl::MakeSpan(out))
                           : done;
        });
        return status.ok() ? Bits(out) : kFailed;
      }};
}

struct RopeShape {
  RopePairing pairing;
  int heads, kv_heads, head_dim, rotary_dims, num_committed, rows;
  CacheType cache_type = CacheType::kF16;
};

StreamCase RopeCase(const RopeShape& shape) {
  const std::string kind =
      std::string(shape.pairing == RopePairing::kHalves ? "RopeHalves"
                                                        : "RopeAdjacent") +
      (shape.cache_type == CacheType::kQ8 ? "Q8" : "");
  return {
      kind + std::to_string(shape.rotary_dims) + "of" +
          std::to_string(shape.head_dim),
      [=](Machine& machine) {
        const size_t rows = static_cast<size_t>(shape.rows);
        const size_t width = static_cast<size_t>(shape.heads * shape.head_dim);
        const size_t kv_width =
            static_cast<size_t>(shape.kv_heads * shape.head_dim);
        TestCache cache(machine, shape.num_committed + shape.rows,
                        shape.kv_heads, shape.head_dim, 2, shape.cache_type);
        const TestTree chain = Chain(shape.rows);
        const AttentionSequence sequence =
            chain.Sequence(cache.pages(), shape.num_committed);
        std::vector<float> cos_sin;
        for (size_t i = 0;
             i < rows * static_cast<size_t>(shape.rotary_dims / 2); ++i) {
          const SinCos turn = ComputeSinCos(0.37 * static_cast<double>(i));
          cos_sin.insert(cos_sin.end(), {turn.cos, turn.sin});
        }
        RopeAndStoreArgs args;
        args.query =
            machine.MakeTensor(shape.rows, shape.heads * shape.head_dim,
                               RandomFloats(rows * width, 11));
        args.key =
            machine.MakeTensor(shape.rows, shape.kv_heads * shape.head_dim,
                               RandomFloats(rows * kv_width, 12, 3.0f));
        args.value =
            machine.MakeTensor(shape.rows, shape.kv_heads * shape.head_dim,
                               RandomFloats(rows * kv_width, 13, 1e-6f));
        args.cos_sin = cos_sin;
        args.rotary_dims = shape.rotary_dims;
        args.pairing = shape.pairing;
        args.heads = shape.heads;
        args.kv_heads = shape.kv_heads;
        args.head_dim = shape.head_dim;
        args.sequences = absl::MakeSpan(&sequence, 1);
        args.cache_type = shape.cache_type;
        args.layer_offset = CacheBytesPerLayer(shape.kv_heads, shape.head_dim,
                                               shape.cache_type);
        if (!machine
                 .Run([&](Stream& stream) { return stream.RopeAndStore(args); })
                 .ok())
          return kFailed;
        std::vector<uint32_t> bits = Bits(Machine::Values(args.query));
        for (const uint32_t key : Bits(Machine::Values(args.key)))
          bits.push_back(key);
        for (const uint16_t half : cache.Contents()) bits.push_back(half);
        return bits;
      }};
}

struct AttentionShape {
  std::string name;
  int heads, kv_heads, head_dim;
  std::vector<int> committed;  // of each sequence
  std::vector<TestTree> trees;
  int window = 0;
  float soft_cap = 0.0f;
  CacheType cache_type = CacheType::kF16;
  bool sees_committed = false;
};

// The same over a q8 cache.
AttentionShape Q8(AttentionShape shape) {
  shape.name += "Q8";
  shape.cache_type = CacheType::kQ8;
  return shape;
}

StreamCase AttentionCase(const AttentionShape& shape) {
  return {"Attention" + shape.name, [=](Machine& machine) {
            std::vector<TestCache> caches;
            std::vector<AttentionSequence> sequences;
            caches.reserve(shape.trees.size());
            int rows = 0;
            for (size_t s = 0; s < shape.trees.size(); ++s) {
              const TestTree& tree = shape.trees[s];
              const int num_slots = shape.committed[s] + tree.num_nodes();
              caches.emplace_back(machine, num_slots, shape.kv_heads,
                                  shape.head_dim, 1, shape.cache_type);
              for (int slot = 0; slot < num_slots; ++slot) {
                caches.back().WriteToken(
                    slot, static_cast<uint64_t>(slot) + 1000 * s);
              }
              sequences.push_back(tree.Sequence(caches.back().pages(),
                                                shape.committed[s], rows));
              rows += tree.num_nodes();
            }
            const int64_t width = shape.heads * shape.head_dim;
            TreeAttentionArgs args;
            args.query = machine.MakeTensor(
                rows, width,
                RandomFloats(static_cast<size_t>(rows * width), 14, 2.0f));
            args.out = machine.MakeTensor(rows, width);
            args.sequences = sequences;
            args.cache_type = shape.cache_type;
            args.heads = shape.heads;
            args.kv_heads = shape.kv_heads;
            args.head_dim = shape.head_dim;
            args.window = shape.window;
            args.soft_cap = shape.soft_cap;
            args.sees_committed = shape.sees_committed;
            args.scale = 0.3f;
            if (!machine
                     .Run([&](Stream& stream) {
                       return stream.TreeAttention(args);
                     })
                     .ok())
              return kFailed;
            return Bits(Machine::Values(args.out));
          }};
}

StreamCase AttentionWeightsCase(CacheType type) {
  return {
      std::string("AttentionWeights") + (type == CacheType::kQ8 ? "Q8" : ""),
      [=](Machine& machine) {
        constexpr int kRows = 9, kHeads = 4, kHeadDim = 64, kSlots = 150;
        TestCache cache(machine, kSlots, 2, kHeadDim, 1, type);
        for (int slot = 0; slot < kSlots; ++slot)
          cache.WriteToken(slot, static_cast<uint64_t>(slot));
        const TestTree chain = Chain(kRows);
        const AttentionSequence sequence =
            chain.Sequence(cache.pages(), kSlots);
        std::vector<float> out(kRows * 140);
        AttentionWeightsArgs args;
        args.query = machine.MakeTensor(
            kRows, kHeads * kHeadDim,
            RandomFloats(kRows * kHeads * kHeadDim, 14, 2.0f));
        args.sequences = absl::MakeSpan(&sequence, 1);
        args.cache_type = type;
        args.heads = kHeads;
        args.kv_heads = 2;
        args.head_dim = kHeadDim;
        args.head = 3;
        args.scale = 0.3f;
        args.num_positions = 140;
        args.out = absl::MakeSpan(out);
        const absl::Status status = machine.Run(
            [&](Stream& stream) { return stream.AttentionWeights(args); });
        return status.ok() ? Bits(out) : kFailed;
      }};
}

}  // namespace

std::vector<StreamCase> AllStreamCases() {
  std::vector<StreamCase> cases = {
      RmsNormCase(1, 1, 1.0f),
      RmsNormCase(3, 15, 1.0f),
      RmsNormCase(2, 16, 100.0f),
      RmsNormCase(5, 17, 1e-3f),
      RmsNormCase(300, 64, 1.0f),
      RmsNormCase(37, 576, 1.0f),
      RmsNormCase(9, 1536, 30.0f),
      ActivationCase(Activation::kSilu, 1, 7),
      ActivationCase(Activation::kSilu, 13, 1536),
      ActivationCase(Activation::kSilu, 41, 2047),
      ActivationCase(Activation::kGeluTanh, 1, 35),
      ActivationCase(Activation::kGeluTanh, 13, 1537),
      ActivationCase(Activation::kGelu, 1, 35),
      ActivationCase(Activation::kGelu, 13, 1537),
      ActivationCase(Activation::kGelu, 13, 1537, /*has_gate=*/false),
      ActivationCase(Activation::kSilu, 3, 19, /*has_gate=*/false),
      LayerNormCase(1, 1, 1.0f),
      LayerNormCase(3, 15, 1.0f),
      LayerNormCase(5, 17, 1e-3f),
      LayerNormCase(300, 64, 1.0f),
      LayerNormCase(9, 513, 30.0f),
      UnfoldCase(1, 1, 5, 1),
      UnfoldCase(2, 31, 80, 1),
      UnfoldCase(3, 30, 17, 2),
      AddCase(1, 5),
      AddCase(33, 2049),
      DenormalCase(),
      GatherCase(),
      RopeCase({RopePairing::kHalves, 3, 1, 64, 64, 60, 21}),
      RopeCase({RopePairing::kHalves, 4, 2, 80, 34, 0, 3}),
      RopeCase({RopePairing::kHalves, 2, 2, 128, 0, 64, 9}),
      RopeCase({RopePairing::kAdjacent, 3, 1, 64, 64, 60, 21}),
      RopeCase({RopePairing::kAdjacent, 4, 2, 20, 18, 127, 3}),
      RopeCase({RopePairing::kHalves, 3, 1, 64, 64, 60, 21, CacheType::kQ8}),
      RopeCase({RopePairing::kHalves, 4, 2, 80, 34, 0, 3, CacheType::kQ8}),
      RopeCase({RopePairing::kAdjacent, 4, 2, 20, 18, 127, 3, CacheType::kQ8}),
  };
  const AttentionShape shapes[] = {
      {"OneKey", 1, 1, 16, {0}, {Chain(1)}},
      {"Decode", 9, 3, 64, {200}, {Chain(1)}},
      {"Prefill", 6, 1, 128, {0}, {Chain(150)}},
      {"PrefillAfterPrefix", 4, 2, 72, {100}, {Chain(37)}},
      {"OddHead", 3, 1, 20, {70}, {Chain(13)}},
      {"WideHeadWindowCap", 4, 1, 256, {140}, {Chain(20)}, 65, 5.0f},
      {"ManyHeadsShareOne", 24, 1, 40, {66}, {Chain(3)}},
      // Several phases.
      {"LongContext", 48, 1, 128, {2100}, {Chain(2)}},
      {"LongContextWindow", 4, 1, 256, {5000}, {Chain(20)}, 2900},
      {"Tree", 4, 2, 64, {61}, {RandomTree(24, 15, false)}},
      {"DeepTreeWindow", 6, 2, 80, {50}, {RandomTree(100, 16, true)}, 33},
      {"TwoSequences",
       4,
       2,
       64,
       {3, 130},
       {RandomTree(12, 17, false), Chain(5)}},
      {"LongAndShort", 48, 1, 128, {2100, 3}, {Chain(2), Chain(70)}},
      {"Encoder",
       3,
       3,
       64,
       {150, 7},
       {Chain(150), Chain(7)},
       0,
       0.0f,
       CacheType::kF16,
       true},
      {"Cross",
       4,
       4,
       64,
       {1500},
       {RandomTree(9, 18, false)},
       0,
       0.0f,
       CacheType::kF16,
       true},
  };
  for (const AttentionShape& shape : shapes) {
    cases.push_back(AttentionCase(shape));
    cases.push_back(AttentionCase(Q8(shape)));
  }
  cases.push_back(AttentionWeightsCase(CacheType::kF16));
  cases.push_back(AttentionWeightsCase(CacheType::kQ8));
  return cases;
}

}  // namespace specinfer::testing
