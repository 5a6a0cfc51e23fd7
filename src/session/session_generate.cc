// The part of Session that answers: start, step, cancel.
#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/clock.h"
#include "src/base/scalar_math.h"
#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/session/session.h"

namespace specinfer {
namespace {

constexpr size_t kMaxBiases = 1024;
constexpr int32_t kMaxAlternatives = 64;

absl::Status CheckNumber(std::string_view name, double value, double minimum,
                         double maximum) {
  if (value >= minimum && value <= maximum) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat(name, " is ", value, ", must be from ", minimum, " to ", maximum));
}

}  // namespace

absl::Status Session::CheckOptions(const GenerationOptions& options) const {
  const SamplingOptions& sampling = options.sampling;
  const std::pair<std::string_view, std::array<double, 3>> numbers[] = {
      {"max_tokens", {static_cast<double>(options.max_tokens), 0, 1 << 30}},
      {"temperature", {sampling.temperature, 0, 100}},
      {"top_p", {sampling.top_p, 0, 1}},
      {"min_p", {sampling.min_p, 0, 1}},
      {"top_k", {static_cast<double>(sampling.top_k), 0, 1 << 30}},
      {"repetition_penalty", {sampling.repetition_penalty, 1e-3, 1e3}},
      {"frequency_penalty", {sampling.frequency_penalty, -1e3, 1e3}},
      {"presence_penalty", {sampling.presence_penalty, -1e3, 1e3}},
      {"penalty_window",
       {static_cast<double>(sampling.penalty_window), 0, 1 << 30}},
      {"dry_multiplier", {sampling.dry_multiplier, 0, 1e3}},
      {"dry_base", {sampling.dry_base, 1, 1e3}},
      {"dry_allowed_length",
       {static_cast<double>(sampling.dry_allowed_length), 1, 1 << 30}},
      {"dry_window", {static_cast<double>(sampling.dry_window), 0, 1 << 30}},
      {"num_logit_biases",
       {static_cast<double>(sampling.logit_biases.size()), 0, kMaxBiases}},
      {"num_top_log_probabilities",
       {static_cast<double>(options.num_top_log_probabilities), 0,
        kMaxAlternatives}},
  };
  for (const auto& [name, bounds] : numbers) {
    SPECINFER_RETURN_IF_ERROR(
        CheckNumber(name, bounds[0], bounds[1], bounds[2]));
  }
  for (const LogitBias& bias : sampling.logit_biases) {
    if (bias.token < 0 ||
        bias.token >= model_->architecture().vocabulary_size ||
        std::isnan(bias.bias)) {
      return absl::InvalidArgumentError(
          Cat("logit bias of token ", bias.token,
              ": not in the vocabulary, or not a number"));
    }
  }
  const int32_t strategy = static_cast<int32_t>(options.strategy);
  if (strategy < 0 || strategy >= static_cast<int32_t>(kNumStrategies))
    return absl::InvalidArgumentError(
        Cat("strategy ", strategy, " is not known"));
  const int32_t verifier = static_cast<int32_t>(options.verifier);
  if (verifier < 0 ||
      verifier > static_cast<int32_t>(Verifier::kWithoutReplacement)) {
    return absl::InvalidArgumentError(
        Cat("verifier ", verifier, " is not known"));
  }
  if ((options.strategy == Strategy::kDraft ||
       options.strategy == Strategy::kTree) &&
      options_.draft_model == nullptr) {
    return absl::FailedPreconditionError(
        "this strategy needs a draft model: create the session with one");
  }
  return absl::OkStatus();
}

absl::Status Session::Start(const GenerationOptions& options) {
  SPECINFER_RETURN_IF_ERROR(CheckOptions(options));
  AbandonRound();  // drafters may be added between rounds only
  SPECINFER_RETURN_IF_ERROR(AllowDrafts(options));
  AbandonAnswer();
  Conversation conversation = conversation_;
  SPECINFER_RETURN_IF_ERROR(TakeAnswer(&conversation));
  if (!conversation.empty() && !conversation.EndsWithAnswer()) {
    const int32_t quarter = options_.max_context_tokens / 4;
    const int32_t num_reserved = options.max_tokens > 0
                                     ? std::min(options.max_tokens, quarter)
                                     : quarter;
    SPECINFER_RETURN_IF_ERROR(Render(std::move(conversation),
                                     /*add_generation_prompt=*/true,
                                     static_cast<size_t>(num_reserved)));
    is_chat_answer_ = true;
    chat_answer_start_ = tokens_.size();
  }
  return Begin(options);
}

absl::Status Session::Regenerate(const GenerationOptions& options) {
  SPECINFER_RETURN_IF_ERROR(CheckOptions(options));
  if (!has_answer_)
    return absl::FailedPreconditionError(
        "there is no answer to take back; start one first");
  AbandonRound();
  SPECINFER_RETURN_IF_ERROR(AllowDrafts(options));
  AbandonAnswer();
  tokens_.resize(answer_start_);
  sequence_->Truncate(static_cast<int32_t>(answer_start_));
  speculation_->Rollback(answer_start_);
  ++stream_offset_;
  return Begin(options);
}

absl::Status Session::Begin(const GenerationOptions& options) {
  if (tokens_.empty()) {
    return absl::FailedPreconditionError(
        "the session is empty; append text, tokens or a message first");
  }
  generation_ = options;
  generation_.sampling.stream += stream_offset_;
  generation_.sampling.dry_breakers = model_->dry_breakers();
  sampler_ = std::make_unique<Sampler>(
      generation_.sampling, options.ignore_end ? model_->endless_tokens()
                                               : model_->samplable_tokens());
  SPECINFER_RETURN_IF_ERROR(PrepareDrafters());
  // The last token is the root of the first round: it is fed again where the
  // cache holds it already.
  sequence_->Truncate(std::min(sequence_->num_committed(),
                               static_cast<int32_t>(tokens_.size()) - 1));
  answer_.Reset(options.stop_strings, options.banned_strings);
  detokenizer_.Reset();
  bans_.clear();
  log_probabilities_.clear();
  alternatives_.clear();
  num_shown_bytes_ = 0;
  num_shown_tokens_ = 0;
  num_prompt_tokens_ =
      static_cast<int32_t>(tokens_.size()) - 1 - sequence_->num_committed();
  num_prefilled_ = 0;
  finish_ = specinfer::Finish::kNone;
  answer_start_ = tokens_.size();
  has_answer_ = true;
  is_answering_ = true;
  is_cancelled_.store(false, std::memory_order_relaxed);
  return absl::OkStatus();
}

void Session::Cancel() { is_cancelled_.store(true, std::memory_order_relaxed); }

absl::StatusOr<Event> Session::Step(int64_t max_us) {
  if (!pending_.ok()) {
    const absl::Status status = std::exchange(pending_, absl::OkStatus());
    AbandonAnswer();
    return status;
  }
  if (!is_answering_)
    return absl::FailedPreconditionError(
        "no answer is in progress; start one first");
  event_text_.clear();
  event_tokens_.clear();
  const int64_t deadline_us = max_us > 0 ? NowMicros() + max_us : kNoDeadline;
  const PassControl control = MakeControl(deadline_us);
  absl::Status status;
  do {
    status = Advance(control);
  } while (status.ok() && is_answering_ && max_us > 0 &&
           NowMicros() < deadline_us);
  ShowSettled();

  const bool has_news = !event_text_.empty() || !event_tokens_.empty();
  if (!status.ok() && !absl::IsDeadlineExceeded(status)) {
    AbandonRound();
    if (!has_news) {
      AbandonAnswer();
      return status;
    }
    pending_ =
        status;  // what was generated before the error is handed over first
  }
  Event event;
  event.state = !is_answering_ ? StepState::kDone
                : has_news     ? StepState::kTokens
                               : StepState::kMore;
  event.finish = finish_;
  event.text = event_text_;
  event.tokens = event_tokens_;
  event.num_prefilled_tokens = num_prefilled_;
  event.num_prompt_tokens = num_prompt_tokens_;
  return event;
}

absl::Status Session::Advance(const PassControl& control) {
  const int64_t start_us = control.WorkMicros();
  if (sequence_->num_committed() + 1 < static_cast<int32_t>(tokens_.size())) {
    const absl::StatusOr<int32_t> num_fed = PrefillChunk(control);
    statistics_.prefill_us +=
        static_cast<uint64_t>(control.WorkMicros() - start_us);
    SPECINFER_RETURN_IF_ERROR(num_fed.status());
    statistics_.num_prefilled_tokens += static_cast<uint64_t>(*num_fed);
    num_prefilled_ = std::min(num_prompt_tokens_, num_prefilled_ + *num_fed);
    return absl::OkStatus();
  }
  if (static_cast<int32_t>(tokens_.size()) >= options_.max_context_tokens) {
    SPECINFER_ASSIGN_OR_RETURN(const bool has_room, MakeRoom());
    if (!has_room) Finish(specinfer::Finish::kContext);
    return absl::OkStatus();
  }
  PrepareLane();
  Lane* const lanes[] = {&lane_};
  const int32_t num_context_tokens = sequence_->num_committed();
  const absl::Status status = generator_->Round(lanes, control);
  statistics_.decode_us +=
      static_cast<uint64_t>(control.WorkMicros() - start_us);
  SPECINFER_RETURN_IF_ERROR(status);
  ++statistics_.num_rounds;
  if (round_observer_) ReportRound(num_context_tokens);
  return TakeWalk(control);
}

// A round adds the tokens of a path and one more: no more than the context and
// the answer have room for.
void Session::PrepareLane() {
  lane_.sequence = sequence_.get();
  lane_.speculation = speculation_.get();
  lane_.text = tokens_;
  lane_.sampler = sampler_.get();
  banned_here_.clear();
  for (const Ban& ban : bans_) {
    if (ban.position == tokens_.size()) banned_here_.push_back(ban.token);
  }
  lane_.banned = banned_here_;
  int32_t room =
      options_.max_context_tokens - static_cast<int32_t>(tokens_.size());
  lane_.num_tokens_left = 0;
  if (generation_.max_tokens > 0) {
    lane_.num_tokens_left =
        generation_.max_tokens - static_cast<int32_t>(answer_.num_tokens());
    room = std::min(room, lane_.num_tokens_left);
  }
  lane_.max_depth = room - 1;
  // A sampled draft would draw there what it drew before, and its refusal would
  // not leave the law of the other tokens; plain decoding does.
  if (!banned_here_.empty() &&
      generation_.EffectiveVerifier() != Verifier::kMatch)
    lane_.max_depth = 0;
}

void Session::ReportRound(int32_t num_context_tokens) const {
  round_observer_({lane_.proposal.tree(), lane_.walk, lane_.times,
                   speculation_->plan(), num_context_tokens,
                   lane_.times.start_us - created_us_});
}

absl::Status Session::TakeWalk(const PassControl& control) {
  absl::Status status;
  const size_t num_expected = tokens_.size() + lane_.walk.tokens.size();
  for (size_t i = 0; i < lane_.walk.tokens.size(); ++i) {
    const absl::StatusOr<bool> goes_on =
        TakeToken(lane_.walk.tokens[i], lane_.walk.nodes[i], control);
    status = goes_on.status();
    if (!goes_on.ok() || !*goes_on) break;
  }
  // What the walk had after that is void; the next root is not in the cache.
  sequence_->Truncate(std::min(sequence_->num_committed(),
                               static_cast<int32_t>(tokens_.size()) - 1));
  if (tokens_.size() != num_expected) speculation_->Rollback(tokens_.size());
  return status;
}

absl::StatusOr<bool> Session::TakeToken(Token token, int32_t node,
                                        const PassControl& control) {
  if (model_->tokenizer().IsEndOfGeneration(token)) {
    Finish(specinfer::Finish::kEnd);
    return false;
  }
  if (generation_.wants_log_probabilities ||
      generation_.num_top_log_probabilities > 0) {
    SPECINFER_RETURN_IF_ERROR(AddLogProbability(token, node, control));
  }
  tokens_.push_back(token);
  ++statistics_.num_generated_tokens;
  answer_.Append(model_->tokenizer().TokenBytes(token, /*show_special=*/false));
  if (TakeBack()) return false;
  const size_t stop = answer_.FindStop();
  if (stop != AnswerText::kNone) {
    tokens_.resize(answer_start_ + answer_.TokensWithin(stop));
    answer_.EndAt(stop);
    Finish(specinfer::Finish::kStopString);
    return false;
  }
  if (generation_.max_tokens > 0 &&
      answer_.num_tokens() >= static_cast<size_t>(generation_.max_tokens)) {
    Finish(specinfer::Finish::kMaxTokens);
    return false;
  }
  return true;
}

bool Session::TakeBack() {
  const size_t match = answer_.FindBanned();
  if (match == AnswerText::kNone) return false;
  const size_t index = answer_.TokenAt(match);
  const size_t position = answer_start_ + index;
  while (!bans_.empty() && bans_.back().position > position) bans_.pop_back();
  bans_.push_back({position, tokens_[position]});
  tokens_.resize(position);
  answer_.Truncate(index);
  if (!log_probabilities_.empty()) log_probabilities_.resize(index);
  alternatives_.resize(std::min(
      alternatives_.size(),
      index * static_cast<size_t>(generation_.num_top_log_probabilities)));
  return true;
}

// Asked apart from the round: the model's own law, without penalties, biases
// and cuts.
absl::Status Session::AddLogProbability(Token token, int32_t node,
                                        const PassControl& control) {
  const size_t num_top =
      static_cast<size_t>(generation_.num_top_log_probabilities);
  top_.resize(std::max<size_t>(num_top, 1));
  double log_sum_exp = 0.0;
  float score = 0.0f;
  const HeadQuery query = {.row = node,
                           .allowed = model_->samplable_tokens(),
                           .top = absl::MakeSpan(top_),
                           .log_sum_exp = &log_sum_exp,
                           .score_token = token,
                           .score = &score};
  SPECINFER_RETURN_IF_ERROR(
      generator_->Ask({&query, 1}, {.is_cancelled = control.is_cancelled}));
  log_probabilities_.push_back(static_cast<float>(score - log_sum_exp));
  for (size_t i = 0; i < num_top; ++i) {
    alternatives_.push_back(
        {top_[i].token, static_cast<float>(top_[i].logit - log_sum_exp)});
  }
  return absl::OkStatus();
}

void Session::Finish(specinfer::Finish finish) {
  finish_ = finish;
  is_answering_ = false;
  expected_output_.clear();
  model_->KeepTimes();
  if (options_.draft_model != nullptr) options_.draft_model->KeepTimes();
  if (learns_corpus_) {
    // A corpus that is full of memory or refuses a token learns less.
    corpus_->Add(absl::MakeConstSpan(tokens_).subspan(answer_start_))
        .IgnoreError();
  }
}

void Session::ShowSettled() {
  const bool is_done = !is_answering_;
  const size_t num_bytes = answer_.SettledBytes(is_done);
  if (num_bytes > num_shown_bytes_) {
    detokenizer_.AppendBytes(
        answer_.bytes().substr(num_shown_bytes_, num_bytes - num_shown_bytes_),
        &event_text_);
    num_shown_bytes_ = num_bytes;
  }
  if (is_done) detokenizer_.Flush(&event_text_);
  const size_t num_tokens =
      std::min(answer_.TokensWithin(num_bytes), tokens_.size() - answer_start_);
  const size_t num_top =
      static_cast<size_t>(generation_.num_top_log_probabilities);
  for (; num_shown_tokens_ < num_tokens; ++num_shown_tokens_) {
    GeneratedToken& shown = event_tokens_.emplace_back();
    shown.token = tokens_[answer_start_ + num_shown_tokens_];
    if (!log_probabilities_.empty())
      shown.log_probability = log_probabilities_[num_shown_tokens_];
    shown.alternatives = absl::MakeConstSpan(alternatives_)
                             .subspan(num_shown_tokens_ * num_top, num_top);
  }
}

}  // namespace specinfer
