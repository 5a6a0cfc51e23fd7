#include "prompt_list.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "failure.h"
#include "file_text.h"
#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

using nlohmann::json;

// A string under `key`; empty where there is none.
std::string StringAt(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : "";
}

std::string TextOf(const json& object) {
  const std::string text = StringAt(object, "user");
  if (!text.empty()) return text;
  const auto turns = object.find("turns");
  const bool has_turn = turns != object.end() && turns->is_array() &&
                        !turns->empty() && turns->front().is_string();
  return has_turn ? turns->front().get<std::string>() : "";
}

Prompt ParsePrompt(const std::string& line, const std::string& path,
                   size_t index) {
  const std::string where =
      "file \"" + path + "\", line " + std::to_string(index + 1);
  const json object =
      json::parse(line, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) throw Failure(where + " is not a JSON object");
  Prompt prompt = {.index = index,
                   .file = std::filesystem::path(path).filename().string(),
                   .id = StringAt(object, "id"),
                   .category = StringAt(object, "category"),
                   .text = TextOf(object)};
  if (prompt.text.empty()) {
    throw Failure(where + " has neither \"user\" nor \"turns\" with text");
  }
  if (prompt.category.empty()) {
    prompt.category = std::filesystem::path(path).stem().string();
  }
  return prompt;
}

bool IsWanted(const Prompt& prompt, const PromptSelection& selection) {
  const std::vector<std::string>& wanted = selection.categories;
  return wanted.empty() || std::find(wanted.begin(), wanted.end(),
                                     prompt.category) != wanted.end();
}

}  // namespace

std::vector<Prompt> ReadPrompts(const std::string& path,
                                const PromptSelection& selection) {
  std::istringstream lines(ReadFile(path));
  std::vector<Prompt> prompts;
  size_t num_passed = 0;
  std::string line;
  for (size_t index = 0; std::getline(lines, line); ++index) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Prompt prompt = ParsePrompt(line, path, index);
    if (!IsWanted(prompt, selection)) continue;
    if (num_passed++ < selection.num_skipped) continue;
    prompts.push_back(std::move(prompt));
    if (prompts.size() == selection.max_prompts) break;
  }
  if (prompts.empty()) {
    throw Failure("file \"" + path +
                  "\" has no such prompt: see --categories and --skip");
  }
  return prompts;
}

std::string Describe(const Prompt& prompt) {
  std::string text = std::to_string(prompt.index);
  if (!prompt.id.empty()) text += " (" + prompt.id + ")";
  return text + " of " + prompt.file;
}

}  // namespace specinfer_cli
