#include "src/speech/speech_prompt.h"

#include <algorithm>

#include "src/base/text.h"

namespace specinfer {
namespace {

void Append(absl::Span<const Token> from, std::vector<Token>* to) {
  to->insert(to->end(), from.begin(), from.end());
}

}  // namespace

absl::Status AppendPromptText(const Tokenizer& tokenizer, std::string_view text,
                              std::vector<Token>* tokens) {
  if (text.empty()) return absl::OkStatus();
  return tokenizer.Tokenize(Cat(" ", text), /*parse_special=*/false, tokens);
}

// As faster-whisper's get_prompt. openai/whisper keeps the end of a prefix that
// is too long instead of its beginning, puts no timestamp before it and knows
// no hotwords.
SpeechPrompt MakeSpeechPrompt(const SpeechTokens& tokens,
                              const SpeechPromptOptions& options,
                              int32_t max_positions) {
  const size_t max_part = static_cast<size_t>(max_positions / 2 - 1);
  const bool goes_on = !options.sampled.empty();
  absl::Span<const Token> prefix = goes_on ? options.sampled : options.prefix;
  prefix = prefix.first(std::min(prefix.size(), max_part));
  absl::Span<const Token> hotwords;
  if (prefix.empty() || goes_on) {
    hotwords =
        options.hotwords.first(std::min(options.hotwords.size(), max_part));
  }

  // The three parts together could leave no room for a text, so what was said
  // before gives way until a quarter of the positions is free.
  const size_t others = 1 + hotwords.size() + 4 + 1 + prefix.size();
  const size_t usable = static_cast<size_t>(max_positions - max_positions / 4);
  const size_t num_previous = std::min({options.previous.size(), max_part,
                                        usable > others ? usable - others : 0});

  SpeechPrompt prompt;
  if (num_previous > 0 || !hotwords.empty()) {
    prompt.tokens.push_back(tokens.start_of_previous());
    Append(hotwords, &prompt.tokens);
    Append(options.previous.last(num_previous), &prompt.tokens);
  }
  prompt.start_index = static_cast<int32_t>(prompt.tokens.size());
  prompt.tokens.push_back(tokens.start_of_transcript());
  if (options.language >= 0) {
    prompt.tokens.push_back(options.language);
    prompt.tokens.push_back(options.task == SpeechTask::kTranslate
                                ? tokens.translate()
                                : tokens.transcribe());
  }
  if (!options.has_timestamps) prompt.tokens.push_back(tokens.no_timestamps());
  const size_t num_before_prefix = prompt.tokens.size();
  if (!prefix.empty()) {
    if (options.has_timestamps && !goes_on)
      prompt.tokens.push_back(tokens.timestamp_begin());
    Append(prefix, &prompt.tokens);
  }
  prompt.num_prefix =
      static_cast<int32_t>(prompt.tokens.size() - num_before_prefix);
  prompt.prefix_is_sampled = goes_on;
  return prompt;
}

int32_t MaxSampledTokens(const SpeechPrompt& prompt, int32_t max_positions) {
  const int32_t num_before =
      static_cast<int32_t>(prompt.tokens.size()) - prompt.num_prefix;
  // The last token that is sampled needs no position.
  const int32_t max_tokens =
      std::min(max_positions / 2, max_positions - num_before + 1);
  return std::max(0, max_tokens - prompt.num_prefix);
}

}  // namespace specinfer
