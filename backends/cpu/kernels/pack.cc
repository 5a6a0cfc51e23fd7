#include "backends/cpu/kernels/pack.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "backends/cpu/kernels/linear.h"
#include "backends/cpu/kernels/requantize.h"
#include "src/base/status_macros.h"

namespace specinfer::cpu {
namespace {

// Bounds that keep every product of sizes below far from overflow.
constexpr int64_t kMaxExtent = int64_t{1} << 30;

size_t GroupBytes(const PackedLayout& layout, int64_t inputs) {
  if (layout.is_float()) {
    return static_cast<size_t>(inputs) * static_cast<size_t>(layout.code_bytes);
  }
  const int64_t num_blocks = layout.NumBlocks(inputs);
  const int rest = static_cast<int>(num_blocks % kRunBlocks);
  return static_cast<size_t>(num_blocks / kRunBlocks *
                                 layout.RunBytes(kRunBlocks) +
                             (rest > 0 ? layout.RunBytes(rest) : 0));
}

void PackQuantizedGroup(const WeightSource& source, const PackedWeight& weight,
                        int64_t group, uint8_t* out) {
  const int64_t first = group * kGroupOutputs;
  const int64_t num_outputs =
      std::min<int64_t>(kGroupOutputs, source.outputs - first);
  FindQuantizedGroupPacker(source.dtype)(
      {.rows =
           source.bytes.data() + static_cast<size_t>(first) * weight.row_bytes,
       .row_bytes = weight.row_bytes,
       .num_outputs = static_cast<int>(num_outputs),
       .num_headers = weight.num_headers(),
       .num_blocks = weight.num_blocks()},
      out);
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
  const int block =
      layout.is_float() || layout.has_short_spans ? 1 : layout.header_inputs;
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
               int64_t group, uint8_t* out) {
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

// A weight of the source's shape, still without data.
absl::StatusOr<std::unique_ptr<PackedWeight>> DescribeWeight(
    const WeightSource& source) {
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
  auto weight = std::make_unique<PackedWeight>();
  weight->dtype = source.dtype;
  weight->outputs = source.outputs;
  weight->inputs = source.inputs;
  weight->layout = layout;
  const DTypeTraits& traits = GetDTypeTraits(source.dtype);
  weight->row_bytes =
      static_cast<size_t>((source.inputs + traits.block_elements - 1) /
                          traits.block_elements) *
      static_cast<size_t>(traits.block_bytes);
  weight->group_bytes = GroupBytes(*layout, source.inputs);
  weight->packed_bytes =
      PackedWeightBytes(source.dtype, source.outputs, source.inputs);
  return weight;
}

// The weight that `source` is packed into, still without data.
absl::StatusOr<std::unique_ptr<PackedWeight>> DescribeTarget(
    WeightSource source) {
  if (!CanRequantizeTo(source.packed_as)) {
    return absl::UnimplementedError(
        absl::StrCat("tensor \"", std::string(source.name),
                     "\" can be quantised again to Q4_0 and Q8_K alone"));
  }
  source.dtype = source.packed_as;
  return DescribeWeight(source);
}

void CopyRows(const WeightSource& source, const PackedWeight& weight,
              Executor& executor, uint8_t* out) {
  const size_t source_row_bytes =
      source.bytes.size() / static_cast<size_t>(source.outputs);
  ForEachPart(
      executor, source.outputs, /*per_task=*/256,
      [&](int64_t begin, int64_t end) {
        uint8_t* const to = out + static_cast<size_t>(begin) * weight.row_bytes;
        if (weight.dtype != source.dtype) {
          RequantizeRows(source, source_row_bytes, weight, begin, end - begin,
                         to);
          return;
        }
        std::memcpy(
            to,
            source.bytes.data() + static_cast<size_t>(begin) * source_row_bytes,
            static_cast<size_t>(end - begin) * source_row_bytes);
      });
}

void PackGroups(const WeightSource& source, const PackedWeight& weight,
                Executor& executor, uint8_t* out) {
  const size_t source_row_bytes =
      source.bytes.size() / static_cast<size_t>(source.outputs);
  ForEachPart(executor, weight.num_groups(), /*per_task=*/8,
              [&](int64_t begin, int64_t end) {
                for (int64_t group = begin; group < end; ++group) {
                  uint8_t* const to =
                      out + static_cast<size_t>(group) * weight.group_bytes;
                  if (weight.dtype != source.dtype) {
                    RequantizeGroup(source, source_row_bytes, weight, group,
                                    to);
                  } else {
                    PackGroup(source, weight, group, to);
                  }
                }
              });
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
  if (__builtin_mul_overflow(GroupBytes(*layout, inputs),
                             static_cast<size_t>(num_groups), &num_bytes)) {
    return 0;
  }
  return num_bytes;
}

absl::StatusOr<std::unique_ptr<Weight>> PackWeight(const WeightSource& source,
                                                   Isa isa, Memory& memory,
                                                   Executor& executor) {
  SPECINFER_ASSIGN_OR_RETURN(std::unique_ptr<PackedWeight> weight,
                             DescribeWeight(source));
  const size_t row_bytes = weight->row_bytes;
  if (source.bytes.size() % row_bytes != 0 ||
      source.bytes.size() / row_bytes != static_cast<size_t>(source.outputs)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor \"", std::string(source.name), "\" holds ", source.bytes.size(),
        " bytes; ", source.outputs, " rows of ", source.inputs, " ",
        std::string(GetDTypeTraits(source.dtype).name), " elements take ",
        row_bytes, " each"));
  }
  if (source.packed_as != source.dtype) {
    SPECINFER_ASSIGN_OR_RETURN(weight, DescribeTarget(source));
  }
  weight->is_raw = isa == Isa::kReference;
  if (weight->is_raw) {
    weight->packed_bytes =
        static_cast<size_t>(source.outputs) * weight->row_bytes;
  }
  SPECINFER_ASSIGN_OR_RETURN(weight->block,
                             memory.Allocate(weight->packed_bytes, "weights"));
  uint8_t* const out = weight->block.data();
  weight->data = out;
  if (weight->is_raw) {
    CopyRows(source, *weight, executor, out);
  } else {
    PackGroups(source, *weight, executor, out);
  }
  return weight;
}

absl::StatusOr<std::unique_ptr<Weight>> AdoptWeight(const WeightSource& packed,
                                                    Isa isa) {
  if (isa == Isa::kReference) {
    return absl::UnimplementedError(
        absl::StrCat("tensor \"", std::string(packed.name),
                     "\" is packed, and backend \"cpu-reference\" reads rows "
                     "as model files hold them; load the file it was packed "
                     "from, or take another backend"));
  }
  SPECINFER_ASSIGN_OR_RETURN(std::unique_ptr<PackedWeight> weight,
                             DescribeWeight(packed));
  if (packed.bytes.size() != weight->packed_bytes ||
      reinterpret_cast<uintptr_t>(packed.bytes.data()) % 64 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor \"", std::string(packed.name), "\" is packed in ",
        packed.bytes.size(), " bytes; ", packed.outputs, " rows of ",
        packed.inputs, " ", std::string(GetDTypeTraits(packed.dtype).name),
        " elements take ", weight->packed_bytes, ", aligned to 64"));
  }
  weight->data = packed.bytes.data();
  return weight;
}

}  // namespace specinfer::cpu
