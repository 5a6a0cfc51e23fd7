// The networks this library knows, described from a model file's keys. One file
// each: architecture_<name>.cc.
#ifndef SPECINFER_SRC_FORWARD_ARCHITECTURES_H_
#define SPECINFER_SRC_FORWARD_ARCHITECTURES_H_

#include "absl/status/statusor.h"

#include "src/model/architecture.h"
#include "src/model/model_file.h"

namespace specinfer {

// Errors: UNIMPLEMENTED (an architecture or RoPE scaling that is not known,
// naming those that are), INVALID_ARGUMENT (a missing or impossible number,
// naming its key).
absl::StatusOr<Architecture> DescribeArchitecture(const ModelFile& file);

// ---- For the architecture files ----

// What all decoders of the llama family share: sizes, heads, norms, one RoPE.
// `file`'s own prefix is used.
absl::StatusOr<Architecture> DescribeDecoder(const ModelFile& file);

// Frequencies of `rotary_dims` dimensions with base `freq_base`, scaled as the
// file says (none, linear, yarn, llama3).
absl::StatusOr<Rope> DescribeRope(const ModelFile& file,
                                  const std::string& prefix, double freq_base,
                                  int32_t rotary_dims);
// The same without any scaling.
Rope PlainRope(double freq_base, int32_t rotary_dims);

absl::StatusOr<Architecture> DescribeLlama(const ModelFile& file);
absl::StatusOr<Architecture> DescribeQwen2(const ModelFile& file);
absl::StatusOr<Architecture> DescribeQwen3(const ModelFile& file);
absl::StatusOr<Architecture> DescribeGemma3(const ModelFile& file);
absl::StatusOr<Architecture> DescribeWhisper(const ModelFile& file);

// The widest head that backends have room for.
inline constexpr int32_t kMaxHeadDim = 1024;

// A whole number of [minimum, maximum] under `key`; `absent` where the file has
// none (negative: required).
absl::StatusOr<int32_t> GetSize(const ModelFile& file, const std::string& key,
                                int64_t minimum, int64_t maximum,
                                int64_t absent = -1);

}  // namespace specinfer

#endif  // SPECINFER_SRC_FORWARD_ARCHITECTURES_H_
