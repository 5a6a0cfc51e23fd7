// Bonuses of hotwords in a text that is chosen token by token: what a bonus
// chose is on trial until its hotword is whole.
#ifndef SPECINFER_SRC_SPEECH_HOTWORD_TRIAL_H_
#define SPECINFER_SRC_SPEECH_HOTWORD_TRIAL_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"
#include "src/speech/hotword_bias.h"

namespace specinfer {

// A beam that follows a hotword loses its bonuses where the hotword breaks, and
// another beam wins. There is no other text here, so the text goes back to the
// first token that a bonus chose, and there that token gets none. Then bonuses
// may be generous: of a hotword that was not said the text keeps nothing unless
// each of its tokens is nearly the likeliest. Each token is taken back for each
// beginning of a hotword at most once, so this ends.
//
// A function of the tokens accepted so far: the same whatever was guessed. Not
// thread-safe. Allocates in Begin alone.
class HotwordTrial {
 public:
  // A text of which `said` is there already; what it may have begun goes on.
  // `bias` must outlive its use; null: no bonus.
  void Begin(const HotwordBias* bias, absl::Span<const Token> said);
  const HotwordBias* bias() const { return bias_; }

  // What the token at `position` gets, after `path`. As HotwordBias::Bonuses.
  // REQUIRES: bias() is not null.
  absl::Span<const Adjustment> Bonuses(absl::Span<const Token> path,
                                       int64_t position,
                                       std::vector<Adjustment>* scratch) const;

  // Whether tokens are on trial, from where the first of them was accepted.
  bool is_on() const { return start_ >= 0; }
  // The text's next token. `is_lifted`: a bonus chose it. Returns whether a
  // hotword broke: the text goes back to *position, where it is now.
  bool Accept(Token token, bool is_lifted, int64_t* position);

 private:
  const HotwordBias* bias_ = nullptr;
  HotwordState state_;
  // The first token on trial; -1: none is.
  int64_t start_ = -1;
  Token start_token_ = -1;
  HotwordState start_state_;  // before it
  // Where the text went back to, and what gets no bonus there.
  int64_t barred_position_ = -1;
  std::vector<Token> barred_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_HOTWORD_TRIAL_H_
