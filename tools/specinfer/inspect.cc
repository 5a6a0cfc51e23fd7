// inspect: what is in a model file and what it will need in memory.
#include <cstdio>
#include <memory>
#include <string>

#include "failure.h"
#include "model_list.h"
#include "options.h"
#include "processor.h"
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
  bool prints_json = false;
};

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
          {"cache_bytes_per_token", memory.cache_bytes_per_token},
          {"session_bytes", memory.session_bytes},
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
          {"adds_bos", properties.adds_bos != 0}};
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
  if (options.prints_json) {
    std::printf("%s\n", report
                            .dump(/*indent=*/2, ' ', /*ensure_ascii=*/false,
                                  Json::error_handler_t::replace)
                            .c_str());
  } else {
    PrintTable(report);
  }
}

}  // namespace

void AddInspect(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* verb = app.add_subcommand(
      "inspect", "What is in a model file, and what it needs in memory");
  AddModelOptions(*verb, options->model);
  verb->add_option("--context", options->num_context_tokens,
                   "Context in tokens to plan for; 0: the model's own");
  verb->add_flag("--json", options->prints_json, "Print JSON");
  verb->callback([options] { Inspect(*options); });
}

}  // namespace specinfer_cli
