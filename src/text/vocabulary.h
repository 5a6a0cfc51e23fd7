// What a model file says about its tokens, checked and in one form for every
// format.
#ifndef SPECINFER_SRC_TEXT_VOCABULARY_H_
#define SPECINFER_SRC_TEXT_VOCABULARY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "src/model/model_file.h"
#include "src/text/pre_tokenizer.h"
#include "src/text/token_texts.h"

namespace specinfer {

enum class TokenizerModel : uint8_t {
  kBytePair,       // text is cut by a pre-tokenizer; bytes merge by rank
  kCharacterPair,  // whole texts; characters merge by rank, with bytes for
                   // those that are no tokens
  kSentencePiece,  // whole texts; characters merge by the score of what they
                   // make
};

// The numbers of GGUF's tokenizer.ggml.token_type.
enum class TokenKind : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,  // has no text of its own; read out of a text only when asked
  kUserDefined = 4,  // read out of every text
  kUnused = 5,
  kByte = 6,
};

enum class SpecialToken : uint8_t {
  kBos,
  kEos,
  kEndOfTurn,
  kEndOfMessage,
  kUnknown,
  kPad,
  kFimPrefix,
  kFimSuffix,
  kFimMiddle,
  kFimPad,
  kFimRepository,
  kFimSeparator,
};
inline constexpr size_t kNumSpecialTokens = 12;

// `left` and `right` side by side become `merged`. A merge's place in the list
// is its rank.
struct MergeRule {
  Token left, right, merged;
};

// Blanks beside a special token that belong to it.
struct StripRule {
  Token token;
  bool left, right;
};

enum class SpacePrefix : uint8_t {
  kNone,
  kTextOnly,       // before the text, unless it begins with a special token
  kEveryFragment,  // also after each special token
};

struct Vocabulary {
  TokenizerModel model = TokenizerModel::kBytePair;
  PreTokenizerKind pre_tokenizer = PreTokenizerKind::kDefault;
  // What each token stands for as bytes: byte spelling and U+2581 are undone.
  // Control tokens hold their names.
  TokenTexts texts;
  std::vector<TokenKind> kinds;  // one for each text
  std::vector<float> scores;     // kSentencePiece: one for each text; never NaN
  std::vector<MergeRule>
      merges;  // the other models: ascending rank; no control token is made
  std::array<Token, 256>
      byte_tokens;  // -1: the byte has no token and is left out
  std::array<Token, kNumSpecialTokens>
      special_tokens;                    // -1: the model has none
  std::vector<Token> end_of_generation;  // ascending
  std::vector<StripRule> strip_rules;    // ascending by token
  bool adds_bos = false;
  bool adds_eos = false;
  bool ignores_merges =
      false;  // a piece that is a token as a whole is taken whole
  SpacePrefix space_prefix = SpacePrefix::kNone;

  Token special_token(SpecialToken which) const {
    return special_tokens[static_cast<size_t>(which)];
  }
};

// Reads the tokenizer.ggml.* keys, or tokenizer.json where the model has one.
// Errors: INVALID_ARGUMENT (broken, naming the key), UNIMPLEMENTED (a tokenizer
// this library does not have).
absl::StatusOr<Vocabulary> LoadVocabulary(const ModelFile& file);

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_VOCABULARY_H_
