#include "src/speech/live_window.h"

#include <algorithm>
#include <utility>

#include "src/base/status_macros.h"
#include "src/speech/window_words.h"

namespace specinfer {
namespace {

// Partial texts hear the sound so far, rounded up to this.
constexpr int64_t kPartialFrames = 5 * kFramesPerSecond;
// Nobody says more than that; who writes more, goes round in circles.
constexpr double kTokensPerFrame = 0.08;
constexpr double kTokensAtOnce = 8.0;

}  // namespace

absl::StatusOr<std::unique_ptr<LiveWindow>> LiveWindow::Create(
    WindowDecoder& decoder, const LiveTextOptions& options) {
  const Model& model = decoder.model();
  if (options.has_word_times)
    SPECINFER_RETURN_IF_ERROR(decoder.CheckAlignmentHeads());
  SPECINFER_RETURN_IF_ERROR(decoder.CheckStrategy(options.strategy));
  SPECINFER_ASSIGN_OR_RETURN(
      SpokenLanguage language,
      GivenLanguage(decoder.tokens(), options.language, options.task));
  std::unique_ptr<LiveWindow> window(
      new LiveWindow(decoder, options, std::move(language)));
  SPECINFER_RETURN_IF_ERROR(AppendPromptText(
      model.tokenizer(), options.initial_prompt, &window->previous_));
  SPECINFER_RETURN_IF_ERROR(AppendPromptText(
      model.tokenizer(), options.hotwords, &window->hotwords_));
  SPECINFER_ASSIGN_OR_RETURN(
      window->hotword_bias_,
      MakeHotwordBias(decoder.tokens(), model.tokenizer(), options.hotwords,
                      options.hotword_bias));
  window->frames_.resize(
      static_cast<size_t>(decoder.max_frames()) *
      static_cast<size_t>(model.architecture().encoder.mel_bins));
  return window;
}

LiveWindow::LiveWindow(WindowDecoder& decoder, const LiveTextOptions& options,
                       SpokenLanguage language)
    : decoder_(decoder),
      options_(options),
      language_(std::move(language)),
      agreed_(decoder.model().tokenizer()) {}

void LiveWindow::BeginAt(int64_t frame) {
  begin_ = frame;
  carried_.clear();
  num_carried_segments_ = 0;
}

void LiveWindow::Forget() {
  agreed_.Begin();
  heard_.clear();
}

void LiveWindow::Reset() {
  BeginAt(0);
  Forget();
  last_word_end_ = 0.0;
}

void LiveWindow::Begin(int64_t first_frame, int64_t end_frame,
                       int64_t num_encoded) {
  stage_ = Stage::kEncode;
  first_frame_ = first_frame;
  window_ = {.first_frame = begin_,
             .num_frames = static_cast<int32_t>(
                 std::clamp<int64_t>(end_frame - begin_, 1, max_frames()))};
  num_encoded_ =
      static_cast<int32_t>(std::min<int64_t>(num_encoded, max_frames()));
}

// What a text goes on from may take half of the context.
bool LiveWindow::HasRoom() const {
  const size_t num_sampled = carried_.size() + 1 + agreed_.agreed().size();
  const int32_t most = decoder_.model().architecture().max_context / 2;
  return num_sampled + static_cast<size_t>(kTokensAtOnce) <
         static_cast<size_t>(most);
}

void LiveWindow::BeginPartial(int64_t first_frame, int64_t end_frame) {
  is_final_ = false;
  Begin(first_frame, end_frame,
        (end_frame - begin_ + kPartialFrames - 1) / kPartialFrames *
            kPartialFrames);
}

void LiveWindow::BeginFinal(int64_t first_frame, int64_t end_frame) {
  is_final_ = true;
  Begin(first_frame, end_frame, max_frames());
}

absl::Status LiveWindow::Work(LiveSound& sound, const PassControl& control) {
  const SpeechTokens& tokens = decoder_.tokens();
  if (stage_ == Stage::kEncode) {
    SPECINFER_RETURN_IF_ERROR(Encode(sound, control));
    stage_ = language_.is_known ? Stage::kDecode : Stage::kFindLanguage;
  }
  if (stage_ == Stage::kFindLanguage) {
    SPECINFER_RETURN_IF_ERROR(FindLanguage(control));
    stage_ = Stage::kDecode;
  }
  MakeRequest();
  SPECINFER_ASSIGN_OR_RETURN(decoded_, decoder_.Decode(request_, control));
  split_ = {};
  if (!is_final_ || decoder_.IsSilence()) return absl::OkStatus();
  split_ =
      SplitWindow(tokens, decoder_.model().tokenizer(), window_, *decoded_);
  if (!options_.has_word_times) return absl::OkStatus();
  return FindWords(decoder_, window_, request_.prompt, language_.code(),
                   control, &last_word_end_, &split_.segments);
}

absl::Status LiveWindow::Encode(LiveSound& sound, const PassControl& control) {
  const absl::Span<float> frames =
      absl::MakeSpan(frames_).first(static_cast<size_t>(num_encoded_) *
                                    static_cast<size_t>(sound.num_mels()));
  if (!decoder_.is_encoding()) {
    sound.CopyWindow(window_.first_frame, window_.num_frames, num_encoded_,
                     frames);
  }
  return decoder_.Encode(frames, control);
}

// A whole utterance settles it.
absl::Status LiveWindow::FindLanguage(const PassControl& control) {
  SPECINFER_ASSIGN_OR_RETURN(
      language_.language,
      decoder_.DetectLanguage(&language_.probability, control));
  language_.token =
      decoder_.tokens().FindLanguageToken(language_.language->code);
  language_.is_known = is_final_;
  return absl::OkStatus();
}

// The same, again and again, until the text is done.
void LiveWindow::MakeRequest() {
  sampled_ = carried_;
  absl::Span<const Token> expected = heard_;
  if (!is_final_) {
    // Where nothing is said to begin, a text that is complete ends.
    sampled_.push_back(decoder_.tokens().Timestamp(
        static_cast<double>(first_frame_ - begin_) / kFramesPerSecond));
    sampled_.insert(sampled_.end(), agreed_.agreed().begin(),
                    agreed_.agreed().end());
    expected.remove_prefix(
        std::min(expected.size(), sampled_.size() - carried_.size()));
  }
  request_ = {};
  request_.prompt = {.language = language_.token,
                     .task = options_.task,
                     .previous = previous_,
                     .sampled = sampled_};
  request_.expected = expected;
  request_.strategy = options_.strategy;
  request_.seed = options_.seed;
  request_.best_of = options_.best_of;
  if (hotword_bias_.has_value()) {
    request_.hotwords = &*hotword_bias_;
  } else {
    request_.prompt.hotwords = hotwords_;
  }
  request_.stream = static_cast<uint64_t>(window_.first_frame);
  if (is_final_) return;
  const int64_t num_frames =
      window_.first_frame + window_.num_frames - first_frame_;
  request_.tries_once = true;
  request_.max_tokens = static_cast<int32_t>(
      kTokensAtOnce + kTokensPerFrame * static_cast<double>(num_frames));
}

// A text that goes round in circles, or that may be none, says nothing new.
bool LiveWindow::TakePartial(Segment* segment, size_t* stable_length) {
  const DecodedWindow& decoded = *decoded_;
  const bool is_endless =
      decoded.tokens.size() >=
      sampled_.size() + static_cast<size_t>(request_.max_tokens);
  if (decoder_.IsSilence() || decoded.is_loop || is_endless) return false;
  const SpeechTokens& tokens = decoder_.tokens();
  const Tokenizer& tokenizer = decoder_.model().tokenizer();
  heard_.assign(
      decoded.tokens.begin() + static_cast<ptrdiff_t>(carried_.size()),
      decoded.tokens.end());
  std::vector<Token> text = heard_;
  std::erase_if(text, [&](Token token) { return !tokens.IsText(token); });
  const size_t num_agreed = agreed_.agreed().size();
  const bool is_same =
      absl::MakeConstSpan(text) == agreed_.hypothesis() && !text.empty();
  agreed_.Add(text, language_.code());
  if (is_same && agreed_.agreed().size() == num_agreed) return false;
  segment->start = static_cast<double>(first_frame_) / kFramesPerSecond;
  segment->end = window_.end();
  segment->text = SpeechText(tokens, tokenizer, text);
  segment->tokens = std::move(text);
  CopyJudgement(decoded, segment);
  *stable_length = SpeechText(tokens, tokenizer, agreed_.agreed()).size();
  return true;
}

int64_t LiveWindow::TakeFinal(std::vector<Segment>* segments) {
  Forget();
  segments->clear();
  if (decoder_.IsSilence()) return window_.first_frame + window_.num_frames;
  *segments = std::move(split_.segments);
  const size_t num_segments = segments->size();
  segments->erase(
      segments->begin(),
      segments->begin() + static_cast<ptrdiff_t>(
                              std::min(num_segments, num_carried_segments_)));
  DropEmptySegments(segments);
  if (segments->empty() && carries()) {
    BeginAt(first_frame_);
    return first_frame_;
  }
  for (const Segment& segment : *segments) decoder_.Learn(segment.tokens);
  Carry(decoded_->tokens, num_segments);
  return split_.next_frame;
}

// The last timestamp closes the text: what comes next was not heard yet.
void LiveWindow::Carry(absl::Span<const Token> tokens, size_t num_segments) {
  carried_.assign(tokens.begin(), tokens.end());
  num_carried_segments_ = num_segments;
  if (!carried_.empty() && decoder_.tokens().IsText(carried_.back())) {
    carried_.push_back(decoder_.tokens().Timestamp(
        static_cast<double>(window_.num_frames) / kFramesPerSecond));
  }
  // What comes next needs room as well.
  const int32_t most = decoder_.model().architecture().max_context / 4;
  if (carried_.size() > static_cast<size_t>(most)) BeginAt(begin_);
}

}  // namespace specinfer
