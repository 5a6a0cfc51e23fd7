#include "src/speech/transcriber.h"

#include <algorithm>
#include <utility>

#include "src/base/status_macros.h"
#include "src/speech/spoken_language.h"
#include "src/speech/window_segments.h"
#include "src/speech/window_words.h"

namespace specinfer {

absl::StatusOr<std::unique_ptr<Transcriber>> Transcriber::Create(
    std::shared_ptr<const Model> model, const TranscriberOptions& options) {
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<WindowDecoder> decoder,
      WindowDecoder::Create(std::move(model), options.fallback, options.guard));
  std::unique_ptr<Transcriber> transcriber(new Transcriber(std::move(decoder)));
  const Transcriber& t = *transcriber;
  const int mel_bins = t.model().architecture().encoder.mel_bins;
  transcriber->frames_.resize(static_cast<size_t>(t.decoder_->max_frames()) *
                              static_cast<size_t>(mel_bins));
  transcriber->recording_ =
      std::make_unique<SpeechFrames>(mel_bins, t.model().engine().memory.get());
  return transcriber;
}

absl::Span<const float> Transcriber::WindowFrames(const FrameWindow& window) {
  recording_->CopyWindow(window, absl::MakeSpan(frames_));
  return frames_;
}

absl::Status Transcriber::Begin(absl::Span<const float> samples,
                                const TranscriptionOptions& options) {
  is_cancelled_.store(false, std::memory_order_relaxed);
  turn_.set_urgency(options.urgency);
  SPECINFER_RETURN_IF_ERROR(decoder_->CheckStrategy(options.strategy));
  if (options.has_word_times)
    SPECINFER_RETURN_IF_ERROR(decoder_->CheckAlignmentHeads());
  SPECINFER_RETURN_IF_ERROR(
      recording_->Read(samples, options.format, is_cancelled_));
  const Tokenizer& tokenizer = model().tokenizer();
  previous_.clear();
  hotwords_.clear();
  previous_start_ = 0;
  SPECINFER_RETURN_IF_ERROR(
      AppendPromptText(tokenizer, options.initial_prompt, &previous_));
  SPECINFER_RETURN_IF_ERROR(
      AppendPromptText(tokenizer, options.hotwords, &hotwords_));
  SPECINFER_ASSIGN_OR_RETURN(
      hotword_bias_, MakeHotwordBias(decoder_->tokens(), tokenizer,
                                     options.hotwords, options.hotword_bias));
  has_word_times_ = options.has_word_times;
  last_speech_end_ = 0.0;
  request_ = {};
  request_.prompt.task = options.task;
  request_.prompt.has_timestamps = options.has_timestamps;
  request_.strategy = options.strategy;
  request_.seed = options.seed;
  request_.best_of = options.best_of;
  if (hotword_bias_.has_value()) {
    request_.hotwords = &*hotword_bias_;
  } else {
    request_.prompt.hotwords = hotwords_;
  }
  expected_.clear();
  return absl::OkStatus();
}

absl::StatusOr<Token> Transcriber::FindLanguage(
    const TranscriptionOptions& options, Transcription* result) {
  const SpeechTokens& tokens = decoder_->tokens();
  SPECINFER_ASSIGN_OR_RETURN(
      const SpokenLanguage given,
      GivenLanguage(tokens, options.language, options.task));
  result->language = given.language;
  if (given.is_known) return given.token;
  SPECINFER_ASSIGN_OR_RETURN(
      result->language,
      decoder_->DetectLanguage(&result->language_probability, MakeControl()));
  return tokens.FindLanguageToken(result->language->code);
}

absl::StatusOr<Transcription> Transcriber::Transcribe(
    absl::Span<const float> samples, const TranscriptionOptions& options) {
  absl::StatusOr<Transcription> result = TranscribeAll(samples, options);
  recording_->DropFrames();
  return result;
}

// Silence after what was done is done, too.
float Transcriber::ShareDone(int64_t next_frame) const {
  if (next_frame >= recording_->num_frames()) return 1.0f;
  const double next = static_cast<double>(next_frame) / kFramesPerSecond;
  return static_cast<float>(recording_->times().BeginInRecording(next) /
                            recording_->recording_seconds());
}

absl::StatusOr<Transcription> Transcriber::TranscribeAll(
    absl::Span<const float> samples, const TranscriptionOptions& options) {
  SPECINFER_RETURN_IF_ERROR(Begin(samples, options));
  Transcription result;
  result.audio_seconds = recording_->recording_seconds();
  result.speech_seconds = recording_->speech_seconds();
  const bool detects_language =
      decoder_->tokens().is_multilingual() && options.language.empty();
  if (detects_language) {
    result.language_probability = 0.0f;
  } else {
    SPECINFER_ASSIGN_OR_RETURN(request_.prompt.language,
                               FindLanguage(options, &result));
  }
  const int64_t num_frames = recording_->num_frames();
  for (int64_t first = 0; first < num_frames;) {
    const FrameWindow window = {
        .first_frame = first,
        .num_frames = static_cast<int32_t>(
            std::min<int64_t>(num_frames - first, decoder_->max_frames()))};
    SPECINFER_RETURN_IF_ERROR(
        decoder_->Encode(WindowFrames(window), MakeControl()));
    if (first == 0 && detects_language) {
      SPECINFER_ASSIGN_OR_RETURN(request_.prompt.language,
                                 FindLanguage(options, &result));
    }
    request_.stream = static_cast<uint64_t>(first);
    SPECINFER_RETURN_IF_ERROR(TranscribeWindow(window, &result, &first));
    result.times.Add(decoder_->times());
    if (!options.uses_previous_text || decoder_->ResetsPrompt())
      previous_start_ = previous_.size();
    if (options.progress && !options.progress(ShareDone(first)))
      return absl::CancelledError("the transcription was cancelled");
  }
  return result;
}

absl::Status Transcriber::TranscribeWindow(const FrameWindow& window,
                                           Transcription* result,
                                           int64_t* next_frame) {
  request_.prompt.previous =
      absl::MakeConstSpan(previous_).subspan(previous_start_);
  request_.expected = expected_;
  SPECINFER_ASSIGN_OR_RETURN(const DecodedWindow* decoded,
                             decoder_->Decode(request_, MakeControl()));
  expected_.clear();
  *next_frame = window.first_frame + window.num_frames;
  if (decoder_->IsSilence()) return absl::OkStatus();
  WindowSegments split =
      SplitWindow(decoder_->tokens(), model().tokenizer(), window, *decoded);
  if (has_word_times_) {
    const std::string_view code =
        result->language == nullptr ? "en" : result->language->code;
    SPECINFER_RETURN_IF_ERROR(FindWords(*decoder_, window, request_.prompt,
                                        code, MakeControl(), &last_speech_end_,
                                        &split.segments));
    // As faster-whisper's generate_segments. But without timestamps windows
    // stay where they are without words: what remains after the last word is
    // silence as a rule, and a model that gives no times hears words in it.
    if (request_.prompt.has_timestamps)
      split.next_frame = NextFrameAfterWords(split, window);
  }
  *next_frame = split.next_frame;
  expected_ = std::move(split.unfinished);
  ShiftTimestamps(decoder_->tokens(), *next_frame - window.first_frame,
                  &expected_);
  DropEmptySegments(&split.segments);
  for (Segment& segment : split.segments) {
    decoder_->Learn(segment.tokens);
    previous_.insert(previous_.end(), segment.tokens.begin(),
                     segment.tokens.end());
    recording_->times().RestoreTimes(&segment);
    result->segments.push_back(std::move(segment));
  }
  return absl::OkStatus();
}

}  // namespace specinfer
