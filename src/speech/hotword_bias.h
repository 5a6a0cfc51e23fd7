// Hotwords: words that the caller expects. Tokens that begin or continue one
// get a bonus, so that the model writes it where it nearly would.
#ifndef SPECINFER_SRC_SPEECH_HOTWORD_BIAS_H_
#define SPECINFER_SRC_SPEECH_HOTWORD_BIAS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/speech/speech_tokens.h"
#include "src/text/tokenizer.h"

namespace specinfer {

// Which hotwords a text is in the middle of. A path's state is its parent's,
// advanced by one token.
struct HotwordState {
  // Of hotwords that overlap; those begun last are forgotten.
  static constexpr int32_t kMaxMatches = 4;
  std::array<int32_t, kMaxMatches> matches{};  // nodes, the longest first
  int32_t num_matches = 0;
  bool is_between_words = true;  // a word may begin without a space
};

// Tries over the tokens of the hotwords, as the context graph of k2 and
// sherpa-onnx; instead of failure links a state lists all matches, since a word
// begins with a space or where there is no word before it, so that matches
// seldom overlap. Immutable and thread-safe.
class HotwordBias {
 public:
  // `hotwords`: phrases between commas, semicolons and line breaks; without any
  // of these, words between blanks. One that begins with a small letter of
  // ASCII is also expected with a capital one, as at the start of a sentence.
  // `bonus`: logits for each token. `tokenizer` must outlive it.
  static absl::StatusOr<HotwordBias> Create(const SpeechTokens& tokens,
                                            const Tokenizer& tokenizer,
                                            std::string_view hotwords,
                                            float bonus);

  HotwordState Advance(const HotwordState& state, Token token) const;

  // What the next token gets. Borrowed from the object or from `scratch`, which
  // needs room for max_bonuses(). Ascending by token.
  absl::Span<const Adjustment> Bonuses(const HotwordState& state,
                                       std::vector<Adjustment>* scratch) const;
  size_t max_bonuses() const { return max_bonuses_; }

  // How many of the last tokens may become a hotword, or are one; 0: none.
  int32_t NumBegun(const HotwordState& state) const;
  int32_t NumWhole(const HotwordState& state) const;

  // Bonuses choose among words; they make none of what ends a text.
  bool IsWord(Token token) const { return token >= 0 && token < end_of_text_; }

 private:
  struct Node {
    std::vector<std::pair<Token, int32_t>> children;  // ascending by token
    int32_t depth = 0;
    bool is_whole = false;
  };
  // Roots: of hotwords after a space, or in a script that has none, and of
  // those that follow no word.
  enum Root : int32_t { kAnywhere = 0, kBetweenWords = 1 };

  HotwordBias(const SpeechTokens& tokens, const Tokenizer& tokenizer,
              float bonus)
      : tokenizer_(&tokenizer),
        end_of_text_(tokens.end_of_text()),
        bonus_(bonus),
        nodes_(2) {}
  absl::Status AddPhrase(std::string_view phrase);
  absl::Status AddText(std::string_view text, Root root);
  void ListBeginnings();
  int32_t FindChild(int32_t node, Token token) const;  // -1: none
  int32_t AddChild(int32_t node, Token token);
  void AddChildren(int32_t node, std::vector<Adjustment>* bonuses) const;

  const Tokenizer* tokenizer_;
  Token end_of_text_;
  float bonus_;
  std::vector<Node> nodes_;
  // By is_between_words: what begins a hotword.
  std::array<std::vector<Adjustment>, 2> beginnings_;
  size_t max_bonuses_ = 0;
};

// As HotwordBias::Create; none where there are no hotwords or no bonus.
absl::StatusOr<std::optional<HotwordBias>> MakeHotwordBias(
    const SpeechTokens& tokens, const Tokenizer& tokenizer,
    std::string_view hotwords, float bonus);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_HOTWORD_BIAS_H_
