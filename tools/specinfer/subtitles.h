// What was said, as subtitles and as JSON.
#ifndef SPECINFER_TOOLS_SPECINFER_SUBTITLES_H_
#define SPECINFER_TOOLS_SPECINFER_SUBTITLES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace specinfer_cli {

// Times are seconds from the beginning of the file.
struct TranscribedWord {
  double start = 0;
  double end = 0;
  double probability = 0;
  std::string text;
};

struct TranscribedSegment {
  double start = 0;
  double end = 0;
  std::string text;
  std::vector<TranscribedWord> words;  // empty unless asked for
};

struct TranscribedFile {
  std::string file;
  std::string language;  // a code, such as "en"
  double audio_seconds = 0;
  double speech_seconds = 0;  // of these: what was heard
  double seconds = 0;         // of work, without loading the model
  double encode_seconds = 0;  // of these: sound to what the decoder attends to
  double decode_seconds = 0;  // of these: that to text
  uint32_t num_tokens = 0;    // of all tries
  uint32_t num_passes = 0;    // of the decoder, for these
  std::vector<TranscribedSegment> segments;

  double RealTimeFactor() const {
    return audio_seconds > 0 ? seconds / audio_seconds : 0;
  }
};

// The segments' texts, one after the other, without outer white space.
std::string PlainText(const std::vector<TranscribedSegment>& segments);

// A line for each word: "[00:00:01.240 -> 00:00:01.500] word".
std::string WordLines(const std::vector<TranscribedSegment>& segments);

// SubRip. Segments without text are left out and not counted. A text is one
// line, and what would look like times is changed: SubRip cannot escape.
std::string ToSrt(const std::vector<TranscribedSegment>& segments);

// WebVTT, <https://www.w3.org/TR/webvtt1>: text is escaped.
std::string ToWebVtt(const std::vector<TranscribedSegment>& segments);

// An array with one object per file: file, text, language, audio_seconds,
// speech_seconds, seconds, real_time_factor, tokens, passes, encode_seconds,
// decode_seconds, segments (start, end, text, words). A segment has words
// (start, end, probability, text) where it was given any. Ends with a line end.
std::string ToJson(const std::vector<TranscribedFile>& files);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_SUBTITLES_H_
