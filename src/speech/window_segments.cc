#include "src/speech/window_segments.h"

#include <algorithm>
#include <cmath>

#include "src/speech/word_split.h"
#include "src/text/detokenizer.h"

namespace specinfer {

std::string SpeechText(const SpeechTokens& speech_tokens,
                       const Tokenizer& tokenizer,
                       absl::Span<const Token> tokens) {
  std::string text;
  Detokenizer detokenizer(tokenizer);
  for (const Token token : tokens) {
    if (speech_tokens.IsText(token)) detokenizer.Append(token, &text);
  }
  detokenizer.Flush(&text);
  return text;
}

void CopyJudgement(const DecodedWindow& decoded, Segment* segment) {
  segment->temperature = decoded.temperature;
  segment->average_log_probability = decoded.average_log_probability;
  segment->no_speech_probability = decoded.no_speech_probability;
  segment->compression_ratio = decoded.compression_ratio;
}

// As faster-whisper's _split_segments_by_timestamps, which is
// openai/whisper's transcribe.py; neither clamps times to the audio.
WindowSegments SplitWindow(const SpeechTokens& speech_tokens,
                           const Tokenizer& tokenizer,
                           const FrameWindow& window,
                           const DecodedWindow& decoded) {
  const absl::Span<const Token> tokens = decoded.tokens;
  WindowSegments split;
  const auto time = [&](Token timestamp) {
    return std::min(window.start() + speech_tokens.Seconds(timestamp),
                    window.end());
  };
  const auto add = [&](double start, double end,
                       absl::Span<const Token> segment_tokens) {
    Segment& segment = split.segments.emplace_back();
    segment.start = start;
    segment.end = std::max(start, end);
    segment.tokens.assign(segment_tokens.begin(), segment_tokens.end());
    segment.text = SpeechText(speech_tokens, tokenizer, segment_tokens);
    CopyJudgement(decoded, &segment);
  };
  const auto is_timestamp = [&](size_t i) {
    return speech_tokens.IsTimestamp(tokens[i]);
  };
  // A token between two timestamps that are not there has the time of none.
  const auto start_of = [&](Token token) {
    return speech_tokens.IsTimestamp(token) ? time(token) : window.start();
  };
  const int64_t window_end = window.first_frame + window.num_frames;
  const size_t count = tokens.size();
  split.ends_with_single_timestamp =
      count >= 2 && is_timestamp(count - 1) && !is_timestamp(count - 2);
  split.next_frame = window_end;

  size_t begin = 0;
  for (size_t i = 1; i < count; ++i) {
    if (!is_timestamp(i) || !is_timestamp(i - 1)) continue;
    add(start_of(tokens[begin]), time(tokens[i - 1]),
        tokens.subspan(begin, i - begin));
    begin = i;
  }
  if (begin == 0) {
    double end = window.end();
    for (size_t i = count; i-- > 0;) {
      if (!is_timestamp(i)) continue;
      if (tokens[i] != speech_tokens.timestamp_begin()) end = time(tokens[i]);
      break;
    }
    add(window.start(), end, tokens);
  } else if (split.ends_with_single_timestamp) {
    add(start_of(tokens[begin]), time(tokens[count - 1]),
        tokens.subspan(begin));
  } else {
    split.unfinished.assign(tokens.begin() + static_cast<ptrdiff_t>(begin),
                            tokens.end());
    const int64_t position =
        tokens[begin - 1] - speech_tokens.timestamp_begin();
    split.next_frame = std::min(
        window_end, window.first_frame + position * kFramesPerTimestamp);
  }
  // Times that stand still, from a prompt that says so, end the window.
  if (split.next_frame <= window.first_frame) split.next_frame = window_end;
  split.next_frame = std::max(split.next_frame, window.first_frame + 1);
  return split;
}

void ShiftTimestamps(const SpeechTokens& speech_tokens, int64_t num_frames,
                     std::vector<Token>* tokens) {
  const Token begin = speech_tokens.timestamp_begin();
  const int64_t shift = num_frames / kFramesPerTimestamp;
  for (Token& token : *tokens) {
    if (speech_tokens.IsTimestamp(token))
      token = static_cast<Token>(std::max<int64_t>(begin, token - shift));
  }
}

double LastSpeechEnd(absl::Span<const Segment> segments, double absent) {
  for (size_t i = segments.size(); i-- > 0;) {
    if (!segments[i].words.empty()) return segments[i].words.back().end;
  }
  return segments.empty() ? absent : segments.back().end;
}

int64_t NextFrameAfterWords(const WindowSegments& split,
                            const FrameWindow& window) {
  if (split.ends_with_single_timestamp || split.segments.empty())
    return split.next_frame;
  const double end = LastSpeechEnd(split.segments, window.start());
  if (!(end > window.start())) return split.next_frame;
  const int64_t frame = static_cast<int64_t>(
      std::nearbyint(std::min(end, window.end()) * kFramesPerSecond));
  return frame > window.first_frame ? frame : split.next_frame;
}

void DropEmptySegments(std::vector<Segment>* segments) {
  segments->erase(std::remove_if(segments->begin(), segments->end(),
                                 [](const Segment& segment) {
                                   return segment.start == segment.end ||
                                          StripSpaces(segment.text).empty();
                                 }),
                  segments->end());
}

}  // namespace specinfer
