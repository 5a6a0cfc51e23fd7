#include "src/model/ctranslate2_documents.h"

#include <string_view>
#include <utility>

#include "src/base/status_macros.h"
#include "src/model/json_document.h"
#include "src/model/token_list.h"
#include "src/model/whisper_alignment.h"

namespace specinfer {
namespace {

using nlohmann::json;

class DocumentReader {
 public:
  DocumentReader(const std::string& folder, const FileReader& reader,
                 Memory& memory, ModelContents& contents)
      : folder_(folder),
        reader_(reader),
        memory_(memory),
        contents_(contents) {}

  absl::StatusOr<std::vector<uint32_t>> ReadConfig();
  absl::Status ReadVocabulary(uint64_t vocabulary_size);

 private:
  // The text of a file that may be missing; it stays open with the model.
  absl::StatusOr<std::string_view> ReadText(const std::string& name);
  absl::Status ReadTokensJson(std::string_view text, TokenList& tokens) const;

  const std::string& folder_;
  const FileReader& reader_;
  Memory& memory_;
  ModelContents& contents_;
};

absl::StatusOr<std::string_view> DocumentReader::ReadText(
    const std::string& name) {
  absl::StatusOr<FileMapping> file =
      FileMapping::Open(folder_ + name, reader_, memory_);
  if (absl::IsNotFound(file.status())) return std::string_view();
  if (!file.ok()) return file.status();
  const absl::Span<const uint8_t> bytes = file->bytes();
  contents_.headers.push_back(bytes);
  contents_.documents.push_back(*std::move(file));
  return std::string_view(reinterpret_cast<const char*>(bytes.data()),
                          bytes.size());
}

absl::StatusOr<std::vector<uint32_t>> DocumentReader::ReadConfig() {
  std::vector<uint32_t> heads;
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view text,
                             ReadText("config.json"));
  if (text.empty()) return heads;
  const std::string path = folder_ + "config.json";
  SPECINFER_ASSIGN_OR_RETURN(const json config, ParseJsonObject(path, text));
  SPECINFER_RETURN_IF_ERROR(ReadAlignmentHeads(path, config, heads));
  return heads;
}

absl::Status DocumentReader::ReadVocabulary(uint64_t vocabulary_size) {
  SPECINFER_ASSIGN_OR_RETURN(contents_.tokenizer_json,
                             ReadText("tokenizer.json"));
  if (!contents_.tokenizer_json.empty()) return absl::OkStatus();
  TokenList tokens;
  std::string name = "vocabulary.json";
  SPECINFER_ASSIGN_OR_RETURN(std::string_view text, ReadText(name));
  if (!text.empty()) {
    SPECINFER_RETURN_IF_ERROR(ReadTokensJson(text, tokens));
  } else {
    name = "vocabulary.txt";
    SPECINFER_ASSIGN_OR_RETURN(text, ReadText(name));
    while (!text.empty()) {
      const size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      tokens.Add(line);
    }
  }
  if (tokens.size() == 0) {
    return absl::NotFoundError(ModelMessage(
        folder_ + "tokenizer.json",
        "is missing; a CTranslate2 model needs it, vocabulary.json or "
        "vocabulary.txt beside its weights"));
  }
  if (tokens.size() != vocabulary_size) {
    return absl::InvalidArgumentError(
        ModelMessage(folder_ + name, "has ", tokens.size(),
                     " tokens, but the model has ", vocabulary_size));
  }
  return tokens.PutKeys(contents_);
}

absl::Status DocumentReader::ReadTokensJson(std::string_view text,
                                            TokenList& tokens) const {
  const std::string path = folder_ + "vocabulary.json";
  SPECINFER_ASSIGN_OR_RETURN(const json document, ParseJsonArray(path, text));
  for (const json& token : document) {
    const std::string* spelling = token.get_ptr<const std::string*>();
    if (spelling == nullptr) {
      return absl::InvalidArgumentError(
          ModelMessage(path, "token ", tokens.size(), " is no string"));
    }
    tokens.Add(*spelling);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<uint32_t>> ReadCtranslate2Documents(
    const std::string& folder, uint64_t vocabulary_size,
    const FileReader& reader, Memory& memory, ModelContents& contents) {
  DocumentReader documents(folder, reader, memory, contents);
  SPECINFER_RETURN_IF_ERROR(documents.ReadVocabulary(vocabulary_size));
  return documents.ReadConfig();
}

}  // namespace specinfer
