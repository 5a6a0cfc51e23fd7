// Text to tokens, and what each token means.
#ifndef SPECINFER_SRC_TEXT_TOKENIZER_H_
#define SPECINFER_SRC_TEXT_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/model/model_file.h"
#include "src/text/byte_pair.h"
#include "src/text/pre_tokenizer.h"
#include "src/text/sentence_piece.h"
#include "src/text/special_scanner.h"
#include "src/text/text_table.h"
#include "src/text/tokenizer_tables.h"
#include "src/text/vocabulary.h"

namespace specinfer {

// Immutable and thread-safe. Keeps nothing of the file it was made from, unless
// that is a packed model, which must outlive it.
class Tokenizer {
 public:
  // From the tokenizer.ggml.* keys, tokenizer.json where the model has one, or
  // a packed model's tables.
  // Errors: INVALID_ARGUMENT, naming the key; UNIMPLEMENTED, naming the
  // tokenizer or pre-tokenizer.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Create(
      const ModelFile& file);
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Create(
      Vocabulary vocabulary);

  // The name of the table that a packed model keeps, and its bytes: a
  // FlatBuffer (tokenizer_tables.fbs). The same for the same vocabulary.
  static constexpr std::string_view kTableName = "tokenizer";
  std::vector<uint8_t> WriteTable() const;

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Appends the tokens of `text`; no BOS and no EOS. Control tokens are read
  // out of the text only with `parse_special`: without it nothing that a user
  // types becomes one. Ill-formed UTF-8 becomes byte tokens.
  // Errors: INVALID_ARGUMENT (text of 1 GiB or more), INTERNAL; `tokens` is
  // then as it was.
  absl::Status Tokenize(std::string_view text, bool parse_special,
                        std::vector<Token>* tokens) const;
  // The same for what goes on from other text: no blank is put before it, and
  // control tokens are not read out of it.
  absl::Status TokenizeContinuation(std::string_view text,
                                    std::vector<Token>* tokens) const;

  // The bytes that `token` adds to a text: perhaps only a part of a character.
  // Empty for control tokens, unless `show_special`, for unused ones and for
  // numbers that are no token.
  std::string_view TokenBytes(Token token, bool show_special) const;

  int32_t vocabulary_size() const {
    return static_cast<int32_t>(vocabulary_.texts.size());
  }
  bool IsControl(Token token) const;  // also the unknown token
  bool IsEndOfGeneration(Token token) const;
  // False for numbers that are no token and for unused ones: those are never
  // sampled. True for control tokens.
  bool HasText(Token token) const;

  // The control or user-defined token with this text, or -1.
  Token FindSpecial(std::string_view text) const;
  Token special_token(SpecialToken which) const {
    return vocabulary_.special_token(which);
  }
  Token bos() const { return special_token(SpecialToken::kBos); }
  Token eos() const { return special_token(SpecialToken::kEos); }
  absl::Span<const Token> end_of_generation() const {
    return vocabulary_.end_of_generation;
  }
  bool adds_bos() const { return vocabulary_.adds_bos && bos() >= 0; }
  bool adds_eos() const { return vocabulary_.adds_eos && eos() >= 0; }
  bool adds_space_prefix() const {
    return vocabulary_.space_prefix != SpacePrefix::kNone;
  }

 private:
  // What one call writes into.
  struct Scratch {
    SymbolMerger merger;
    std::vector<Symbol> symbols;
    std::string text;
    std::vector<Token>* tokens;
  };

  Tokenizer(Vocabulary vocabulary, PreTokenizer pre_tokenizer);
  Tokenizer(Vocabulary vocabulary, PreTokenizer pre_tokenizer,
            const TokenizerTables& tables);
  void FillScanner();
  void FillIndex();

  absl::Status TokenizeText(std::string_view text, bool parse_special,
                            bool takes_prefix,
                            std::vector<Token>* tokens) const;
  absl::Status TokenizeFragment(std::string_view text, bool takes_prefix,
                                Scratch& scratch) const;
  absl::Status TokenizeBytePairs(std::string_view text, Scratch& scratch) const;
  void TokenizePiece(std::string_view piece, Scratch& scratch) const;
  void TokenizeCharacters(std::string_view text, Scratch& scratch) const;
  void MergeCharacters(std::string_view text, Scratch& scratch) const;
  void AppendBytes(std::string_view bytes, std::vector<Token>* tokens) const;
  const StripRule* FindStripRule(Token token) const;

  bool IsToken(Token token) const {
    return token >= 0 && token < vocabulary_size();
  }
  TokenKind kind(Token token) const {
    return vocabulary_.kinds[static_cast<size_t>(token)];
  }

  Vocabulary vocabulary_;
  PreTokenizer pre_tokenizer_;
  BytePair byte_pair_;
  TextTable normal_tokens_;  // empty where no text is looked up
  std::unique_ptr<const SentencePiece> sentence_piece_;  // null for kBytePair
  SpecialScanner scanner_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_TOKENIZER_H_
