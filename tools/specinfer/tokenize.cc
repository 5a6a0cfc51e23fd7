// tokenize: a JSON array of strings in, a JSON array of arrays of ids out.
#include <cstdio>
#include <memory>

#include "failure.h"
#include "file_text.h"
#include "options.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

struct TokenizeOptions {
  ModelOptions model;
  PromptOptions text;
  bool is_bytes = false;
  bool parses_special = false;
  bool adds_bos = false;
};

std::vector<std::string> ReadTexts(const TokenizeOptions& options) {
  std::string text = ReadPrompt(options.text);
  if (options.is_bytes || options.text.file.empty()) return {std::move(text)};
  const std::string where = "file \"" + options.text.file + "\"";
  const nlohmann::json array =
      nlohmann::json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (array.is_discarded()) {
    throw Failure(where +
                  " is not JSON: write an array of strings, or take the file "
                  "as one string with --bytes");
  }
  if (!array.is_array()) throw Failure(where + " is not a JSON array");
  std::vector<std::string> texts;
  for (const nlohmann::json& element : array) {
    if (!element.is_string()) {
      throw Failure(where + ": element " + std::to_string(texts.size()) +
                    " is not a string");
    }
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

void TokenizeTexts(const TokenizeOptions& options) {
  const std::vector<std::string> texts = ReadTexts(options);
  const LoadedModel loaded = LoadModel(options.model);
  const uint32_t flags =
      (options.parses_special ? SPECINFER_TEXT_PARSE_SPECIAL : 0) |
      (options.adds_bos ? SPECINFER_TEXT_ADD_BOS : 0);
  const char* separator = "[";
  for (const std::string& text : texts) {
    const nlohmann::json ids = Tokenize(loaded.model.get(), text, flags);
    std::printf("%s%s", separator, ids.dump().c_str());
    separator = ",\n";
  }
  std::printf("%s]\n", texts.empty() ? "[" : "");
}

}  // namespace

void AddTokenize(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* verb = app.add_subcommand("tokenize", "Texts to token ids");
  AddModelOptions(*verb, options->model);
  verb->add_option("-p,--prompt", options->text.prompt, "One text");
  verb->add_option("-f,--file", options->text.file,
                   "A JSON array of strings; - is standard input");
  verb->add_flag("--bytes", options->is_bytes,
                 "The file's bytes are one text, valid UTF-8 or not");
  verb->add_flag("--special", options->parses_special,
                 "Names of control tokens become these tokens");
  verb->add_flag(
      "--bos", options->adds_bos,
      "Begin with the begin-of-sequence token if the model wants it");
  verb->callback([options] { TokenizeTexts(*options); });
}

}  // namespace specinfer_cli
