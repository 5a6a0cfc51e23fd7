// The tokens of one decoded window as segments with times, and where the next
// window begins.
#ifndef SPECINFER_SRC_SPEECH_WINDOW_SEGMENTS_H_
#define SPECINFER_SRC_SPEECH_WINDOW_SEGMENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

#include "src/speech/fallback.h"
#include "src/speech/speech_tokens.h"
#include "src/speech/transcript.h"
#include "src/text/tokenizer.h"

namespace specinfer {

// Frames of the log-mel spectrogram.
inline constexpr int32_t kFramesPerSecond = 100;
inline constexpr int32_t kFramesPerTimestamp = 2;

// A part of the audio, at most 30 s.
struct FrameWindow {
  int64_t first_frame = 0;
  int32_t num_frames = 0;  // that hold audio: without the silence added

  double start() const {
    return static_cast<double>(first_frame) / kFramesPerSecond;
  }
  double end() const {
    return static_cast<double>(first_frame + num_frames) / kFramesPerSecond;
  }
};

struct WindowSegments {
  std::vector<Segment> segments;  // with times, tokens and text
  // Where the next window begins: after this one, or where the last segment
  // that ended in it did. Always beyond the window's beginning.
  int64_t next_frame = 0;
  // What was said after that, which the next window hears again; times are
  // still this window's.
  std::vector<Token> unfinished;
  // Nothing is said after the last timestamp.
  bool ends_with_single_timestamp = false;
};

// `decoded`: with timestamps or without. Times lie within the window.
WindowSegments SplitWindow(const SpeechTokens& speech_tokens,
                           const Tokenizer& tokenizer,
                           const FrameWindow& window,
                           const DecodedWindow& decoded);

// The same tokens in a window that begins `num_frames` later.
void ShiftTimestamps(const SpeechTokens& speech_tokens, int64_t num_frames,
                     std::vector<Token>* tokens);

// Where the last word of segments that have words ends; where none has, the
// last segment; without segments, `absent`.
double LastSpeechEnd(absl::Span<const Segment> segments, double absent);

// How sure the model was: of the window, as of each of its segments.
void CopyJudgement(const DecodedWindow& decoded, Segment* segment);

// Where the next window begins once the segments have words: at the end of the
// last word, unless nothing is said after it.
int64_t NextFrameAfterWords(const WindowSegments& split,
                            const FrameWindow& window);

// Leaves out segments that take no time or have no text.
void DropEmptySegments(std::vector<Segment>* segments);

// The text of `tokens` as well-formed UTF-8; special tokens have none.
std::string SpeechText(const SpeechTokens& speech_tokens,
                       const Tokenizer& tokenizer,
                       absl::Span<const Token> tokens);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_WINDOW_SEGMENTS_H_
