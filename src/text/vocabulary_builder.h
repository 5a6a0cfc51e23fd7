// Makes a Vocabulary out of what a file says, in the file's own spelling.
#ifndef SPECINFER_SRC_TEXT_VOCABULARY_BUILDER_H_
#define SPECINFER_SRC_TEXT_VOCABULARY_BUILDER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/text/vocabulary.h"

namespace specinfer {

// Order of use: set model; AddToken for each token; AddMerge for each merge;
// the public fields; Finish.
class VocabularyBuilder {
 public:
  // `where` begins every error: `model "x.gguf": `.
  VocabularyBuilder(TokenizerModel model, size_t num_tokens, std::string where);
  VocabularyBuilder(const VocabularyBuilder&) = delete;
  VocabularyBuilder& operator=(const VocabularyBuilder&) = delete;

  size_t num_tokens() const { return file_texts_.size(); }

  // A token's text in the file's spelling. REQUIRES: token < num_tokens().
  std::string_view text(Token token) const { return file_texts_[token]; }

  // The token with the next id. An empty text makes it unused.
  // Errors: INVALID_ARGUMENT when an earlier token has the same text.
  absl::Status AddToken(std::string_view text, TokenKind kind);

  // A merge of the next rank. One that would make a control token is left out,
  // so that no text spells one.
  // Errors: INVALID_ARGUMENT when a part or the whole is no token.
  absl::Status AddMerge(std::string_view left, std::string_view right);

  // Errors: INVALID_ARGUMENT, naming `key`, when there is no such token.
  absl::Status SetSpecialToken(SpecialToken which, uint64_t token,
                               std::string_view key);

  // -1 where there is none. Takes the file's spelling.
  Token Find(std::string_view text) const { return index_.Find(text); }

  // Finds the special tokens that the file does not name and gives each token
  // its bytes.
  absl::StatusOr<Vocabulary> Finish();

  Vocabulary& vocabulary() { return vocabulary_; }

 private:
  void FindSpecialTokens();
  void FindEndOfGeneration();
  void MakeControl(Token token);
  absl::Status DecodeTexts();

  std::string where_;
  TokenTexts file_texts_;
  TokenIndex index_;
  std::string joined_;  // of the merge being added
  Vocabulary vocabulary_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_VOCABULARY_BUILDER_H_
