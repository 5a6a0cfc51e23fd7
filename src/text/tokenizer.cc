#include "src/text/tokenizer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/text/utf8.h"

namespace specinfer {
namespace {

constexpr size_t kMaxTextBytes = (size_t{1} << 30) - 1;
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

bool IsBlank(char character) {
  return character == ' ' || (character >= '\t' && character <= '\r');
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Create(
    const ModelFile& file) {
  const absl::Span<const uint8_t> table = file.FindTable(kTableName);
  if (!table.empty()) {
    SPECINFER_ASSIGN_OR_RETURN(TokenizerTables tables,
                               ReadTokenizerTables(table, file.path()));
    SPECINFER_ASSIGN_OR_RETURN(
        PreTokenizer pre_tokenizer,
        PreTokenizer::Create(tables.vocabulary.pre_tokenizer));
    Vocabulary vocabulary = std::move(tables.vocabulary);
    return std::unique_ptr<Tokenizer>(
        new Tokenizer(std::move(vocabulary), std::move(pre_tokenizer), tables));
  }
  SPECINFER_ASSIGN_OR_RETURN(Vocabulary vocabulary, LoadVocabulary(file));
  return Create(std::move(vocabulary));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Create(
    Vocabulary vocabulary) {
  SPECINFER_ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer,
                             PreTokenizer::Create(vocabulary.pre_tokenizer));
  return std::unique_ptr<Tokenizer>(
      new Tokenizer(std::move(vocabulary), std::move(pre_tokenizer)));
}

Tokenizer::Tokenizer(Vocabulary vocabulary, PreTokenizer pre_tokenizer)
    : vocabulary_(std::move(vocabulary)),
      pre_tokenizer_(std::move(pre_tokenizer)),
      byte_pair_(vocabulary_.merges, vocabulary_.texts.size()),
      normal_tokens_(vocabulary_.texts) {
  vocabulary_.merges = {};  // byte_pair_ has them
  const bool is_byte_pair = vocabulary_.model == TokenizerModel::kBytePair;
  FillScanner();
  if (!is_byte_pair || vocabulary_.ignores_merges) FillIndex();
  if (!is_byte_pair)
    sentence_piece_ =
        std::make_unique<const SentencePiece>(vocabulary_, normal_tokens_);
}

Tokenizer::Tokenizer(Vocabulary vocabulary, PreTokenizer pre_tokenizer,
                     const TokenizerTables& tables)
    : vocabulary_(std::move(vocabulary)),
      pre_tokenizer_(std::move(pre_tokenizer)),
      byte_pair_(tables.merge_starts, tables.merges),
      normal_tokens_(vocabulary_.texts) {
  normal_tokens_.Adopt(tables.text_slots, tables.max_probes);
  FillScanner();
  if (vocabulary_.model != TokenizerModel::kBytePair)
    sentence_piece_ = std::make_unique<const SentencePiece>(
        vocabulary_, normal_tokens_, tables.inner_pairs);
}

std::vector<uint8_t> Tokenizer::WriteTable() const {
  TokenizerTables tables;
  tables.merge_starts = byte_pair_.starts();
  tables.merges = byte_pair_.merges();
  tables.text_slots = normal_tokens_.slots();
  tables.max_probes = normal_tokens_.max_probes();
  if (sentence_piece_ != nullptr)
    tables.inner_pairs = sentence_piece_->inner_pairs();
  return WriteTokenizerTables(vocabulary_, tables);
}

void Tokenizer::FillIndex() {
  normal_tokens_.Reserve(vocabulary_.texts.size());
  for (Token token = 0; token < vocabulary_size(); ++token) {
    if (kind(token) == TokenKind::kNormal) normal_tokens_.Add(token);
  }
}

void Tokenizer::FillScanner() {
  for (Token token = 0; token < vocabulary_size(); ++token) {
    const bool is_control = IsControl(token);
    if (!is_control && kind(token) != TokenKind::kUserDefined) continue;
    const std::string_view text = vocabulary_.texts[token];
    if (!text.empty()) scanner_.Add(text, token, is_control);
  }
}

absl::Status Tokenizer::Tokenize(std::string_view text, bool parse_special,
                                 std::vector<Token>* tokens) const {
  return TokenizeText(
      text, parse_special,
      /*takes_prefix=*/vocabulary_.space_prefix != SpacePrefix::kNone, tokens);
}

absl::Status Tokenizer::TokenizeContinuation(std::string_view text,
                                             std::vector<Token>* tokens) const {
  return TokenizeText(text, /*parse_special=*/false, /*takes_prefix=*/false,
                      tokens);
}

absl::Status Tokenizer::TokenizeText(std::string_view text, bool parse_special,
                                     bool takes_prefix,
                                     std::vector<Token>* tokens) const {
  if (text.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a text of ", text.size(), " bytes is too long to tokenize"));
  }
  const size_t num_before = tokens->size();
  Scratch scratch;
  scratch.tokens = tokens;
  size_t position = 0;
  while (position < text.size()) {
    const SpecialScanner::Match match =
        scanner_.Find(text, position, parse_special);
    const StripRule* const strip =
        match.token < 0 ? nullptr : FindStripRule(match.token);
    size_t end = match.begin;
    if (strip != nullptr && strip->left) {
      while (end > position && IsBlank(text[end - 1])) --end;
    }
    if (end > position) {
      const absl::Status status = TokenizeFragment(
          text.substr(position, end - position), takes_prefix, scratch);
      if (!status.ok()) {
        tokens->resize(num_before);
        return status;
      }
    }
    if (match.token < 0) break;
    tokens->push_back(match.token);
    takes_prefix = vocabulary_.space_prefix == SpacePrefix::kEveryFragment;
    position = match.begin + match.num_bytes;
    if (strip != nullptr && strip->right) {
      while (position < text.size() && IsBlank(text[position])) ++position;
    }
  }
  return absl::OkStatus();
}

const StripRule* Tokenizer::FindStripRule(Token token) const {
  const auto rule = std::lower_bound(
      vocabulary_.strip_rules.begin(), vocabulary_.strip_rules.end(), token,
      [](const StripRule& a, Token b) { return a.token < b; });
  return rule != vocabulary_.strip_rules.end() && rule->token == token
             ? &*rule
             : nullptr;
}

absl::Status Tokenizer::TokenizeFragment(std::string_view text,
                                         bool takes_prefix,
                                         Scratch& scratch) const {
  if (vocabulary_.model == TokenizerModel::kBytePair)
    return TokenizeBytePairs(text, scratch);
  if (!takes_prefix && text.find(kSpaceMark) == std::string_view::npos) {
    TokenizeCharacters(text, scratch);
    return absl::OkStatus();
  }
  scratch.text.clear();
  if (takes_prefix) scratch.text.push_back(' ');
  for (size_t mark; (mark = text.find(kSpaceMark)) != std::string_view::npos;) {
    scratch.text.append(text.substr(0, mark)).push_back(' ');
    text.remove_prefix(mark + kSpaceMark.size());
  }
  scratch.text.append(text);
  TokenizeCharacters(scratch.text, scratch);
  return absl::OkStatus();
}

absl::Status Tokenizer::TokenizeBytePairs(std::string_view text,
                                          Scratch& scratch) const {
  while (!text.empty()) {
    const size_t num_bytes = WellFormedUtf8Prefix(text);
    SPECINFER_RETURN_IF_ERROR(pre_tokenizer_.Split(
        text.substr(0, num_bytes),
        [&](std::string_view piece) { TokenizePiece(piece, scratch); }));
    text.remove_prefix(num_bytes);
    if (text.empty()) break;
    const size_t num_ill_formed = FirstUtf8Step(text).num_bytes;
    AppendBytes(text.substr(0, num_ill_formed), scratch.tokens);
    text.remove_prefix(num_ill_formed);
  }
  return absl::OkStatus();
}

void Tokenizer::TokenizePiece(std::string_view piece, Scratch& scratch) const {
  if (vocabulary_.ignores_merges) {
    const Token whole = normal_tokens_.Find(piece);
    if (whole >= 0) {
      scratch.tokens->push_back(whole);
      return;
    }
  }
  scratch.symbols.clear();
  for (size_t i = 0; i < piece.size(); ++i) {
    const int32_t begin = static_cast<int32_t>(i);
    scratch.symbols.push_back(
        {begin, begin + 1,
         vocabulary_.byte_tokens[static_cast<uint8_t>(piece[i])]});
  }
  byte_pair_.Merge(scratch.symbols, scratch.merger);
  for (const Symbol& symbol : scratch.symbols) {
    if (symbol.token >= 0) scratch.tokens->push_back(symbol.token);
  }
}

// Cuts where no merge can cross, so that the merger sees words rather than
// whole texts.
void Tokenizer::TokenizeCharacters(std::string_view text,
                                   Scratch& scratch) const {
  size_t begin = 0;
  char32_t left = 0;
  for (size_t position = 0; position < text.size();) {
    const Utf8Step step = FirstUtf8Step(text.substr(position));
    if (step.kind != Utf8Step::Kind::kCharacter) {
      MergeCharacters(text.substr(begin, position - begin), scratch);
      AppendBytes(text.substr(position, step.num_bytes), scratch.tokens);
      begin = position + step.num_bytes;
    } else {
      const char32_t right =
          DecodeUtf8Character(text.substr(position, step.num_bytes));
      if (position > begin && sentence_piece_->IsBoundary(left, right)) {
        MergeCharacters(text.substr(begin, position - begin), scratch);
        begin = position;
      }
      left = right;
    }
    position += step.num_bytes;
  }
  MergeCharacters(text.substr(begin), scratch);
}

void Tokenizer::MergeCharacters(std::string_view text, Scratch& scratch) const {
  const bool merges_by_rank =
      vocabulary_.model == TokenizerModel::kCharacterPair;
  scratch.symbols.clear();
  for (size_t position = 0; position < text.size();) {
    const size_t num_bytes = FirstUtf8Step(text.substr(position)).num_bytes;
    const int32_t begin = static_cast<int32_t>(position);
    scratch.symbols.push_back(
        {begin, begin + static_cast<int32_t>(num_bytes),
         normal_tokens_.Find(text.substr(position, num_bytes))});
    position += num_bytes;
  }
  if (merges_by_rank) {
    byte_pair_.Merge(scratch.symbols, scratch.merger);
  } else {
    sentence_piece_->Merge(text, scratch.symbols, scratch.merger);
  }
  for (const Symbol& symbol : scratch.symbols) {
    if (symbol.token >= 0) {
      scratch.tokens->push_back(symbol.token);
    } else {
      AppendBytes(text.substr(static_cast<size_t>(symbol.begin),
                              static_cast<size_t>(symbol.end - symbol.begin)),
                  scratch.tokens);
    }
  }
}

// Characters without byte tokens become the unknown token, once.
void Tokenizer::AppendBytes(std::string_view bytes,
                            std::vector<Token>* tokens) const {
  const Token unknown = vocabulary_.model == TokenizerModel::kBytePair
                            ? -1
                            : vocabulary_.special_token(SpecialToken::kUnknown);
  const size_t num_before = tokens->size();
  for (const char character : bytes) {
    const Token token =
        vocabulary_.byte_tokens[static_cast<uint8_t>(character)];
    if (token >= 0) {
      tokens->push_back(token);
    } else if (unknown >= 0) {
      tokens->resize(num_before);
      tokens->push_back(unknown);
      return;
    }
  }
}

std::string_view Tokenizer::TokenBytes(Token token, bool show_special) const {
  if (!IsToken(token) || (!show_special && IsControl(token))) return {};
  return vocabulary_.texts[token];
}

bool Tokenizer::IsControl(Token token) const {
  return IsToken(token) && (kind(token) == TokenKind::kControl ||
                            kind(token) == TokenKind::kUnknown);
}

bool Tokenizer::IsEndOfGeneration(Token token) const {
  return std::binary_search(vocabulary_.end_of_generation.begin(),
                            vocabulary_.end_of_generation.end(), token);
}

bool Tokenizer::HasText(Token token) const {
  return IsToken(token) && kind(token) != TokenKind::kUnused;
}

Token Tokenizer::FindSpecial(std::string_view text) const {
  if (text.empty()) return -1;
  const SpecialScanner::Match match =
      scanner_.Find(text, /*begin=*/0, /*with_control=*/true);
  return match.begin == 0 && match.num_bytes == text.size() ? match.token : -1;
}

}  // namespace specinfer
