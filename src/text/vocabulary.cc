#include "src/text/vocabulary.h"

#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/model/model_contents.h"
#include "src/text/ranked_merges.h"
#include "src/text/tokenizer_json.h"
#include "src/text/vocabulary_builder.h"
#include "src/text/whisper_tokens.h"

namespace specinfer {
namespace {

constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";
constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";
constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";

struct SpecialTokenKey {
  std::string_view key;
  SpecialToken which;
};

// Later ones win: the old names stand first.
constexpr SpecialTokenKey kSpecialTokenKeys[] = {
    {"tokenizer.ggml.bos_token_id", SpecialToken::kBos},
    {"tokenizer.ggml.eos_token_id", SpecialToken::kEos},
    {"tokenizer.ggml.eot_token_id", SpecialToken::kEndOfTurn},
    {"tokenizer.ggml.eom_token_id", SpecialToken::kEndOfMessage},
    {"tokenizer.ggml.unknown_token_id", SpecialToken::kUnknown},
    {"tokenizer.ggml.prefix_token_id", SpecialToken::kFimPrefix},
    {"tokenizer.ggml.suffix_token_id", SpecialToken::kFimSuffix},
    {"tokenizer.ggml.middle_token_id", SpecialToken::kFimMiddle},
    {"tokenizer.ggml.fim_pre_token_id", SpecialToken::kFimPrefix},
    {"tokenizer.ggml.fim_suf_token_id", SpecialToken::kFimSuffix},
    {"tokenizer.ggml.fim_mid_token_id", SpecialToken::kFimMiddle},
    {"tokenizer.ggml.fim_pad_token_id", SpecialToken::kFimPad},
    {"tokenizer.ggml.fim_rep_token_id", SpecialToken::kFimRepository},
    {"tokenizer.ggml.fim_sep_token_id", SpecialToken::kFimSeparator},
};

// The head of every message.
std::string Where(const ModelFile& file) {
  return absl::StrCat("model ", QuoteName(file.path()), ": ");
}

absl::Status BrokenKey(const ModelFile& file, std::string_view key,
                       std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(Where(file), ToAbsl(key), " ", ToAbsl(what)));
}

// An array with one number for each token; empty where the file has none.
absl::StatusOr<NumberArray> GetNumberPerToken(const ModelFile& file,
                                              std::string_view key,
                                              size_t num_tokens) {
  if (file.Find(key) == nullptr) return NumberArray();
  SPECINFER_ASSIGN_OR_RETURN(const NumberArray numbers, file.GetNumbers(key));
  if (numbers.size() != num_tokens) {
    return BrokenKey(file, key,
                     absl::StrCat("has ", numbers.size(), " values for ",
                                  num_tokens, " tokens"));
  }
  return numbers;
}

absl::Status AddTokens(const ModelFile& file, const StringArray& texts,
                       VocabularyBuilder& builder) {
  SPECINFER_ASSIGN_OR_RETURN(const NumberArray types,
                             GetNumberPerToken(file, kTypesKey, texts.size()));
  for (const std::string_view text : texts) {
    int64_t type = static_cast<int64_t>(TokenKind::kNormal);
    if (types.size() > 0) type = types.Int(builder.num_tokens());
    if (type < 1 || type > 6) {
      return BrokenKey(file, kTypesKey,
                       absl::StrCat("gives token ", builder.num_tokens(),
                                    " the type ", type));
    }
    SPECINFER_RETURN_IF_ERROR(
        builder.AddToken(text, static_cast<TokenKind>(type)));
  }
  return absl::OkStatus();
}

absl::Status AddScores(const ModelFile& file, VocabularyBuilder& builder) {
  SPECINFER_ASSIGN_OR_RETURN(
      const NumberArray scores,
      GetNumberPerToken(file, kScoresKey, builder.num_tokens()));
  if (scores.size() == 0)
    return BrokenKey(file, kScoresKey,
                     "is missing, and this tokenizer needs it");
  std::vector<float>& out = builder.vocabulary().scores;
  out.reserve(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    const float score = static_cast<float>(scores.Float(i));
    if (std::isnan(score))
      return BrokenKey(file, kScoresKey,
                       absl::StrCat("is not a number for token ", i));
    out.push_back(score);
  }
  return absl::OkStatus();
}

absl::Status AddMerges(const ModelFile& file, VocabularyBuilder& builder) {
  SPECINFER_ASSIGN_OR_RETURN(
      const bool follow_from_ranks,
      file.GetBoolOr("specinfer.merges_follow_from_ranks", false));
  if (follow_from_ranks) return AddRankedMerges(builder);
  SPECINFER_ASSIGN_OR_RETURN(const StringArray merges,
                             file.GetStrings(kMergesKey));
  builder.vocabulary().merges.reserve(merges.size());
  for (const std::string_view merge : merges) {
    const size_t blank = merge.find(' ', 1);
    if (blank == std::string_view::npos) {
      return BrokenKey(file, kMergesKey,
                       absl::StrCat("holds ", QuoteName(merge),
                                    ", which has no blank between two parts"));
    }
    const absl::Status added =
        builder.AddMerge(merge.substr(0, blank), merge.substr(blank + 1));
    if (!added.ok())
      return absl::Status(added.code(), absl::StrCat(added.message(), " (",
                                                     ToAbsl(kMergesKey), ")"));
  }
  return absl::OkStatus();
}

absl::Status SetSpecialTokens(const ModelFile& file,
                              VocabularyBuilder& builder) {
  for (const SpecialTokenKey& special : kSpecialTokenKeys) {
    if (file.Find(special.key) == nullptr) continue;
    SPECINFER_ASSIGN_OR_RETURN(const uint64_t token, file.GetUint(special.key));
    SPECINFER_RETURN_IF_ERROR(
        builder.SetSpecialToken(special.which, token, special.key));
  }
  // Nothing depends on the padding token, and converters write -1 or one past
  // the end for "none".
  SPECINFER_ASSIGN_OR_RETURN(
      const uint64_t pad,
      file.GetUintOr("tokenizer.ggml.padding_token_id", UINT64_MAX));
  if (pad < builder.num_tokens()) {
    SPECINFER_RETURN_IF_ERROR(builder.SetSpecialToken(
        SpecialToken::kPad, pad, "tokenizer.ggml.padding_token_id"));
  }
  return absl::OkStatus();
}

absl::Status AddTokensOfArchitecture(const ModelFile& file,
                                     VocabularyBuilder& builder) {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view architecture,
                             file.GetStringOr("general.architecture", ""));
  return architecture == "whisper" ? AddWhisperTokens(file, builder)
                                   : absl::OkStatus();
}

// What SentencePiece files mean when they say nothing.
absl::Status SetSentencePieceDefaults(VocabularyBuilder& builder) {
  if (builder.num_tokens() < 3) return absl::OkStatus();
  SPECINFER_RETURN_IF_ERROR(
      builder.SetSpecialToken(SpecialToken::kUnknown, 0, ""));
  SPECINFER_RETURN_IF_ERROR(builder.SetSpecialToken(SpecialToken::kBos, 1, ""));
  return builder.SetSpecialToken(SpecialToken::kEos, 2, "");
}

absl::StatusOr<Vocabulary> LoadGgufVocabulary(const ModelFile& file) {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view name,
                             file.GetString("tokenizer.ggml.model"));
  if (name != "gpt2" && name != "llama") {
    return absl::UnimplementedError(
        absl::StrCat(Where(file), "tokenizer.ggml.model ", QuoteName(name),
                     " is not supported"));
  }
  const bool is_byte_pair = name == "gpt2";
  SPECINFER_ASSIGN_OR_RETURN(const StringArray texts,
                             file.GetStrings(kTokensKey));
  if (texts.size() == 0) return BrokenKey(file, kTokensKey, "is empty");
  VocabularyBuilder builder(
      is_byte_pair ? TokenizerModel::kBytePair : TokenizerModel::kSentencePiece,
      texts.size(), Where(file));
  SPECINFER_RETURN_IF_ERROR(AddTokens(file, texts, builder));
  SPECINFER_RETURN_IF_ERROR(AddTokensOfArchitecture(file, builder));
  Vocabulary& vocabulary = builder.vocabulary();
  vocabulary.adds_bos = !is_byte_pair;
  vocabulary.space_prefix =
      is_byte_pair ? SpacePrefix::kNone : SpacePrefix::kEveryFragment;
  if (is_byte_pair) {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view pre,
                               file.GetStringOr("tokenizer.ggml.pre", ""));
    auto rule = FindPreTokenizerRule(pre);
    if (!rule.ok()) {
      return absl::Status(rule.status().code(),
                          absl::StrCat(Where(file), "tokenizer.ggml.pre: ",
                                       rule.status().message()));
    }
    vocabulary.pre_tokenizer = rule->kind;
    vocabulary.ignores_merges = rule->ignores_merges;
    vocabulary.adds_bos = rule->adds_bos;
    SPECINFER_RETURN_IF_ERROR(AddMerges(file, builder));
  } else {
    SPECINFER_RETURN_IF_ERROR(AddScores(file, builder));
    SPECINFER_RETURN_IF_ERROR(SetSentencePieceDefaults(builder));
    SPECINFER_ASSIGN_OR_RETURN(
        const bool adds_prefix,
        file.GetBoolOr("tokenizer.ggml.add_space_prefix", true));
    if (!adds_prefix) vocabulary.space_prefix = SpacePrefix::kNone;
  }
  SPECINFER_RETURN_IF_ERROR(SetSpecialTokens(file, builder));
  SPECINFER_ASSIGN_OR_RETURN(
      vocabulary.adds_bos,
      file.GetBoolOr("tokenizer.ggml.add_bos_token", vocabulary.adds_bos));
  SPECINFER_ASSIGN_OR_RETURN(
      vocabulary.adds_eos,
      file.GetBoolOr("tokenizer.ggml.add_eos_token", false));
  return builder.Finish();
}

}  // namespace

absl::StatusOr<Vocabulary> LoadVocabulary(const ModelFile& file) {
  if (file.tokenizer_json().empty()) return LoadGgufVocabulary(file);
  SPECINFER_ASSIGN_OR_RETURN(
      const std::unique_ptr<VocabularyBuilder> builder,
      ParseTokenizerJson(file.tokenizer_json(), Where(file)));
  SPECINFER_RETURN_IF_ERROR(AddTokensOfArchitecture(file, *builder));
  SPECINFER_RETURN_IF_ERROR(SetSpecialTokens(file, *builder));
  Vocabulary& vocabulary = builder->vocabulary();
  SPECINFER_ASSIGN_OR_RETURN(
      vocabulary.adds_bos,
      file.GetBoolOr("tokenizer.ggml.add_bos_token", vocabulary.adds_bos));
  SPECINFER_ASSIGN_OR_RETURN(
      vocabulary.adds_eos,
      file.GetBoolOr("tokenizer.ggml.add_eos_token", vocabulary.adds_eos));
  return builder->Finish();
}

}  // namespace specinfer
