#include "src/text/vocabulary_builder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/model/byte_spelling.h"
#include "src/text/special_scanner.h"
#include "src/text/utf8.h"

namespace specinfer {
namespace {

constexpr std::string_view kSpaceMark =
    "\xE2\x96\x81";  // U+2581, how SentencePiece spells a blank

struct NamedTokens {
  SpecialToken which;
  absl::Span<const std::string_view> texts;  // the first that is a token counts
};

// What models of many makers call these tokens, for files that do not say.
constexpr std::string_view kEndOfTurnTexts[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"};
constexpr std::string_view kEndOfMessageTexts[] = {"<|eom_id|>"};
constexpr std::string_view kFimPrefixTexts[] = {"<|fim_prefix|>",
                                                "<fim-prefix>",
                                                "<fim_prefix>",
                                                "<\xEF\xBD\x9C"
                                                "fim\xE2\x96\x81"
                                                "begin\xEF\xBD\x9C>",
                                                "<PRE>",
                                                "\xE2\x96\x81<PRE>",
                                                "<|code_prefix|>",
                                                "<|prefix|>"};
constexpr std::string_view kFimSuffixTexts[] = {
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<\xEF\xBD\x9C"
    "fim\xE2\x96\x81hole\xEF\xBD\x9C>",
    "<SUF>",
    "\xE2\x96\x81<SUF>",
    "<|code_suffix|>",
    "<|suffix|>"};
constexpr std::string_view kFimMiddleTexts[] = {"<|fim_middle|>",
                                                "<fim-middle>",
                                                "<fim_middle>",
                                                "<\xEF\xBD\x9C"
                                                "fim\xE2\x96\x81"
                                                "end\xEF\xBD\x9C>",
                                                "<MID>",
                                                "\xE2\x96\x81<MID>",
                                                "<|code_middle|>",
                                                "<|middle|>"};
constexpr std::string_view kFimPadTexts[] = {"<|fim_pad|>", "<fim-pad>",
                                             "<fim_pad>"};
constexpr std::string_view kFimRepositoryTexts[] = {
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"};
constexpr std::string_view kFimSeparatorTexts[] = {"<|file_sep|>"};

const NamedTokens kNamedTokens[] = {
    {SpecialToken::kEndOfTurn, kEndOfTurnTexts},
    {SpecialToken::kEndOfMessage, kEndOfMessageTexts},
    {SpecialToken::kFimPrefix, kFimPrefixTexts},
    {SpecialToken::kFimSuffix, kFimSuffixTexts},
    {SpecialToken::kFimMiddle, kFimMiddleTexts},
    {SpecialToken::kFimPad, kFimPadTexts},
    {SpecialToken::kFimRepository, kFimRepositoryTexts},
    {SpecialToken::kFimSeparator, kFimSeparatorTexts},
};

// These end an answer wherever they exist, besides the special tokens of that
// meaning.
constexpr std::string_view kEndTexts[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"};

using ByteOfCharacter = std::array<int16_t, kByteSpellingEnd>;

ByteOfCharacter MakeByteOfCharacter() {
  ByteOfCharacter byte_of;
  byte_of.fill(-1);
  const std::array<uint16_t, 256> spelling = MakeByteSpelling();
  for (size_t byte = 0; byte < spelling.size(); ++byte)
    byte_of[spelling[byte]] = static_cast<int16_t>(byte);
  return byte_of;
}

// False where `text` is not spelt so; `bytes` is then as good as unset.
bool DecodeByteSpelling(const ByteOfCharacter& byte_of, std::string_view text,
                        std::string* bytes) {
  bytes->clear();
  while (!text.empty()) {
    const Utf8Step step = FirstUtf8Step(text);
    if (step.kind != Utf8Step::Kind::kCharacter) return false;
    const char32_t character =
        DecodeUtf8Character(text.substr(0, step.num_bytes));
    if (character >= byte_of.size() || byte_of[character] < 0) return false;
    bytes->push_back(static_cast<char>(byte_of[character]));
    text.remove_prefix(step.num_bytes);
  }
  return true;
}

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

// The byte that "<0x0A>" names, or -1.
int ParseByteName(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>')
    return -1;
  const int high = HexDigit(text[3]), low = HexDigit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void ReplaceSpaceMarks(std::string_view text, std::string* bytes) {
  bytes->clear();
  while (!text.empty()) {
    const size_t mark = text.find(kSpaceMark);
    bytes->append(text.substr(0, mark));
    if (mark == std::string_view::npos) return;
    bytes->push_back(' ');
    text.remove_prefix(mark + kSpaceMark.size());
  }
}

std::string Quote(std::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(ToAbsl(text.substr(0, 64))),
                      text.size() > 64 ? "..." : "", "\"");
}

}  // namespace

VocabularyBuilder::VocabularyBuilder(TokenizerModel model, size_t num_tokens,
                                     std::string where)
    : where_(std::move(where)), index_(file_texts_) {
  vocabulary_.model = model;
  vocabulary_.byte_tokens.fill(-1);
  vocabulary_.special_tokens.fill(-1);
  file_texts_.Reserve(num_tokens);
  index_.Reserve(num_tokens);
  vocabulary_.kinds.reserve(num_tokens);
}

absl::Status VocabularyBuilder::AddToken(std::string_view text,
                                         TokenKind kind) {
  if (file_texts_.num_bytes() + text.size() >
          std::numeric_limits<int32_t>::max() ||
      file_texts_.size() >= std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where_, "the vocabulary's texts take 2 GiB or more"));
  }
  const Token token = static_cast<Token>(file_texts_.size());
  const bool is_special = kind == TokenKind::kControl ||
                          kind == TokenKind::kUnknown ||
                          kind == TokenKind::kUserDefined;
  if (is_special && text.size() > SpecialScanner::kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(where_, "special token ", token, " is ", text.size(),
                     " bytes long, more than ", SpecialScanner::kMaxTextBytes));
  }
  file_texts_.Append(text);
  vocabulary_.kinds.push_back(text.empty() ? TokenKind::kUnused : kind);
  if (text.empty()) return absl::OkStatus();
  const Token earlier = index_.Add(token);
  if (earlier >= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        where_, "tokens ", earlier, " and ", token, " are both ", Quote(text)));
  }
  return absl::OkStatus();
}

absl::Status VocabularyBuilder::AddMerge(std::string_view left,
                                         std::string_view right) {
  const auto refuse = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(where_, "the merge of ", Quote(left), " and ",
                     Quote(right), " ", ToAbsl(what)));
  };
  if (left.empty() || right.empty()) return refuse("has an empty part");
  joined_.assign(left).append(right);
  const MergeRule merge = {index_.Find(left), index_.Find(right),
                           index_.Find(joined_)};
  if (merge.left < 0 || merge.right < 0)
    return refuse("has a part that is no token");
  if (merge.merged < 0) return refuse("makes no token");
  vocabulary_.merges.push_back(merge);
  return absl::OkStatus();
}

absl::Status VocabularyBuilder::SetSpecialToken(SpecialToken which,
                                                uint64_t token,
                                                std::string_view key) {
  if (token >= num_tokens()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where_, ToAbsl(key), " is ", token,
                     ", but there are only ", num_tokens(), " tokens"));
  }
  vocabulary_.special_tokens[static_cast<size_t>(which)] =
      static_cast<Token>(token);
  return absl::OkStatus();
}

absl::StatusOr<Vocabulary> VocabularyBuilder::Finish() {
  FindSpecialTokens();
  FindEndOfGeneration();
  SPECINFER_RETURN_IF_ERROR(DecodeTexts());
  std::erase_if(vocabulary_.merges, [&](const MergeRule& merge) {
    const TokenKind kind = vocabulary_.kinds[static_cast<size_t>(merge.merged)];
    return kind == TokenKind::kControl || kind == TokenKind::kUnknown ||
           kind == TokenKind::kUnused;
  });
  return std::move(vocabulary_);
}

void VocabularyBuilder::MakeControl(Token token) {
  TokenKind& kind = vocabulary_.kinds[static_cast<size_t>(token)];
  if (kind == TokenKind::kNormal || kind == TokenKind::kUserDefined)
    kind = TokenKind::kControl;
}

void VocabularyBuilder::FindSpecialTokens() {
  for (const NamedTokens& named : kNamedTokens) {
    Token& token = vocabulary_.special_tokens[static_cast<size_t>(named.which)];
    for (size_t i = 0; i < named.texts.size() && token < 0; ++i) {
      token = Find(named.texts[i]);
      if (token >= 0) MakeControl(token);
    }
  }
}

void VocabularyBuilder::FindEndOfGeneration() {
  std::vector<Token>& ends = vocabulary_.end_of_generation;
  const auto add = [&ends](Token token) {
    if (token >= 0) ends.push_back(token);
  };
  for (const std::string_view text : kEndTexts) {
    const Token token = Find(text);
    if (token >= 0) MakeControl(token);
    add(token);
  }
  // Some vocabularies have the HTML tag as an ordinary token.
  const Token slash_s = Find("</s>");
  if (slash_s >= 0 &&
      vocabulary_.kinds[static_cast<size_t>(slash_s)] == TokenKind::kControl)
    add(slash_s);
  for (const SpecialToken which :
       {SpecialToken::kEos, SpecialToken::kEndOfTurn,
        SpecialToken::kEndOfMessage, SpecialToken::kFimPad,
        SpecialToken::kFimRepository, SpecialToken::kFimSeparator}) {
    add(vocabulary_.special_token(which));
  }
  // Where an answer ends with <|return|> or <|call|>, <|end|> only ends one
  // part of it.
  const Token end = Find("<|end|>");
  const bool has_call = Find("<|call|>") >= 0 || Find("<|calls|>") >= 0;
  if (end >= 0 && has_call &&
      (Find("<|return|>") >= 0 || Find("<|flush|>") >= 0))
    std::erase(ends, end);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

absl::Status VocabularyBuilder::DecodeTexts() {
  const ByteOfCharacter byte_of = MakeByteOfCharacter();
  const bool is_byte_pair = vocabulary_.model == TokenizerModel::kBytePair;
  vocabulary_.texts.Reserve(num_tokens());
  std::string bytes;
  for (Token token = 0; static_cast<size_t>(token) < num_tokens(); ++token) {
    const std::string_view text = file_texts_[token];
    const TokenKind kind = vocabulary_.kinds[static_cast<size_t>(token)];
    bytes.assign(text);
    if (kind == TokenKind::kByte) {
      const int byte = ParseByteName(text);
      if (byte < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(where_, "token ", token,
                         " is a byte, but its text is ", Quote(text)));
      }
      bytes.assign(1, static_cast<char>(byte));
      vocabulary_.byte_tokens[static_cast<size_t>(byte)] = token;
    } else if (kind == TokenKind::kNormal && is_byte_pair) {
      if (!DecodeByteSpelling(byte_of, text, &bytes)) bytes.assign(text);
      if (bytes.size() == 1)
        vocabulary_.byte_tokens[static_cast<uint8_t>(bytes[0])] = token;
    } else if (kind == TokenKind::kNormal) {
      ReplaceSpaceMarks(text, &bytes);
    } else if (kind == TokenKind::kUnused) {
      bytes.clear();
    }
    vocabulary_.texts.Append(bytes);
  }
  return absl::OkStatus();
}

}  // namespace specinfer
