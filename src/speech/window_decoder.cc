#include "src/speech/window_decoder.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "src/base/status_macros.h"
#include "src/speech/compression_ratio.h"
#include "src/speech/window_segments.h"

namespace specinfer {
namespace {

// Rows of a pass, and nodes of a tree: a prompt is read in few passes, and a
// whole sentence that was expected is checked in one.
constexpr int32_t kMaxRows = 64;
// Of a window, before any was heard; then the mean, faded.
constexpr double kUsualTokens = 48.0;
constexpr double kUsualStep = 0.25;
constexpr int32_t kLeastLeft = 8;

std::string_view TrimSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

WindowDecoder::WindowDecoder(std::shared_ptr<const Model> model,
                             SpeechTokens tokens,
                             const FallbackOptions& fallback,
                             const RepetitionGuardOptions& guard)
    : model_(std::move(model)),
      tokens_(std::move(tokens)),
      rules_(tokens_, {}),
      plain_rules_(tokens_, {.has_timestamps = false}),
      chooser_(kMaxRows),
      lane_(kMaxRows),
      fallback_(fallback),
      guard_(tokens_, guard, model_->architecture().max_context),
      aligner_(*model_, tokens_),
      usual_tokens_(kUsualTokens) {}

absl::StatusOr<std::unique_ptr<WindowDecoder>> WindowDecoder::Create(
    std::shared_ptr<const Model> model, const FallbackOptions& fallback,
    const RepetitionGuardOptions& guard) {
  if (!model->architecture().has_encoder()) {
    return absl::FailedPreconditionError(ModelMessage(
        model->file().path(), "architecture \"", model->architecture().name,
        "\" hears nothing; a transcriber needs a model of speech"));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      SpeechTokens tokens,
      SpeechTokens::Create(model->tokenizer(),
                           model->architecture().vocabulary_size));
  std::unique_ptr<WindowDecoder> decoder(
      new WindowDecoder(std::move(model), std::move(tokens), fallback, guard));
  SPECINFER_RETURN_IF_ERROR(decoder->Allocate());
  return decoder;
}

absl::Status WindowDecoder::Allocate() {
  const Architecture& architecture = model_->architecture();
  Backend& backend = *model_->engine().backend;
  // Whoever keeps the weights as they are wants exact attention as well: words
  // then begin where they do by float arithmetic.
  const CacheType cache_type =
      model_->is_requantized() ? CacheType::kQ8 : CacheType::kF16;
  SPECINFER_ASSIGN_OR_RETURN(
      encoder_, Encoder::Create(backend, architecture, model_->weights(),
                                /*max_windows=*/1, cache_type));
  SPECINFER_ASSIGN_OR_RETURN(generator_, Generator::Create(*model_, kMaxRows));
  SPECINFER_ASSIGN_OR_RETURN(
      sequence_, Sequence::Create(backend, model_->cache_layout(),
                                  architecture.max_context, kMaxRows));
  SPECINFER_ASSIGN_OR_RETURN(
      memory_, Sequence::Create(backend, model_->cache_layout(cache_type),
                                architecture.encoder.max_positions,
                                architecture.encoder.max_positions));
  sequence_->Bind(memory_);
  SPECINFER_RETURN_IF_ERROR(UseDraftModel(nullptr));
  lane_.sequence = sequence_.get();
  lane_.chooser = &chooser_;
  text_.reserve(static_cast<size_t>(architecture.max_context) + kMaxRows);
  return absl::OkStatus();
}

absl::Status WindowDecoder::UseDraftModel(std::shared_ptr<const Model> draft) {
  SPECINFER_ASSIGN_OR_RETURN(
      drafters_, SpeechDrafters::Create(*model_, tokens_, std::move(draft),
                                        sequence_, kMaxRows));
  return absl::OkStatus();
}

absl::Status WindowDecoder::Encode(absl::Span<const float> mel,
                                   const PassControl& control) {
  const int64_t start_us = control.WorkMicros();
  if (!encoder_->is_paused()) times_ = {};
  const EncoderWindow window = {.mel = mel, .memory = memory_.get()};
  const absl::Status status = encoder_->Encode({&window, 1}, control);
  times_.encode_us += control.WorkMicros() - start_us;
  if (status.ok())
    drafters_->Hear(mel, static_cast<double>(times_.encode_us) * 1e-6);
  return status;
}

void WindowDecoder::Abandon() {
  encoder_->Abandon();
  generator_->Abandon();
  lane_.is_drafting = false;
  stage_ = Stage::kNone;
}

absl::StatusOr<const Language*> WindowDecoder::DetectLanguage(
    float* probability, const PassControl& control) {
  if (!tokens_.is_multilingual()) return nullptr;
  std::vector<uint64_t> allowed(
      static_cast<size_t>(tokens_.vocabulary_size() + 63) / 64);
  for (const LanguageToken& language : tokens_.languages())
    allowed[static_cast<size_t>(language.token) / 64] |=
        uint64_t{1} << (language.token % 64);
  Candidate best;
  double log_sum_exp = 0.0;
  const HeadQuery query = {.allowed = allowed,
                           .top = absl::MakeSpan(&best, 1),
                           .log_sum_exp = &log_sum_exp};
  const int32_t row = 0;
  const Token start = tokens_.start_of_transcript();
  if (stage_ != Stage::kLanguage) sequence_->Truncate(0);
  const absl::Status status = generator_->ForwardUncommitted(
      *sequence_, {&start, 1},
      {.rows = {&row, 1}, .queries = absl::MakeConstSpan(&query, 1)}, control);
  stage_ = absl::IsDeadlineExceeded(status) ? Stage::kLanguage : Stage::kNone;
  SPECINFER_RETURN_IF_ERROR(status);
  if (best.token < 0) {
    return absl::FailedPreconditionError(
        "no language can be told: the model's logits are not numbers");
  }
  *probability = static_cast<float>(std::exp(double{best.logit} - log_sum_exp));
  return tokens_.FindTokenLanguage(best.token);
}

absl::StatusOr<const DecodedWindow*> WindowDecoder::Decode(
    const WindowRequest& request, const PassControl& control) {
  const int64_t start_us = control.WorkMicros();
  const absl::Status status = Advance(request, control);
  times_.decode_us += control.WorkMicros() - start_us;
  if (absl::IsDeadlineExceeded(status)) return status;
  Abandon();
  SPECINFER_RETURN_IF_ERROR(status);
  return &fallback_.result();
}

absl::Status WindowDecoder::Advance(const WindowRequest& request,
                                    const PassControl& control) {
  if (stage_ == Stage::kNone) {
    SPECINFER_RETURN_IF_ERROR(BeginWindow(request));
    stage_ = Stage::kPrompt;
  }
  if (stage_ == Stage::kPrompt) {
    SPECINFER_RETURN_IF_ERROR(ReadPrompt(control));
    stage_ = Stage::kBetweenTries;
  }
  while (const std::optional<float> temperature = fallback_.NextTemperature()) {
    if (stage_ == Stage::kBetweenTries) {
      BeginTry(request, *temperature);
      stage_ = Stage::kTry;
    }
    SPECINFER_RETURN_IF_ERROR(RunTry(control));
    EndTry();
    fallback_.Add(decoded_);
    stage_ = Stage::kBetweenTries;
    if (request.tries_once && fallback_.candidate() == 0) break;
  }
  return absl::OkStatus();
}

absl::Status WindowDecoder::CheckStrategy(Strategy strategy) const {
  const bool needs_model =
      strategy == Strategy::kDraft || strategy == Strategy::kTree;
  if (!needs_model || drafters_->has_model()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "this strategy guesses with a smaller model of speech, and the "
      "transcriber has none; call specinfer_transcriber_use_draft_model");
}

absl::Status WindowDecoder::BeginWindow(const WindowRequest& request) {
  SPECINFER_RETURN_IF_ERROR(CheckStrategy(request.strategy));
  prompt_ = MakeSpeechPrompt(tokens_, request.prompt,
                             model_->architecture().max_context);
  sequence_->Truncate(0);
  fallback_.Begin(request.best_of);
  return drafters_->BeginText(request.expected, request.strategy);
}

// Where <|startoftranscript|> is the last token of the prompt, it is fed to be
// asked and then taken back.
absl::Status WindowDecoder::ReadPrompt(const PassControl& control) {
  const int32_t num_fed = static_cast<int32_t>(prompt_.tokens.size()) - 1;
  const int32_t start = prompt_.start_index;
  while (sequence_->num_committed() < std::max(num_fed, start + 1)) {
    const int32_t first = sequence_->num_committed();
    const int32_t last =
        std::min(std::max(num_fed, start + 1), first + kMaxRows);
    const absl::Span<const Token> nodes =
        absl::MakeConstSpan(prompt_.tokens)
            .subspan(static_cast<size_t>(first),
                     static_cast<size_t>(last - first));
    const int32_t row = start - first;
    const HeadQuery query = {.log_sum_exp = &start_log_sum_exp_,
                             .score_token = tokens_.no_speech(),
                             .score = &no_speech_score_};
    ForwardAnswer answer;
    if (start >= first && start < last) {
      answer.rows = {&row, 1};
      answer.queries = absl::MakeConstSpan(&query, 1);
    }
    SPECINFER_RETURN_IF_ERROR(
        generator_->Forward(*sequence_, nodes, answer, control));
  }
  sequence_->Truncate(num_fed);
  decoded_.no_speech_probability = static_cast<float>(
      std::exp(double{no_speech_score_} - start_log_sum_exp_));
  return absl::OkStatus();
}

absl::StatusOr<TokenTimes> WindowDecoder::Align(const AlignmentRequest& request,
                                                const PassControl& control) {
  PassControl whole = control;
  whole.deadline_us = kNoDeadline;
  const int64_t start_us = control.WorkMicros();
  absl::StatusOr<TokenTimes> times =
      aligner_.Align(request, *generator_, *sequence_, whole);
  times_.decode_us += control.WorkMicros() - start_us;
  return times;
}

void WindowDecoder::BeginTry(const WindowRequest& request, float temperature) {
  max_sampled_ =
      std::min(request.max_tokens,
               MaxSampledTokens(prompt_, model_->architecture().max_context));
  const TimestampRules& rules =
      request.prompt.has_timestamps ? rules_ : plain_rules_;
  const SpeechSampling sampling = {
      .temperature = temperature,
      .seed = request.seed,
      .stream = CandidateStream(request.stream, fallback_.candidate())};
  sequence_->Truncate(static_cast<int32_t>(prompt_.tokens.size()) - 1);
  text_.assign(prompt_.tokens.begin(), prompt_.tokens.end());
  chooser_.Begin(rules, rules.Begin(prompt_), sampling, request.hotwords,
                 absl::MakeConstSpan(prompt_.tokens)
                     .last(static_cast<size_t>(prompt_.num_prefix)));
  guard_.Begin();
  decoded_.tokens.assign(prompt_.tokens.end() - prompt_.num_prefix,
                         prompt_.tokens.end());
  decoded_.temperature = temperature;
  decoded_.is_loop = false;
  has_ended_ = false;
  num_sampled_ = 0;
  lane_.speculation = drafters_->BeginTry({.temperature = temperature,
                                           .seed = request.seed,
                                           .stream = sampling.stream});
}

absl::Status WindowDecoder::RunTry(const PassControl& control) {
  while (!has_ended_ && num_sampled_ < max_sampled_) {
    lane_.text = text_;
    lane_.max_depth =
        std::min(max_sampled_ - num_sampled_,
                 sequence_->max_positions() - sequence_->num_committed()) -
        1;
    lane_.num_tokens_left = std::max(
        kLeastLeft, static_cast<int32_t>(usual_tokens_) - num_sampled_);
    Lane* const lane = &lane_;
    SPECINFER_RETURN_IF_ERROR(generator_->Round({&lane, 1}, control));
    ++times_.num_rounds;
    TakeTokens(lane_.walk);
  }
  return absl::OkStatus();
}

void WindowDecoder::EndTry() {
  times_.num_tokens += num_sampled_;
  usual_tokens_ += kUsualStep * (num_sampled_ - usual_tokens_);
  // What was sampled before was judged then.
  const absl::Span<const Token> judged =
      absl::MakeConstSpan(decoded_.tokens)
          .subspan(prompt_.prefix_is_sampled
                       ? static_cast<size_t>(prompt_.num_prefix)
                       : 0);
  decoded_.average_log_probability = static_cast<float>(
      chooser_.log_probability() / (static_cast<double>(judged.size()) + 1.0));
  decoded_.compression_ratio = CompressionRatio(
      TrimSpace(SpeechText(tokens_, model_->tokenizer(), judged)));
}

// What follows the end in a burst was never said.
void WindowDecoder::TakeTokens(const Walk& walk) {
  for (size_t i = 0; i < walk.tokens.size(); ++i) {
    const Token token = walk.tokens[i];
    size_t num_kept = 0;
    if (chooser_.Accept(walk.nodes[i], token, &num_kept)) {
      GoBack(num_kept);
      return;
    }
    ++num_sampled_;
    if (token == tokens_.end_of_text()) {
      has_ended_ = true;
      return;
    }
    text_.push_back(token);
    decoded_.tokens.push_back(token);
    if (guard_.Append(token)) {
      decoded_.is_loop = true;
      has_ended_ = true;
      return;
    }
  }
}

void WindowDecoder::GoBack(size_t num_kept) {
  text_.resize(num_kept);
  sequence_->Truncate(static_cast<int32_t>(num_kept) - 1);
  if (lane_.speculation != nullptr) lane_.speculation->Rollback(num_kept);
  const size_t num_sampled = num_kept - prompt_.tokens.size();
  num_sampled_ = static_cast<int32_t>(num_sampled);
  decoded_.tokens.resize(static_cast<size_t>(prompt_.num_prefix) + num_sampled);
  guard_.Begin();
  for (const Token token : absl::MakeConstSpan(text_).last(num_sampled))
    guard_.Append(token);
}

}  // namespace specinfer
