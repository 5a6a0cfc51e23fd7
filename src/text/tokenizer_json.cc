#include "src/text/tokenizer_json.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "nlohmann/json.hpp"
#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// The value under `key`, or null where `object` is no object or has none.
const Json* Find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto place = object.find(key);
  return place == object.end() || place->is_null() ? nullptr : &*place;
}

std::string_view FindString(const Json& object, const char* key) {
  const Json* const value = Find(object, key);
  const std::string* const text =
      value == nullptr ? nullptr : value->get_ptr<const Json::string_t*>();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

bool FindBool(const Json& object, const char* key, bool absent) {
  const Json* const value = Find(object, key);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : absent;
}

// A step itself, or the steps of a sequence (sequences do not nest in practice,
// and are not followed further).
std::vector<const Json*> Steps(const Json* step, const char* list_key) {
  if (step == nullptr) return {};
  if (FindString(*step, "type") != "Sequence") return {step};
  std::vector<const Json*> steps;
  const Json* const list = Find(*step, list_key);
  if (list == nullptr || !list->is_array()) return {step};
  for (const Json& inner : *list) steps.push_back(&inner);
  return steps;
}

class TokenizerJsonReader {
 public:
  TokenizerJsonReader(const Json& root, const std::string& where)
      : root_(root), where_(where) {}

  absl::StatusOr<std::unique_ptr<VocabularyBuilder>> Read();

 private:
  struct Entry {
    std::string_view text;
    TokenKind kind = TokenKind::kUnused;
  };

  absl::Status Broken(std::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(where_, "tokenizer.json: ", ToAbsl(what)));
  }
  absl::Status Unsupported(std::string_view what) const {
    return absl::UnimplementedError(absl::StrCat(
        where_, "tokenizer.json: ", ToAbsl(what), " is not supported"));
  }

  absl::Status ReadSteps();
  absl::Status ReadNormalizers();
  absl::Status ReadPreTokenizer(const Json& step);
  absl::Status ReadSplit(const Json& step);
  absl::Status TakeKind(PreTokenizerKind kind);
  absl::Status ReadVocabulary();
  absl::Status ReadAddedTokens();
  absl::StatusOr<Entry*> Place(const Json& id, std::string_view text);
  absl::Status ReadMerges(VocabularyBuilder& builder);
  absl::Status ReadPostProcessor(VocabularyBuilder& builder);

  const Json& root_;
  const std::string& where_;
  const Json* model_ = nullptr;
  const Json* vocabulary_ = nullptr;
  size_t max_tokens_ = 0;
  bool is_byte_level_ = false;
  bool cuts_digits_ = false;
  bool marks_spaces_ = false;
  bool has_byte_fallback_ = false;
  SpacePrefix space_prefix_ = SpacePrefix::kNone;
  std::optional<PreTokenizerKind> kind_;
  std::vector<Entry> entries_;  // by id
  std::vector<StripRule> strip_rules_;
};

absl::StatusOr<std::unique_ptr<VocabularyBuilder>> TokenizerJsonReader::Read() {
  model_ = Find(root_, "model");
  if (model_ == nullptr || !model_->is_object())
    return Broken("there is no model");
  const std::string_view type = FindString(*model_, "type");
  if (!type.empty() && type != "BPE")
    return Unsupported(absl::StrCat("model type ", ToAbsl(type)));
  for (const char* affix :
       {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!FindString(*model_, affix).empty()) return Unsupported(affix);
  }
  has_byte_fallback_ = FindBool(*model_, "byte_fallback", false);
  SPECINFER_RETURN_IF_ERROR(ReadSteps());
  SPECINFER_RETURN_IF_ERROR(ReadVocabulary());
  SPECINFER_RETURN_IF_ERROR(ReadAddedTokens());

  auto builder = std::make_unique<VocabularyBuilder>(
      is_byte_level_ ? TokenizerModel::kBytePair
                     : TokenizerModel::kCharacterPair,
      entries_.size(), absl::StrCat(where_, "tokenizer.json: "));
  for (const Entry& entry : entries_)
    SPECINFER_RETURN_IF_ERROR(builder->AddToken(entry.text, entry.kind));
  SPECINFER_RETURN_IF_ERROR(ReadMerges(*builder));
  Vocabulary& vocabulary = builder->vocabulary();
  vocabulary.pre_tokenizer = kind_.value_or(PreTokenizerKind::kDefault);
  vocabulary.ignores_merges = FindBool(*model_, "ignore_merges", false);
  vocabulary.space_prefix = space_prefix_;
  std::sort(
      strip_rules_.begin(), strip_rules_.end(),
      [](const StripRule& a, const StripRule& b) { return a.token < b.token; });
  vocabulary.strip_rules = std::move(strip_rules_);
  const std::string_view unknown = FindString(*model_, "unk_token");
  if (!unknown.empty() && builder->Find(unknown) < 0)
    return Broken("unk_token is no token");
  if (!unknown.empty()) {
    vocabulary.special_tokens[static_cast<size_t>(SpecialToken::kUnknown)] =
        builder->Find(unknown);
  }
  SPECINFER_RETURN_IF_ERROR(ReadPostProcessor(*builder));
  return builder;
}

absl::Status TokenizerJsonReader::ReadSteps() {
  SPECINFER_RETURN_IF_ERROR(ReadNormalizers());
  for (const Json* step :
       Steps(Find(root_, "pre_tokenizer"), "pretokenizers")) {
    SPECINFER_RETURN_IF_ERROR(ReadPreTokenizer(*step));
  }
  if (is_byte_level_) {
    if (marks_spaces_)
      return Unsupported("a byte-level tokenizer that replaces blanks");
    if (!kind_.has_value())
      return Unsupported(
          "a byte-level tokenizer that does not cut text into words");
    if (cuts_digits_ && *kind_ != PreTokenizerKind::kGpt2)
      return Unsupported("Digits before this expression");
    if (cuts_digits_) kind_ = PreTokenizerKind::kSmollm;
    return absl::OkStatus();
  }
  if (kind_.has_value() || cuts_digits_)
    return Unsupported("a pre-tokenizer without ByteLevel");
  if (!marks_spaces_)
    return Unsupported("a BPE model without ByteLevel or U+2581 for blanks");
  return absl::OkStatus();
}

absl::Status TokenizerJsonReader::ReadNormalizers() {
  for (const Json* step : Steps(Find(root_, "normalizer"), "normalizers")) {
    const std::string_view type = FindString(*step, "type");
    if (type == "NFC") continue;
    if (type == "Prepend" && FindString(*step, "prepend") == kSpaceMark) {
      space_prefix_ = SpacePrefix::kEveryFragment;
      continue;
    }
    const Json* const pattern = Find(*step, "pattern");
    if (type == "Replace" && pattern != nullptr &&
        FindString(*pattern, "String") == " " &&
        FindString(*step, "content") == kSpaceMark) {
      marks_spaces_ = true;
      continue;
    }
    return Unsupported(absl::StrCat("normalizer ", ToAbsl(type)));
  }
  return absl::OkStatus();
}

absl::Status TokenizerJsonReader::ReadPreTokenizer(const Json& step) {
  const std::string_view type = FindString(step, "type");
  if (type == "ByteLevel") {
    if (FindBool(step, "add_prefix_space", true))
      return Unsupported("ByteLevel with add_prefix_space");
    is_byte_level_ = true;
    return FindBool(step, "use_regex", true) ? TakeKind(PreTokenizerKind::kGpt2)
                                             : absl::OkStatus();
  }
  if (type == "Digits" && FindBool(step, "individual_digits", false) &&
      !kind_.has_value()) {
    cuts_digits_ = true;
    return absl::OkStatus();
  }
  if (type == "Split") return ReadSplit(step);
  if (type == "Metaspace") {
    const std::string_view scheme = FindString(step, "prepend_scheme");
    if (FindBool(step, "split", true))
      return Unsupported("Metaspace that splits");
    if (FindString(step, "replacement") != kSpaceMark)
      return Unsupported("Metaspace with this replacement");
    marks_spaces_ = true;
    if (scheme == "first") space_prefix_ = SpacePrefix::kTextOnly;
    if (scheme == "always") space_prefix_ = SpacePrefix::kEveryFragment;
    return absl::OkStatus();
  }
  return Unsupported(absl::StrCat("pre-tokenizer ", ToAbsl(type)));
}

absl::Status TokenizerJsonReader::ReadSplit(const Json& step) {
  const Json* const pattern = Find(step, "pattern");
  if (pattern == nullptr) return Broken("Split has no pattern");
  // Blanks are U+2581 by then, so this cuts nothing.
  if (FindString(*pattern, "String") == " " && marks_spaces_)
    return absl::OkStatus();
  const std::string_view regex = FindString(*pattern, "Regex");
  const std::string_view behavior = FindString(step, "behavior");
  const bool inverts = FindBool(step, "invert", false);
  if (!(behavior == "Isolated" && !inverts) &&
      !(behavior == "Removed" && inverts)) {
    return Unsupported(absl::StrCat("Split with behavior ", ToAbsl(behavior)));
  }
  const auto kind = FindPreTokenizerByRegex(regex);
  if (!kind.ok()) {
    return absl::Status(
        kind.status().code(),
        absl::StrCat(where_, "tokenizer.json: ", kind.status().message()));
  }
  return TakeKind(*kind);
}

absl::Status TokenizerJsonReader::TakeKind(PreTokenizerKind kind) {
  if (kind_.has_value())
    return Unsupported("more than one expression that cuts text");
  kind_ = kind;
  return absl::OkStatus();
}

absl::Status TokenizerJsonReader::ReadVocabulary() {
  vocabulary_ = Find(*model_, "vocab");
  if (vocabulary_ == nullptr || !vocabulary_->is_object())
    return Broken("model.vocab is no object");
  const Json* const added = Find(root_, "added_tokens");
  const size_t num_added =
      added != nullptr && added->is_array() ? added->size() : 0;
  // A few numbers may be left out, but not so many that a small file makes a
  // huge vocabulary.
  max_tokens_ = 4 * (vocabulary_->size() + num_added) + 65536;
  for (auto token = vocabulary_->begin(); token != vocabulary_->end();
       ++token) {
    // Whisper's multilingual vocabulary gives a number to no text.
    if (token.key().empty()) continue;
    SPECINFER_ASSIGN_OR_RETURN(Entry* const entry,
                               Place(token.value(), token.key()));
    // Whisper's has a token of no text, which stays unused.
    if (entry->text.empty()) continue;
    // "<0x0A>", as the builder reads it.
    const bool is_byte =
        has_byte_fallback_ && !is_byte_level_ && entry->text.size() == 6 &&
        entry->text.substr(0, 3) == "<0x" && entry->text[5] == '>';
    entry->kind = is_byte ? TokenKind::kByte : TokenKind::kNormal;
  }
  return absl::OkStatus();
}

absl::StatusOr<TokenizerJsonReader::Entry*> TokenizerJsonReader::Place(
    const Json& id, std::string_view text) {
  if (!id.is_number_unsigned())
    return Broken("a token's id is not a number of 0 or more");
  const uint64_t index = id.get<uint64_t>();
  if (index >= max_tokens_) {
    return Broken(absl::StrCat("token id ", index,
                               " is too high for the number of tokens"));
  }
  if (index >= entries_.size()) entries_.resize(index + 1);
  Entry& entry = entries_[index];
  if (!entry.text.empty() && entry.text != text)
    return Broken(absl::StrCat("two tokens have the id ", index));
  entry.text = text;
  return &entry;
}

absl::Status TokenizerJsonReader::ReadAddedTokens() {
  const Json* const added = Find(root_, "added_tokens");
  if (added == nullptr) return absl::OkStatus();
  if (!added->is_array()) return Broken("added_tokens is no array");
  for (const Json& token : *added) {
    const Json* const id = Find(token, "id");
    if (id == nullptr) return Broken("an added token has no id");
    if (FindBool(token, "single_word", false))
      return Unsupported("an added token with single_word");
    const std::string_view text = FindString(token, "content");
    if (text.empty())
      return Broken(absl::StrCat("added token ", id->dump(), " has no text"));
    SPECINFER_ASSIGN_OR_RETURN(Entry* const entry, Place(*id, text));
    if (FindBool(token, "special", false)) {
      entry->kind = TokenKind::kControl;
    } else if (entry->kind == TokenKind::kUnused ||
               entry->text.find(kSpaceMark) == std::string_view::npos) {
      entry->kind = TokenKind::kUserDefined;
    }  // else: text never holds its mark before blanks are replaced, so merges
       // make it as any other token
    const bool left = FindBool(token, "lstrip", false),
               right = FindBool(token, "rstrip", false);
    if (left || right)
      strip_rules_.push_back(
          {static_cast<Token>(entry - entries_.data()), left, right});
  }
  return absl::OkStatus();
}

absl::Status TokenizerJsonReader::ReadMerges(VocabularyBuilder& builder) {
  const Json* const merges = Find(*model_, "merges");
  if (merges == nullptr || !merges->is_array())
    return Broken("model.merges is no array");
  for (const Json& merge : *merges) {
    if (const std::string* const joined =
            merge.get_ptr<const Json::string_t*>();
        joined != nullptr) {
      const size_t blank = joined->find(' ', 1);
      if (blank == std::string::npos)
        return Broken("a merge has no blank between two parts");
      const std::string_view text = *joined;
      SPECINFER_RETURN_IF_ERROR(
          builder.AddMerge(text.substr(0, blank), text.substr(blank + 1)));
      continue;
    }
    if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() ||
        !merge[1].is_string()) {
      return Broken("a merge is neither a string nor a pair of strings");
    }
    SPECINFER_RETURN_IF_ERROR(
        builder.AddMerge(*merge[0].get_ptr<const Json::string_t*>(),
                         *merge[1].get_ptr<const Json::string_t*>()));
  }
  return absl::OkStatus();
}

// A template that puts a special token before or after the text names BOS or
// EOS.
absl::Status TokenizerJsonReader::ReadPostProcessor(
    VocabularyBuilder& builder) {
  Vocabulary& vocabulary = builder.vocabulary();
  for (const Json* step : Steps(Find(root_, "post_processor"), "processors")) {
    const Json* const single = Find(*step, "single");
    if (FindString(*step, "type") != "TemplateProcessing" ||
        single == nullptr || !single->is_array())
      continue;
    bool is_before_text = true;
    for (const Json& part : *single) {
      const Json* const special = Find(part, "SpecialToken");
      if (special == nullptr) {
        is_before_text = false;
        continue;
      }
      const Token token = builder.Find(FindString(*special, "id"));
      if (token < 0)
        return Broken(
            "post_processor names a special token that does not exist");
      (is_before_text ? vocabulary.adds_bos : vocabulary.adds_eos) = true;
      const SpecialToken which =
          is_before_text ? SpecialToken::kBos : SpecialToken::kEos;
      vocabulary.special_tokens[static_cast<size_t>(which)] = token;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<VocabularyBuilder>> ParseTokenizerJson(
    std::string_view text, const std::string& where) {
  const Json root = Json::parse(text.begin(), text.end(), /*cb=*/nullptr,
                                /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, "tokenizer.json is not a JSON object"));
  }
  return TokenizerJsonReader(root, where).Read();
}

}  // namespace specinfer
