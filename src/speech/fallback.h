// Whether a decoded window is believed, decoded again at a higher temperature,
// or left out as silence.
#ifndef SPECINFER_SRC_SPEECH_FALLBACK_H_
#define SPECINFER_SRC_SPEECH_FALLBACK_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"

namespace specinfer {

// The defaults are openai/whisper's and faster-whisper's. A threshold that is
// absent is not applied.
struct FallbackOptions {
  std::vector<float> temperatures = {0.0f, 0.2f, 0.4f, 0.6f, 0.8f, 1.0f};
  std::optional<float> max_compression_ratio = 2.4f;
  std::optional<float> min_log_probability = -1.0f;
  std::optional<float> max_no_speech_probability = 0.6f;
  // A text that was sampled at more than this does not prompt the next window.
  float prompt_reset_temperature = 0.5f;
};

// One decoding of a window.
struct DecodedWindow {
  std::vector<Token> tokens;  // the prefix included, without the end of text
  float temperature = 0.0f;
  // Of what was sampled, the end of text included, per token. A prefix that was
  // given counts as tokens of probability 1.
  float average_log_probability = 0.0f;
  float no_speech_probability = 0.0f;  // at <|startoftranscript|>, unfiltered
  float compression_ratio = 0.0f;      // of the text without outer white space
  bool is_loop = false;                // stopped by a RepetitionGuard
};

enum class Verdict : uint8_t { kAccept, kTryAgain, kSilence };

// What candidate `index` of a try draws with, in place of its window's stream,
// which is below 2^32 (a frame): candidates and windows all draw differently.
inline uint64_t CandidateStream(uint64_t window_stream, int32_t index) {
  return window_stream + (static_cast<uint64_t>(index) << 32);
}

// Of one decoding, with the next temperature in mind. Silence is accepted here,
// not tried again.
Verdict Judge(const FallbackOptions& options, const DecodedWindow& window);

// The tries of one window. Ask for a temperature, decode, Add; then the result.
// At temperatures above 0 several candidates are sampled, and the best is the
// try. Copies tokens into memory that it keeps for the next window.
class Fallback {
 public:
  // REQUIRES: there is a temperature.
  explicit Fallback(FallbackOptions options);

  // Another window. `best_of`: candidates of each try that samples.
  void Begin(int32_t best_of);
  // What to decode with; nullopt: no more tries.
  std::optional<float> NextTemperature() const;
  // Which candidate of that temperature comes next; 0: the last one was added,
  // or none.
  int32_t candidate() const { return candidate_; }
  void Add(const DecodedWindow& window);

  // What the window is: the try that was accepted; else, of the tries that are
  // not repetitive, or of all where every one is, the one with the greatest
  // average log-probability (faster-whisper; openai/whisper takes the last).
  // Its temperature is the last that was tried. REQUIRES: Add was called.
  const DecodedWindow& result() const { return best_; }
  // Nothing was said: the window has no segments, and the next one begins at
  // its end.
  bool IsSilence() const;
  // The next window's prompt begins after this window's text.
  bool ResetsPrompt() const {
    return best_.temperature > options_.prompt_reset_temperature;
  }

 private:
  // Whether one is repetitive counts more than how likely they are.
  bool IsBetter(const DecodedWindow& window, const DecodedWindow& than) const;
  void AddTry(const DecodedWindow& window);

  const FallbackOptions options_;
  int32_t best_of_ = 1;
  int32_t candidate_ = 0;
  DecodedWindow best_candidate_;
  size_t num_tries_ = 0;
  bool is_settled_ = false;
  DecodedWindow best_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_FALLBACK_H_
