// RoundRecorder: keeps what each round of an answer guessed and what became of
// it, for `generate --explain` and `--trace`.
#ifndef SPECINFER_TOOLS_SPECINFER_ROUND_RECORDER_H_
#define SPECINFER_TOOLS_SPECINFER_ROUND_RECORDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "specinfer.h"
#include "specinfer/speculation.h"

namespace specinfer_cli {

// A copy of specinfer_round. Times are microseconds.
struct RecordedRound {
  std::vector<specinfer_round_node> nodes;
  std::vector<specinfer_token> tokens;
  int32_t strategy = 0;
  uint32_t num_context_tokens = 0;
  uint64_t start = 0;
  uint64_t draft = 0;
  uint64_t forward = 0;
  uint64_t verify = 0;
  uint64_t commit = 0;
  double predicted_tokens = 0;
  double predicted_seconds = 0;
  double plain_seconds = 0;
  std::string reason;

  uint64_t Duration() const { return draft + forward + verify + commit; }
};

class RoundRecorder {
 public:
  // Records from now on. `session` must outlive it.
  explicit RoundRecorder(specinfer_session* session);
  ~RoundRecorder();
  RoundRecorder(const RoundRecorder&) = delete;
  RoundRecorder& operator=(const RoundRecorder&) = delete;

  const std::vector<RecordedRound>& rounds() const { return rounds_; }

 private:
  static void Record(void* user_data, const specinfer_round* round);

  specinfer_session* const session_;
  std::vector<RecordedRound> rounds_;
};

// A token of the answer and where it comes from.
struct AnswerToken {
  specinfer_token token;
  int32_t drafter;  // that guessed it; -1: nobody did
  size_t round;
};

// The answer's tokens. What a later round took back (for a banned string) is
// not among them.
std::vector<AnswerToken> AnswerTokens(const std::vector<RecordedRound>& rounds);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_ROUND_RECORDER_H_
