// Rotary position scalings: linear, YaRN (Peng et al. 2023) and llama3's.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/forward/architectures.h"

namespace specinfer {
namespace {

// A positive finite number under `key`. Errors name it.
absl::StatusOr<double> GetScale(const ModelFile& file, const std::string& key,
                                double absent) {
  SPECINFER_ASSIGN_OR_RETURN(const double value, file.GetFloatOr(key, absent));
  if (!(value > 0.0) || !std::isfinite(value)) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(), "\"", key, "\" is ", value, ", must be a number above 0"));
  }
  return value;
}

// YaRN: dimensions that turn fast keep their frequency, slow ones are
// interpolated, between them a ramp.
absl::Status ApplyYarn(const ModelFile& file, const std::string& scaling,
                       double factor, double freq_base, Rope* rope) {
  SPECINFER_ASSIGN_OR_RETURN(
      const double original_context,
      GetScale(file, scaling + "original_context_length", 4096));
  SPECINFER_ASSIGN_OR_RETURN(const double beta_fast,
                             GetScale(file, scaling + "yarn_beta_fast", 32.0));
  SPECINFER_ASSIGN_OR_RETURN(const double beta_slow,
                             GetScale(file, scaling + "yarn_beta_slow", 1.0));
  SPECINFER_ASSIGN_OR_RETURN(const double attention_factor,
                             GetScale(file, scaling + "attn_factor", 1.0));
  const double dims = 2.0 * static_cast<double>(rope->frequencies.size());
  const auto turns_at = [&](double turns) {
    return dims *
           std::log(original_context / (turns * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(freq_base));
  };
  const double low = std::max(0.0, std::floor(turns_at(beta_fast)));
  const double high = std::min(dims - 1.0, std::ceil(turns_at(beta_slow)));
  for (size_t i = 0; i < rope->frequencies.size(); ++i) {
    const double ramp = std::clamp(
        (static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
    rope->frequencies[i] *= ramp / factor + (1.0 - ramp);
  }
  rope->magnitude =
      static_cast<float>(attention_factor * (1.0 + 0.1 * std::log(factor)));
  return absl::OkStatus();
}

// llama3: long wavelengths are interpolated, short ones kept, between them a
// blend.
absl::Status ApplyLlama3(const ModelFile& file, const std::string& scaling,
                         double factor, Rope* rope) {
  SPECINFER_ASSIGN_OR_RETURN(
      const double original_context,
      GetScale(file, scaling + "original_context_length", 8192));
  SPECINFER_ASSIGN_OR_RETURN(const double low_factor,
                             GetScale(file, scaling + "low_freq_factor", 1.0));
  SPECINFER_ASSIGN_OR_RETURN(const double high_factor,
                             GetScale(file, scaling + "high_freq_factor", 4.0));
  for (double& frequency : rope->frequencies) {
    const double wavelength = 2.0 * std::numbers::pi / frequency;
    if (wavelength < original_context / high_factor) continue;
    if (wavelength > original_context / low_factor) {
      frequency /= factor;
    } else {
      const double blend = (original_context / wavelength - low_factor) /
                           (high_factor - low_factor);
      frequency *= (1.0 - blend) / factor + blend;
    }
  }
  return absl::OkStatus();
}

// The tensor rope_freqs, where a file has it, divides each frequency.
absl::Status ApplyFrequencyFactors(const ModelFile& file, Rope* rope) {
  const TensorRecord* factors = file.FindTensor("rope_freqs.weight");
  if (factors == nullptr) return absl::OkStatus();
  if (factors->dtype != DType::kF32 ||
      factors->bytes.size() != rope->frequencies.size() * sizeof(float)) {
    return absl::InvalidArgumentError(ModelMessage(
        file.path(),
        "tensor \"rope_freqs.weight\" must hold one F32 for each of ",
        rope->frequencies.size(), " rotated pairs"));
  }
  for (size_t i = 0; i < rope->frequencies.size(); ++i) {
    float factor = 0.0f;
    std::memcpy(&factor, factors->bytes.data() + i * sizeof(float),
                sizeof(float));
    if (!(factor > 0.0f) || !std::isfinite(factor)) {
      return absl::InvalidArgumentError(
          ModelMessage(file.path(), "tensor \"rope_freqs.weight\" holds ",
                       factor, ", must be above 0"));
    }
    rope->frequencies[i] /= factor;
  }
  return absl::OkStatus();
}

}  // namespace

Rope PlainRope(double freq_base, int32_t rotary_dims) {
  Rope rope;
  for (int32_t i = 0; i < rotary_dims / 2; ++i)
    rope.frequencies.push_back(std::pow(freq_base, -2.0 * i / rotary_dims));
  return rope;
}

absl::StatusOr<Rope> DescribeRope(const ModelFile& file,
                                  const std::string& prefix, double freq_base,
                                  int32_t rotary_dims) {
  Rope rope = PlainRope(freq_base, rotary_dims);
  const std::string scaling = prefix + "rope.scaling.";
  SPECINFER_ASSIGN_OR_RETURN(const double old_linear,
                             GetScale(file, prefix + "rope.scale_linear", 1.0));
  SPECINFER_ASSIGN_OR_RETURN(const double factor,
                             GetScale(file, scaling + "factor", old_linear));
  SPECINFER_ASSIGN_OR_RETURN(
      const std::string_view type,
      file.GetStringOr(scaling + "type", factor == 1.0 ? "none" : "linear"));
  if (type == "linear") {
    for (double& frequency : rope.frequencies) frequency /= factor;
  } else if (type == "yarn") {
    SPECINFER_RETURN_IF_ERROR(
        ApplyYarn(file, scaling, factor, freq_base, &rope));
  } else if (type == "llama3") {
    SPECINFER_RETURN_IF_ERROR(ApplyLlama3(file, scaling, factor, &rope));
  } else if (type != "none") {
    return absl::UnimplementedError(
        ModelMessage(file.path(), "RoPE scaling \"", type,
                     "\" is not supported; none, linear, yarn and llama3 are"));
  }
  SPECINFER_RETURN_IF_ERROR(ApplyFrequencyFactors(file, &rope));
  return rope;
}

}  // namespace specinfer
