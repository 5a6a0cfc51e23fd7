#include "src/speech/word_times.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "src/speech/word_alignment.h"
#include "src/speech/word_split.h"

namespace specinfer {
namespace {

constexpr std::string_view kSentenceEnds = ".。!！?？";
constexpr double kMaxMedian = 0.7;  // seconds

bool IsPartOf(std::string_view text, std::string_view whole) {
  return whole.find(text) != std::string_view::npos;
}

// To hundredths of a second, halves to even.
double Rounded(double seconds) { return std::nearbyint(seconds * 100) / 100; }

std::vector<TimedWord> MakeWords(const Tokenizer& tokenizer,
                                 std::string_view language_code,
                                 absl::Span<const Token> tokens,
                                 const TokenTimes& times) {
  std::vector<TimedWord> words;
  size_t begin = 0;
  for (TokenWord& word : SplitIntoWords(tokenizer, language_code, tokens)) {
    const size_t end = begin + word.num_tokens;
    TimedWord& timed = words.emplace_back();
    timed.text = std::move(word.text);
    timed.num_tokens = word.num_tokens;
    timed.start =
        static_cast<double>(times.positions[begin]) / kPositionsPerSecond;
    timed.end = static_cast<double>(times.positions[end]) / kPositionsPerSecond;
    double sum = 0.0;
    for (size_t i = begin; i < end; ++i) sum += times.probabilities[i];
    timed.probability =
        static_cast<float>(sum / static_cast<double>(word.num_tokens));
    begin = end;
  }
  return words;
}

// Of the words that take time.
double MedianDuration(absl::Span<const TimedWord> words) {
  std::vector<double> durations;
  for (const TimedWord& word : words) {
    if (word.end != word.start) durations.push_back(word.end - word.start);
  }
  if (durations.empty()) return 0.0;
  std::sort(durations.begin(), durations.end());
  const size_t middle = durations.size() / 2;
  const double median = durations.size() % 2 == 1
                            ? durations[middle]
                            : (durations[middle - 1] + durations[middle]) / 2;
  return std::min(kMaxMedian, median);
}

// Of long words beside the end of a sentence, the part away from it is silence.
void ShortenAtSentenceEnds(double max_duration, std::vector<TimedWord>* words) {
  for (size_t i = 1; i < words->size(); ++i) {
    TimedWord& word = (*words)[i];
    if (!(word.end - word.start > max_duration)) continue;
    if (IsPartOf(word.text, kSentenceEnds)) {
      word.end = word.start + max_duration;
    } else if (IsPartOf((*words)[i - 1].text, kSentenceEnds)) {
      word.start = word.end - max_duration;
    }
  }
}

// The first two words after a pause are not longer than two others.
void ShortenAfterPause(double median, double last_speech_end,
                       std::vector<SpokenWord>* words) {
  const double max_duration = 2 * median;
  SpokenWord& first = words->front();
  SpokenWord* const second = words->size() > 1 ? &(*words)[1] : nullptr;
  const bool is_long =
      first.end - first.start > max_duration ||
      (second != nullptr && second->end - first.start > 2 * max_duration);
  if (!(first.end - last_speech_end > 4 * median) || !is_long) return;
  if (second != nullptr && second->end - second->start > max_duration) {
    first.end = second->start =
        std::max(second->end / 2, second->end - max_duration);
  }
  first.start = std::max(0.0, first.end - max_duration);
}

// Between a segment's times and its words', the shorter outer words win.
void FitToSegment(double median, Segment* segment) {
  SpokenWord& first = segment->words.front();
  if (segment->start < first.end && segment->start - 0.5 > first.start) {
    first.start = std::max(0.0, std::min(first.end - median, segment->start));
  } else {
    segment->start = first.start;
  }
  SpokenWord& last = segment->words.back();
  if (segment->end > last.start && segment->end + 0.5 < last.end) {
    last.end = std::max(last.start + median, segment->end);
  } else {
    segment->end = last.end;
  }
}

}  // namespace

std::vector<Token> TextTokens(const SpeechTokens& speech_tokens,
                              absl::Span<const Segment> segments) {
  std::vector<Token> text;
  for (const Segment& segment : segments) {
    for (const Token token : segment.tokens) {
      if (speech_tokens.IsText(token)) text.push_back(token);
    }
  }
  return text;
}

void JoinPunctuation(const WordTimesOptions& options,
                     std::vector<TimedWord>* words) {
  const auto join = [](TimedWord* from, TimedWord* to, bool is_before) {
    to->text = is_before ? from->text + to->text : to->text + from->text;
    to->num_tokens += from->num_tokens;
    from->text.clear();
    from->num_tokens = 0;
  };
  for (size_t i = words->size(), following = i; i-- > 0;) {
    TimedWord& word = (*words)[i];
    if (following < words->size() && word.text.substr(0, 1) == " " &&
        IsPartOf(StripSpaces(word.text), options.prepended)) {
      join(&word, &(*words)[following], /*is_before=*/true);
    } else {
      following = i;
    }
  }
  for (size_t i = 1, previous = 0; i < words->size(); ++i) {
    TimedWord& word = (*words)[i];
    const std::string& before = (*words)[previous].text;
    if ((before.empty() || before.back() != ' ') &&
        IsPartOf(word.text, options.appended)) {
      join(&word, &(*words)[previous], /*is_before=*/false);
    } else {
      previous = i;
    }
  }
}

double AddWordTimes(const SpeechTokens& speech_tokens,
                    const Tokenizer& tokenizer, std::string_view language_code,
                    const WordTimesOptions& options, const TokenTimes& times,
                    double window_start, double last_speech_end,
                    std::vector<Segment>* segments) {
  const std::vector<Token> tokens = TextTokens(speech_tokens, *segments);
  if (times.positions.size() != tokens.size() + 1 ||
      times.probabilities.size() != tokens.size())
    return last_speech_end;
  std::vector<TimedWord> words =
      MakeWords(tokenizer, language_code, tokens, times);
  const double median = MedianDuration(words);
  // Where no word takes time, none is too long either.
  ShortenAtSentenceEnds(2 * median, &words);
  JoinPunctuation(options, &words);

  size_t next_word = 0;
  for (Segment& segment : *segments) {
    const size_t num_tokens =
        TextTokens(speech_tokens, absl::MakeConstSpan(&segment, 1)).size();
    segment.words.clear();
    for (size_t taken = 0; next_word < words.size() && taken < num_tokens;
         ++next_word) {
      const TimedWord& word = words[next_word];
      taken += word.num_tokens;
      if (word.text.empty()) continue;
      segment.words.push_back({Rounded(window_start + word.start),
                               Rounded(window_start + word.end),
                               word.probability, word.text});
    }
    if (segment.words.empty()) continue;
    ShortenAfterPause(median, last_speech_end, &segment.words);
    FitToSegment(median, &segment);
    last_speech_end = segment.end;
  }
  return last_speech_end;
}

}  // namespace specinfer
