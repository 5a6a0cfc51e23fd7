#include "src/model/model_contents.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"

namespace specinfer {
namespace {

constexpr size_t kMaxQuotedBytes = 96;

}  // namespace

std::string QuoteName(std::string_view name) {
  const bool is_cut = name.size() > kMaxQuotedBytes;
  const std::string_view shown = name.substr(0, kMaxQuotedBytes);
  return absl::StrCat("\"", absl::CEscape(ToAbsl(shown)),
                      is_cut ? "…\"" : "\"");
}

absl::StatusOr<uint64_t> TensorBytes(const TensorRecord& tensor) {
  const DTypeTraits& traits = GetDTypeTraits(tensor.dtype);
  uint64_t num_elements = 1;
  for (const int64_t dim : tensor.dims) {
    if (dim <= 0)
      return absl::InvalidArgumentError(
          absl::StrCat("has a dimension of ", dim, ", must be at least 1"));
    // Room for the largest block's bytes, so that no later product overflows
    // either.
    if (num_elements >
        static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / 256 /
            static_cast<uint64_t>(dim)) {
      return absl::InvalidArgumentError(
          "has dimensions whose product overflows");
    }
    num_elements *= static_cast<uint64_t>(dim);
  }
  const uint64_t block_elements = static_cast<uint64_t>(traits.block_elements);
  const uint64_t columns = static_cast<uint64_t>(tensor.columns());
  // Rows of Q8_K, which only packed files hold, may have any length.
  if (columns % block_elements != 0 && tensor.dtype != DType::kQ8_K) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has rows of ", tensor.columns(), " values, but ",
        std::string(traits.name), " comes in blocks of ", block_elements));
  }
  return num_elements / columns *
         ((columns + block_elements - 1) / block_elements) *
         static_cast<uint64_t>(traits.block_bytes);
}

absl::Status RefuseOverlaps(std::string_view path,
                            absl::Span<const TensorRecord> tensors,
                            Memory& memory) {
  ArenaArray<uint32_t> order(memory);  // by offset
  for (size_t index = 0; index < tensors.size(); ++index) {
    SPECINFER_RETURN_IF_ERROR(order.Append(static_cast<uint32_t>(index)));
  }
  std::sort(order.data(), order.data() + order.size(),
            [tensors](uint32_t a, uint32_t b) {
              return tensors[a].bytes.data() < tensors[b].bytes.data();
            });
  for (size_t place = 1; place < order.size(); ++place) {
    const TensorRecord& before = tensors[order[place - 1]];
    const TensorRecord& after = tensors[order[place]];
    if (before.bytes.data() + before.bytes.size() > after.bytes.data()) {
      return absl::InvalidArgumentError(
          ModelMessage(path, "tensor ", QuoteName(after.name),
                       " overlaps tensor ", QuoteName(before.name)));
    }
  }
  return absl::OkStatus();
}

}  // namespace specinfer
