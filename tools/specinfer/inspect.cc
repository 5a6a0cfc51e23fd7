// inspect: what is in a model file and what it will need in memory.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "bounds.h"
#include "failure.h"
#include "model_list.h"
#include "options.h"
#include "processor.h"
#include "progress_bar.h"
#include "specinfer/speculation.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  ModelOptions model;
  uint32_t num_context_tokens = 0;
  bool measures = false;
  bool verifies = false;
  bool prints_json = false;
};

constexpr uint32_t kPassContext = 256;

constexpr const char* kMetadataKeys[] = {
    "general.name",         "general.architecture", "general.basename",
    "general.size_label",   "general.license",      "general.file_type",
    "tokenizer.ggml.model", "tokenizer.ggml.pre",
};

struct SpecialToken {
  const char* name;
  int32_t special;
};
constexpr SpecialToken kSpecialTokens[] = {
    {"bos", SPECINFER_SPECIAL_BOS},
    {"eos", SPECINFER_SPECIAL_EOS},
    {"eot", SPECINFER_SPECIAL_EOT},
    {"fim_prefix", SPECINFER_SPECIAL_FIM_PREFIX},
    {"fim_suffix", SPECINFER_SPECIAL_FIM_SUFFIX},
    {"fim_middle", SPECINFER_SPECIAL_FIM_MIDDLE},
};

Json Metadata(const specinfer_model* model) {
  Json object = Json::object();
  for (const char* key : kMetadataKeys) {
    if (const auto value = GetMetadata(model, key)) object[key] = *value;
  }
  return object;
}

Json SpecialTokens(const specinfer_model* model) {
  Json object = Json::object();
  for (const SpecialToken& entry : kSpecialTokens) {
    specinfer_token token = 0;
    const specinfer_status status =
        specinfer_model_get_special_token(model, entry.special, &token);
    if (status == SPECINFER_NOT_FOUND) continue;
    Check(status);
    object[entry.name] = {
        {"id", token},
        {"text", Detokenize(model, {token}, SPECINFER_TEXT_SHOW_SPECIAL)}};
  }
  return object;
}

Json Memory(const specinfer_engine* engine, const std::string& path,
            uint32_t num_context_tokens) {
  specinfer_model_memory memory = SPECINFER_MODEL_MEMORY_INIT;
  Check(specinfer_model_plan(engine, path.data(), path.size(),
                             num_context_tokens, &memory));
  return {{"context", num_context_tokens == 0 ? memory.max_context_tokens
                                              : num_context_tokens},
          {"file_bytes", memory.file_bytes},
          {"weight_bytes", memory.weight_bytes},
          {"mapped_bytes", memory.mapped_bytes},
          {"cache_bytes_per_token", memory.cache_bytes_per_token},
          {"session_bytes", memory.session_bytes},
          {"q8_cache_bytes_per_token", memory.q8_cache_bytes_per_token},
          {"q8_session_bytes", memory.q8_session_bytes},
          {"total_bytes", memory.total_bytes}};
}

Json Properties(const specinfer_model* model) {
  const specinfer_model_properties properties = GetProperties(model);
  return {{"parameters", properties.num_parameters},
          {"layers", properties.num_layers},
          {"hidden_size", properties.hidden_size},
          {"vocabulary", properties.vocabulary_size},
          {"max_context", properties.max_context_tokens},
          {"chat_template", properties.has_chat_template != 0},
          {"fill_in_middle", properties.has_fill_in_middle != 0},
          {"adds_bos", properties.adds_bos != 0},
          {"packed", properties.is_packed != 0}};
}

Json Tensors(const specinfer_model* model) {
  const uint32_t num_tensors = GetProperties(model).num_tensors;
  Json list = Json::array();
  for (uint32_t index = 0; index < num_tensors; ++index) {
    specinfer_model_tensor tensor = SPECINFER_MODEL_TENSOR_INIT;
    Check(specinfer_model_get_tensor(model, index, &tensor));
    Json shape = Json::array();
    for (uint32_t axis = 0; axis < tensor.num_dimensions; ++axis) {
      shape.push_back(tensor.dimensions[axis]);
    }
    list.push_back({{"name", std::string(tensor.name, tensor.name_length)},
                    {"type", std::string(tensor.type)},
                    {"shape", shape},
                    {"bytes", tensor.num_bytes}});
  }
  return list;
}

void PrintTensors(const Json& tensors) {
  std::printf("\ntensors\n");
  for (const Json& tensor : tensors) {
    std::string shape;
    for (const Json& dimension : tensor["shape"]) {
      shape += (shape.empty() ? "" : " x ") + dimension.dump();
    }
    std::printf("  %-36s %-7s %-18s %12s\n",
                tensor["name"].get<std::string>().c_str(),
                tensor["type"].get<std::string>().c_str(), shape.c_str(),
                tensor["bytes"].dump().c_str());
  }
}

int32_t ShowProgress(void* user_data, float fraction) {
  static_cast<ProgressBar*>(user_data)->Show(static_cast<double>(fraction));
  return 0;
}

void Verify(const InspectOptions& options) {
  const std::string path = FindModel(options.model.model);
  const Engine engine =
      CreateEngine(options.model.num_threads, options.model.backend);
  ProgressBar bar("verifying");
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
  config.progress = ShowProgress;
  config.progress_user_data = &bar;
  uint64_t num_hashes = 0;
  const specinfer_status status = specinfer_model_verify(
      engine.get(), path.data(), path.size(), &config, &num_hashes);
  bar.Clear();
  Check(status);
  if (options.prints_json) {
    std::printf(
        "%s\n",
        Json({{"file", path}, {"hashes", num_hashes}, {"structure", true}})
            .dump(2, ' ', false, Json::error_handler_t::replace)
            .c_str());
  } else if (num_hashes == 0) {
    std::printf(
        "%s: the structure is sound; the file keeps no hashes to verify its "
        "tensors with\n",
        path.c_str());
  } else {
    std::printf("%s: the structure is sound, all %llu hashes fit\n",
                path.c_str(), static_cast<unsigned long long>(num_hashes));
  }
}

// What the machine does at best with this model's weights.
Json Rates(const specinfer_model* model) {
  constexpr int kNumSamples = 5;
  Bounds bounds(model);
  for (int sample = 0; sample < kNumSamples; ++sample) bounds.Sample();
  const specinfer_machine_rates rates = bounds.Rates();
  return {{"bandwidth_gbs", 1e-9 * rates.read_bytes_per_second},
          {"peak_int8_gmacs", 1e-9 * rates.int8_products_per_second},
          {"peak_float_gmacs", 1e-9 * rates.float_products_per_second}};
}

// How long passes take, as plans believe it; null where nothing was measured.
Json PassTimes(const specinfer_model* model) {
  constexpr std::pair<const char*, int32_t> kKinds[] = {
      {"as the model", SPECINFER_PASS_TARGET},
      {"as a draft model", SPECINFER_PASS_DRAFT},
      {"its first layers", SPECINFER_PASS_EARLY_EXIT}};
  Json all;
  for (const auto& [name, kind] : kKinds) {
    Json milliseconds = Json::object();
    for (const uint32_t num_rows : {1u, 2u, 4u, 8u, 16u, 32u, 64u}) {
      specinfer_pass_time time = SPECINFER_PASS_TIME_INIT;
      Check(specinfer_model_get_pass_time(model, kind, num_rows, kPassContext,
                                          &time));
      if (time.is_kept != 0)
        milliseconds[std::to_string(num_rows)] = 1e3 * time.seconds;
    }
    if (!milliseconds.empty()) all[name] = milliseconds;
  }
  return all;
}

// "n: 1  2  4 ..." and, below, milliseconds of passes over n tokens.
void PrintPassTimes(const Json& all) {
  std::printf("\nmilliseconds of a pass, measured, context of %u tokens\n",
              kPassContext);
  if (all.is_null()) {
    std::printf("  nothing was kept yet\n");
    return;
  }
  std::printf("  %-22s", "tokens");
  for (const auto& [num_rows, value] : all.begin()->items())
    std::printf(" %7s", num_rows.c_str());
  std::printf("\n");
  for (const auto& [name, milliseconds] : all.items()) {
    std::printf("  %-22s", name.c_str());
    for (const Json& value : milliseconds)
      std::printf(" %7.2f", value.get<double>());
    std::printf("\n");
  }
}

// Byte counts as "98.4 MB", everything else as it is.
std::string Value(const std::string& key, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object()) {
    return value["id"].dump() + " " + value["text"].get<std::string>();
  }
  if (key.find("bytes") != std::string::npos) {
    char text[40];
    const double num_bytes = value.get<double>();
    std::snprintf(text, sizeof(text), num_bytes < 1e6 ? "%.1f kB" : "%.1f MB",
                  num_bytes * (num_bytes < 1e6 ? 1e-3 : 1e-6));
    return text;
  }
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_float()) {
    char text[40];
    std::snprintf(text, sizeof(text), "%.1f", value.get<double>());
    return text;
  }
  return value.dump();
}

void PrintTable(const Json& report) {
  for (const auto& [title, section] : report.items()) {
    if (!section.is_object()) {
      std::printf("%s: %s\n", title.c_str(), Value(title, section).c_str());
      continue;
    }
    std::printf("\n%s\n", title.c_str());
    for (const auto& [key, value] : section.items()) {
      std::string label = key;
      if (const size_t unit = label.find("_bytes"); unit != std::string::npos) {
        label.erase(unit, 6);
      }
      std::printf("  %-22s %s\n", label.c_str(), Value(key, value).c_str());
    }
  }
}

void Inspect(const InspectOptions& options) {
  if (options.verifies) return Verify(options);
  const LoadedModel loaded = LoadModel(options.model);
  const specinfer_model* model = loaded.model.get();
  const specinfer_engine_statistics engine = GetStatistics(loaded.engine.get());
  Json report;
  report["file"] = loaded.path;
  report["model"] = Properties(model);
  report["metadata"] = Metadata(model);
  report["special tokens"] = SpecialTokens(model);
  report["memory"] =
      Memory(loaded.engine.get(), loaded.path, options.num_context_tokens);
  report["processor"] = {{"name", ProcessorName()},
                         {"backend", std::string(engine.backend)},
                         {"threads", engine.num_threads}};
  if (options.measures) report["measured"] = Rates(model);
  const bool has_times = !options.model.cache_directory.empty();
  const Json pass_times = has_times ? PassTimes(model) : Json();
  const Json tensors = Tensors(model);
  if (options.prints_json) {
    if (has_times) report["pass_milliseconds"] = pass_times;
    report["tensors"] = tensors;
    std::printf("%s\n", report
                            .dump(/*indent=*/2, ' ', /*ensure_ascii=*/false,
                                  Json::error_handler_t::replace)
                            .c_str());
  } else {
    PrintTable(report);
    if (has_times) PrintPassTimes(pass_times);
    PrintTensors(tensors);
  }
}

}  // namespace

void AddInspect(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* verb = app.add_subcommand(
      "inspect", "What is in a model file, and what it needs in memory");
  AddModelOptions(*verb, options->model);
  AddCacheDirectoryOption(*verb, options->model);
  verb->add_option("--context", options->num_context_tokens,
                   "Context in tokens to plan for; 0: the model's own");
  verb->add_flag("--measure", options->measures,
                 "Also measure what the machine does at best: GB/s of reading "
                 "the weights, multiply-adds per second");
  verb->add_flag_callback(
      "--as-draft", [options] { options->model.flags = SPECINFER_MODEL_DRAFT; },
      "Load it as --draft of other verbs does, with weights for guessing");
  verb->add_flag("--verify", options->verifies,
                 "Only check the file: its structure, and every byte of a "
                 "packed one against the hashes it keeps");
  verb->add_flag("--json", options->prints_json, "Print JSON");
  verb->callback([options] { Inspect(*options); });
}

}  // namespace specinfer_cli
