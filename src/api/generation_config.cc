#include "src/api/generation_config.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "src/api/sized_struct.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

constexpr SizedStruct kConfig = {
    "specinfer_generation_config", "config", "SPECINFER_GENERATION_CONFIG_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_generation_config, ignore_end)};
constexpr uint32_t kMaxTopLogProbabilities = 64;
constexpr size_t kMaxLogitBiases = 1024;
constexpr size_t kMaxStrings = 1024;
constexpr size_t kMaxStringBytes = 65536;

absl::Status FieldError(absl::string_view field, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("config->", field, " ", problem));
}

absl::Status CheckChoice(int32_t value, int32_t last, const char* field,
                         const char* names) {
  if (value >= 0 && value <= last) return absl::OkStatus();
  return FieldError(field, absl::StrCat("is ", value, ", which is no ", names,
                                        " of this library"));
}

// `zero_means` replaces the 0 that stands for a default.
absl::Status ReadFloat(float value, float min, float max, float zero_means,
                       const char* field, float* out) {
  if (!(value >= min && value <= max)) {
    return FieldError(field, absl::StrCat("is ", value, ", must be between ",
                                          min, " and ", max));
  }
  *out = value == 0.0f ? zero_means : value;
  return absl::OkStatus();
}

absl::Status ReadCount(uint32_t value, int32_t zero_means, const char* field,
                       int32_t* out) {
  if (value > INT32_MAX)
    return FieldError(field,
                      absl::StrCat("is ", value, ", the limit is ", INT32_MAX));
  *out = value == 0 ? zero_means : static_cast<int32_t>(value);
  return absl::OkStatus();
}

absl::Status ReadStrings(const specinfer_text* strings, size_t num_strings,
                         const char* field, std::vector<std::string>* out) {
  if (num_strings > kMaxStrings) {
    return FieldError(
        absl::StrCat("num_", field),
        absl::StrCat("is ", num_strings, ", the limit is ", kMaxStrings));
  }
  if (strings == nullptr && num_strings > 0) {
    return FieldError(
        field, absl::StrCat("is NULL but num_", field, " is ", num_strings));
  }
  for (size_t i = 0; i < num_strings; ++i) {
    const specinfer_text& text = strings[i];
    const std::string element = absl::StrCat(field, "[", i, "]");
    if (text.length == 0) return FieldError(element, "is empty");
    if (text.data == nullptr)
      return FieldError(element,
                        absl::StrCat("has NULL data and length ", text.length));
    if (text.length > kMaxStringBytes) {
      return FieldError(
          element, absl::StrCat("has ", text.length, " bytes, the limit is ",
                                kMaxStringBytes));
    }
    out->emplace_back(text.data, text.length);
  }
  return absl::OkStatus();
}

absl::Status ReadLogitBiases(const specinfer_generation_config& config,
                             int32_t vocabulary_size,
                             std::vector<LogitBias>* out) {
  const size_t num_biases = config.num_logit_biases;
  if (num_biases > kMaxLogitBiases) {
    return FieldError(
        "num_logit_biases",
        absl::StrCat("is ", num_biases, ", the limit is ", kMaxLogitBiases));
  }
  if (config.logit_biases == nullptr && num_biases > 0) {
    return FieldError(
        "logit_biases",
        absl::StrCat("is NULL but num_logit_biases is ", num_biases));
  }
  out->reserve(num_biases);
  for (size_t i = 0; i < num_biases; ++i) {
    const specinfer_logit_bias& bias = config.logit_biases[i];
    const std::string element = absl::StrCat("logit_biases[", i, "]");
    if (bias.token < 0 || bias.token >= vocabulary_size) {
      return FieldError(absl::StrCat(element, ".token"),
                        absl::StrCat("is ", bias.token, ", the vocabulary has ",
                                     vocabulary_size, " tokens"));
    }
    if (std::isnan(bias.bias) ||
        bias.bias == std::numeric_limits<float>::infinity()) {
      return FieldError(absl::StrCat(element, ".bias"),
                        "must be a number or -INFINITY");
    }
    out->push_back({.token = bias.token, .bias = bias.bias});
  }
  return absl::OkStatus();
}

absl::Status ReadSampling(const specinfer_generation_config& config,
                          SamplingOptions* out) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  SPECINFER_RETURN_IF_ERROR(ReadFloat(config.temperature, 0.0f, kLargest, 0.0f,
                                      "temperature", &out->temperature));
  SPECINFER_RETURN_IF_ERROR(
      ReadFloat(config.top_p, 0.0f, 1.0f, 1.0f, "top_p", &out->top_p));
  SPECINFER_RETURN_IF_ERROR(
      ReadFloat(config.min_p, 0.0f, 1.0f, 0.0f, "min_p", &out->min_p));
  SPECINFER_RETURN_IF_ERROR(ReadCount(config.top_k, 0, "top_k", &out->top_k));
  SPECINFER_RETURN_IF_ERROR(ReadFloat(config.repetition_penalty, 0.0f, kLargest,
                                      1.0f, "repetition_penalty",
                                      &out->repetition_penalty));
  SPECINFER_RETURN_IF_ERROR(ReadFloat(config.frequency_penalty, -kLargest,
                                      kLargest, 0.0f, "frequency_penalty",
                                      &out->frequency_penalty));
  SPECINFER_RETURN_IF_ERROR(ReadFloat(config.presence_penalty, -kLargest,
                                      kLargest, 0.0f, "presence_penalty",
                                      &out->presence_penalty));
  SPECINFER_RETURN_IF_ERROR(ReadCount(config.penalty_window, 64,
                                      "penalty_window", &out->penalty_window));
  SPECINFER_RETURN_IF_ERROR(ReadFloat(config.dry_multiplier, 0.0f, kLargest,
                                      0.0f, "dry_multiplier",
                                      &out->dry_multiplier));
  SPECINFER_RETURN_IF_ERROR(ReadFloat(config.dry_base, 0.0f, kLargest, 1.75f,
                                      "dry_base", &out->dry_base));
  SPECINFER_RETURN_IF_ERROR(ReadCount(config.dry_allowed_length, 2,
                                      "dry_allowed_length",
                                      &out->dry_allowed_length));
  SPECINFER_RETURN_IF_ERROR(
      ReadCount(config.dry_window, 0, "dry_window", &out->dry_window));
  out->seed = config.seed == 0 ? 1 : config.seed;
  out->stream = config.stream;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Strategy> ReadStrategy(int32_t strategy) {
  SPECINFER_RETURN_IF_ERROR(CheckChoice(strategy, SPECINFER_STRATEGY_EARLY_EXIT,
                                        "strategy", "SPECINFER_STRATEGY_…"));
  return static_cast<Strategy>(strategy);
}

absl::StatusOr<GenerationOptions> ReadGenerationConfig(
    const specinfer_generation_config* config, int32_t vocabulary_size) {
  specinfer_generation_config known = SPECINFER_GENERATION_CONFIG_INIT;
  if (config != nullptr)
    SPECINFER_RETURN_IF_ERROR(ReadSizedStruct(config, kConfig, &known));
  GenerationOptions options;
  SPECINFER_RETURN_IF_ERROR(
      ReadCount(known.max_tokens, 0, "max_tokens", &options.max_tokens));
  SPECINFER_RETURN_IF_ERROR(ReadSampling(known, &options.sampling));
  SPECINFER_RETURN_IF_ERROR(
      ReadLogitBiases(known, vocabulary_size, &options.sampling.logit_biases));
  SPECINFER_RETURN_IF_ERROR(ReadStrings(known.stop_strings,
                                        known.num_stop_strings, "stop_strings",
                                        &options.stop_strings));
  SPECINFER_RETURN_IF_ERROR(
      ReadStrings(known.banned_strings, known.num_banned_strings,
                  "banned_strings", &options.banned_strings));
  if (known.num_top_log_probabilities > kMaxTopLogProbabilities) {
    return FieldError("num_top_log_probabilities",
                      absl::StrCat("is ", known.num_top_log_probabilities,
                                   ", the limit is ", kMaxTopLogProbabilities));
  }
  options.num_top_log_probabilities =
      static_cast<int32_t>(known.num_top_log_probabilities);
  options.wants_log_probabilities = known.want_log_probabilities != 0;
  SPECINFER_ASSIGN_OR_RETURN(options.strategy, ReadStrategy(known.strategy));
  SPECINFER_RETURN_IF_ERROR(CheckChoice(known.verifier,
                                        SPECINFER_VERIFIER_WITHOUT_REPLACEMENT,
                                        "verifier", "SPECINFER_VERIFIER_…"));
  SPECINFER_RETURN_IF_ERROR(CheckChoice(known.objective,
                                        SPECINFER_OBJECTIVE_ENERGY, "objective",
                                        "SPECINFER_OBJECTIVE_…"));
  SPECINFER_RETURN_IF_ERROR(
      ReadCount(known.tree_size, 0, "tree_size", &options.tree_shape.nodes));
  SPECINFER_RETURN_IF_ERROR(
      ReadCount(known.tree_depth, 0, "tree_depth", &options.tree_shape.depth));
  options.verifier = static_cast<Verifier>(known.verifier);
  options.ignore_end = known.ignore_end != 0;
  return options;
}

}  // namespace specinfer
