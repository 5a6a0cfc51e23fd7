// What was said, and when. Times are seconds from the beginning of the audio
// as it was handed in, silence that was left out included.
#ifndef SPECINFER_SRC_SPEECH_TRANSCRIPT_H_
#define SPECINFER_SRC_SPEECH_TRANSCRIPT_H_

#include <string>
#include <vector>

#include "src/backend/stream.h"

namespace specinfer {

struct SpokenWord {
  double start = 0.0;
  double end = 0.0;
  float probability = 0.0f;  // mean over its tokens
  std::string text;          // with the space before it
};

struct Segment {
  double start = 0.0;
  double end = 0.0;
  std::string text;
  std::vector<Token> tokens;      // text and timestamps
  std::vector<SpokenWord> words;  // empty unless asked for
  float temperature = 0.0f;
  float average_log_probability = 0.0f;  // per token, the end of text included
  float no_speech_probability = 0.0f;
  float compression_ratio = 0.0f;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_TRANSCRIPT_H_
