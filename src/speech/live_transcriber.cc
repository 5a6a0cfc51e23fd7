#include "src/speech/live_transcriber.h"

#include <algorithm>
#include <utility>

#include "src/base/clock.h"
#include "src/base/status_macros.h"
#include "src/speech/window_segments.h"
#include "src/speech/word_times.h"

namespace specinfer {
namespace {

// Partial texts hear the sound so far, rounded up to this.
constexpr int64_t kPartialFrames = 5 * kFramesPerSecond;
// One partial text may take this share of the time.
constexpr double kPartialShare = 1.0 / 3.0;
// Nobody says more than that; who writes more, goes round in circles.
constexpr double kTokensPerFrame = 0.08;
constexpr double kTokensAtOnce = 8.0;
// Sound before an utterance that may turn out to belong to it.
constexpr int64_t kFramesBefore = 2 * kFramesPerSecond;

int64_t FramesOf(int64_t samples) { return samples / kFrameHop; }

}  // namespace

absl::StatusOr<std::unique_ptr<LiveTranscriber>> LiveTranscriber::Create(
    WindowDecoder& decoder, const LiveOptions& options) {
  const Model& model = decoder.model();
  if (options.has_word_times)
    SPECINFER_RETURN_IF_ERROR(decoder.CheckAlignmentHeads());
  SPECINFER_ASSIGN_OR_RETURN(
      SpokenLanguage language,
      GivenLanguage(decoder.tokens(), options.language, options.task));
  SPECINFER_ASSIGN_OR_RETURN(
      LiveSound sound,
      LiveSound::Create(model.architecture().encoder.mel_bins, options.sound,
                        *model.engine().memory));
  std::unique_ptr<LiveTranscriber> live(new LiveTranscriber(
      decoder, options, std::move(sound), std::move(language)));
  const auto tokenize = [&](const std::string& text, std::vector<Token>* out) {
    if (text.empty()) return absl::OkStatus();
    return model.tokenizer().Tokenize(" " + text, /*parse_special=*/false, out);
  };
  SPECINFER_RETURN_IF_ERROR(tokenize(options.initial_prompt, &live->previous_));
  SPECINFER_RETURN_IF_ERROR(tokenize(options.hotwords, &live->hotwords_));
  live->frames_.resize(
      static_cast<size_t>(decoder.max_frames()) *
      static_cast<size_t>(model.architecture().encoder.mel_bins));
  return live;
}

LiveTranscriber::LiveTranscriber(WindowDecoder& decoder,
                                 const LiveOptions& options, LiveSound sound,
                                 SpokenLanguage language)
    : decoder_(decoder),
      options_(options),
      sound_(std::move(sound)),
      language_(std::move(language)),
      partial_seconds_(options.partial_seconds),
      agreed_(decoder.model().tokenizer()) {}

LiveTranscriber::~LiveTranscriber() { decoder_.Abandon(); }

LiveEvent& LiveTranscriber::Tell(LiveEvent::Kind kind) {
  LiveEvent& event = events_.emplace_back();
  event.kind = kind;
  event.times = std::exchange(times_, {});
  return event;
}

absl::Status LiveTranscriber::Step(const PassControl& control,
                                   LiveEvent* event) {
  while (true) {
    if (!events_.empty()) {
      *event = std::move(events_.front());
      events_.pop_front();
      return absl::OkStatus();
    }
    if (work_ != Work::kNone) {
      SPECINFER_RETURN_IF_ERROR(DoWork(control));
      continue;
    }
    SPECINFER_ASSIGN_OR_RETURN(const bool has_heard, Hear());
    if (has_heard) {
      if (events_.empty() && NowMicros() >= control.deadline_us)
        return absl::DeadlineExceededError("the time to listen is up");
      continue;
    }
    if (!IsPartialDue()) break;
    BeginPartial();
  }
  *event = {};
  return absl::OkStatus();
}

absl::StatusOr<bool> LiveTranscriber::Hear() {
  if (has_ended_) return false;
  SPECINFER_ASSIGN_OR_RETURN(const SoundEvent heard, sound_.Hear());
  switch (heard.kind) {
    case SoundEvent::kNothing:
      return false;
    case SoundEvent::kSpeechBegin:
      is_in_speech_ = true;
      if (!is_speaking_) BeginUtterance(heard.sample);
      break;
    case SoundEvent::kSpeechEnd:
      is_in_speech_ = false;
      speech_end_ = heard.sample;
      break;
    case SoundEvent::kEndpoint:
      if (!is_speaking_) break;
      if (is_in_speech_) speech_end_ = heard.sample;
      has_endpoint_ = true;
      BeginFinal(FramesOf(speech_end_ + kFrameHop - 1));
      break;
    case SoundEvent::kEnd:
      has_ended_ = true;
      Tell(LiveEvent::Kind::kEnd);
      break;
    case SoundEvent::kSound:
      if (!is_speaking_ || !IsWindowFull()) break;
      DropCarried();
      if (IsWindowFull()) BeginFinal(FramesOf(sound_.num_samples()));
      break;
    case SoundEvent::kPause:
      last_word_end_ = 0.0;
      break;
  }
  return true;
}

void LiveTranscriber::BeginUtterance(int64_t sample) {
  is_speaking_ = true;
  has_endpoint_ = false;
  first_frame_ = utterance_frame_ = FramesOf(sample);
  if (carried_.empty() ||
      static_cast<double>(first_frame_ - window_begin_) >
          options_.max_carried_seconds * kFramesPerSecond ||
      static_cast<double>(sample - speech_end_) >
          options_.max_silence_seconds * kSpeechSampleRate) {
    DropCarried();
    sound_.DropBefore(window_begin_);
  }
  last_partial_ = sample;
  partial_seconds_ = options_.partial_seconds;
  agreed_.Begin();
  heard_.clear();
  Tell(LiveEvent::Kind::kSpeechBegin).segment.start = sound_.Seconds(sample);
}

void LiveTranscriber::DropCarried() {
  window_begin_ = first_frame_;
  carried_.clear();
  num_carried_segments_ = 0;
}

bool LiveTranscriber::IsWindowFull() const {
  return FramesOf(sound_.num_samples()) - window_begin_ >=
         decoder_.max_frames();
}

bool LiveTranscriber::IsPartialDue() const {
  if (!is_speaking_ || options_.partial_seconds <= 0.0) return false;
  const int64_t end = is_in_speech_ ? sound_.num_samples() : speech_end_;
  return static_cast<double>(end - last_partial_) >=
         partial_seconds_ * kSpeechSampleRate;
}

void LiveTranscriber::BeginPartial() {
  const int64_t num_frames = std::min<int64_t>(
      FramesOf(sound_.num_samples()) - first_frame_, decoder_.max_frames());
  window_ = {.first_frame = first_frame_,
             .num_frames = static_cast<int32_t>(num_frames)};
  num_encoded_ = static_cast<int32_t>(std::min<int64_t>(
      (num_frames + kPartialFrames - 1) / kPartialFrames * kPartialFrames,
      decoder_.max_frames()));
  last_partial_ = sound_.num_samples();
  work_ = Work::kPartial;
  stage_ = Stage::kEncode;
  work_us_ = 0;
}

void LiveTranscriber::BeginFinal(int64_t end_frame) {
  window_ = {.first_frame = window_begin_,
             .num_frames = static_cast<int32_t>(std::clamp<int64_t>(
                 end_frame - window_begin_, 1, decoder_.max_frames()))};
  num_encoded_ = decoder_.max_frames();
  work_ = Work::kFinal;
  stage_ = Stage::kEncode;
  work_us_ = 0;
}

absl::Status LiveTranscriber::DoWork(const PassControl& control) {
  const int64_t start_us = NowMicros();
  const absl::Status status = DecodeWindow(control);
  work_us_ += NowMicros() - start_us;
  if (absl::IsDeadlineExceeded(status)) return status;
  const Work work = std::exchange(work_, Work::kNone);
  times_.encode_us += decoder_.times().encode_us;
  times_.decode_us += decoder_.times().decode_us;
  times_.num_rounds += decoder_.times().num_rounds;
  times_.num_tokens += decoder_.times().num_tokens;
  if (work == Work::kPartial) {
    partial_seconds_ =
        std::max(options_.partial_seconds,
                 static_cast<double>(work_us_) * 1e-6 / kPartialShare);
    if (status.ok()) FinishPartial(*decoded_);
  } else {
    FinishFinal(status.ok() ? decoded_ : nullptr);
  }
  return status;
}

absl::Status LiveTranscriber::DecodeWindow(const PassControl& control) {
  const SpeechTokens& tokens = decoder_.tokens();
  if (stage_ == Stage::kEncode) {
    const absl::Span<float> frames =
        absl::MakeSpan(frames_).first(static_cast<size_t>(num_encoded_) *
                                      static_cast<size_t>(sound_.num_mels()));
    if (!decoder_.is_encoding()) {
      sound_.CopyWindow(window_.first_frame, window_.num_frames, num_encoded_,
                        frames);
    }
    SPECINFER_RETURN_IF_ERROR(decoder_.Encode(frames, control));
    stage_ = language_.is_known ? Stage::kDecode : Stage::kFindLanguage;
  }
  if (stage_ == Stage::kFindLanguage) {
    SPECINFER_ASSIGN_OR_RETURN(
        language_.language,
        decoder_.DetectLanguage(&language_.probability, control));
    language_.token = tokens.FindLanguageToken(language_.language->code);
    // A whole utterance settles it.
    language_.is_known = work_ == Work::kFinal;
    stage_ = Stage::kDecode;
  }
  MakeRequest();
  SPECINFER_ASSIGN_OR_RETURN(decoded_, decoder_.Decode(request_, control));
  if (work_ == Work::kPartial || decoder_.IsSilence()) return absl::OkStatus();
  split_ = SplitWindow(tokens, decoder_.model().tokenizer(), window_,
                       decoded_->tokens);
  return options_.has_word_times ? FindWords(control) : absl::OkStatus();
}

// The same, again and again, until the work is done.
void LiveTranscriber::MakeRequest() {
  const bool is_final = work_ == Work::kFinal;
  // Where nothing is said to begin, a text that is complete ends.
  sampled_ = carried_;
  absl::Span<const Token> expected = heard_;
  if (!is_final) {
    sampled_.push_back(decoder_.tokens().Timestamp(
        static_cast<double>(first_frame_ - window_begin_) / kFramesPerSecond));
    sampled_.insert(sampled_.end(), agreed_.agreed().begin(),
                    agreed_.agreed().end());
    expected.remove_prefix(
        std::min(expected.size(), sampled_.size() - carried_.size()));
  }
  request_ = {};
  request_.prompt = {.language = language_.token,
                     .task = options_.task,
                     .previous = previous_,
                     .hotwords = hotwords_,
                     .sampled = sampled_};
  request_.expected = expected;
  request_.strategy = options_.strategy;
  request_.seed = options_.seed;
  request_.stream = static_cast<uint64_t>(window_.first_frame);
  request_.tries_once = !is_final;
  if (!is_final) {
    request_.max_tokens = static_cast<int32_t>(
        kTokensAtOnce +
        kTokensPerFrame *
            static_cast<double>(window_.first_frame + window_.num_frames -
                                first_frame_));
  }
}

// A text that goes round in circles, or that may be none, says nothing new.
void LiveTranscriber::FinishPartial(const DecodedWindow& decoded) {
  const bool is_endless =
      decoded.tokens.size() >=
      sampled_.size() + static_cast<size_t>(request_.max_tokens);
  if (decoder_.IsSilence() || decoded.is_loop || is_endless) return;
  const Tokenizer& tokenizer = decoder_.model().tokenizer();
  heard_.assign(decoded.tokens.begin() + carried_.size(), decoded.tokens.end());
  text_.clear();
  for (const Token token : heard_) {
    if (decoder_.tokens().IsText(token)) text_.push_back(token);
  }
  const size_t num_agreed = agreed_.agreed().size();
  const bool is_same =
      absl::MakeConstSpan(text_) == agreed_.hypothesis() && !text_.empty();
  agreed_.Add(text_, language_.code());
  if (is_same && agreed_.agreed().size() == num_agreed) return;
  LiveEvent& event = Tell(LiveEvent::Kind::kPartial);
  event.segment.start = sound_.Seconds(first_frame_ * kFrameHop);
  event.segment.end =
      sound_.Seconds((window_.first_frame + window_.num_frames) * kFrameHop);
  event.segment.text = SpeechText(decoder_.tokens(), tokenizer, text_);
  event.segment.tokens = text_;
  event.segment.average_log_probability = decoded.average_log_probability;
  event.segment.no_speech_probability = decoded.no_speech_probability;
  event.segment.compression_ratio = decoded.compression_ratio;
  event.stable_length =
      SpeechText(decoder_.tokens(), tokenizer, agreed_.agreed()).size();
}

absl::Status LiveTranscriber::FindWords(const PassControl& control) {
  const SpeechTokens& tokens = decoder_.tokens();
  const std::vector<Token> text = TextTokens(tokens, split_.segments);
  if (text.empty()) return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(const TokenTimes times,
                             decoder_.Align({.text = text,
                                             .language = language_.token,
                                             .task = options_.task,
                                             .num_frames = window_.num_frames},
                                            control));
  AddWordTimes(tokens, decoder_.model().tokenizer(), language_.code(), {},
               times, window_.start(), last_word_end_, &split_.segments);
  last_word_end_ = LastSpeechEnd(split_.segments, last_word_end_);
  return absl::OkStatus();
}

// Null: the text is lost.
void LiveTranscriber::FinishFinal(const DecodedWindow* decoded) {
  first_frame_ = window_.first_frame + window_.num_frames;
  if (decoded != nullptr && !decoder_.IsSilence()) {
    first_frame_ = split_.next_frame;
    std::vector<Segment>& segments = split_.segments;
    const size_t num_segments = segments.size();
    segments.erase(
        segments.begin(),
        segments.begin() + static_cast<ptrdiff_t>(
                               std::min(num_segments, num_carried_segments_)));
    DropEmptySegments(&segments);
    if (segments.empty() && !carried_.empty()) {
      // What was said before seemed complete to the model.
      first_frame_ = utterance_frame_;
      DropCarried();
    } else {
      Carry(decoded->tokens, num_segments);
    }
    for (Segment& segment : segments) TellFinal(*decoded, &segment);
  }
  agreed_.Begin();
  heard_.clear();
  last_partial_ = first_frame_ * kFrameHop;
  const int64_t speech_end = FramesOf(speech_end_ + kFrameHop - 1);
  if (!has_endpoint_) {
    DropCarried();
  } else if (first_frame_ < speech_end) {
    DropCarried();
    BeginFinal(speech_end);
  } else {
    EndUtterance();
  }
}

void LiveTranscriber::TellFinal(const DecodedWindow& decoded,
                                Segment* segment) {
  const double stretch_start = sound_.Seconds(0);
  segment->start += stretch_start;
  segment->end += stretch_start;
  for (SpokenWord& word : segment->words) {
    word.start += stretch_start;
    word.end += stretch_start;
  }
  segment->temperature = decoded.temperature;
  segment->average_log_probability = decoded.average_log_probability;
  segment->no_speech_probability = decoded.no_speech_probability;
  segment->compression_ratio = decoded.compression_ratio;
  Tell(LiveEvent::Kind::kFinal).segment = std::move(*segment);
}

// The last timestamp closes the text: what comes next was not heard yet.
void LiveTranscriber::Carry(absl::Span<const Token> tokens,
                            size_t num_segments) {
  carried_.assign(tokens.begin(), tokens.end());
  num_carried_segments_ = num_segments;
  if (!carried_.empty() && decoder_.tokens().IsText(carried_.back())) {
    carried_.push_back(decoder_.tokens().Timestamp(
        static_cast<double>(window_.num_frames) / kFramesPerSecond));
  }
}

void LiveTranscriber::EndUtterance() {
  is_speaking_ = has_endpoint_ = false;
  sound_.DropBefore(
      std::min(FramesOf(sound_.num_samples()) - kFramesBefore, window_begin_));
  Tell(LiveEvent::Kind::kSpeechEnd).segment.end = sound_.Seconds(speech_end_);
}

}  // namespace specinfer
