// A text that grows: content, conversation, generation in steps, cancel. The C
// API's session, in C++.
#ifndef SPECINFER_SRC_SESSION_SESSION_H_
#define SPECINFER_SRC_SESSION_SESSION_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/clock.h"
#include "src/forward/pass_cost.h"
#include "src/session/answer_text.h"
#include "src/session/conversation.h"
#include "src/session/generation.h"
#include "src/session/generator.h"
#include "src/session/model.h"
#include "src/speculate/corpus.h"
#include "src/speculate/expected_drafter.h"
#include "src/speculate/ngram_drafter.h"
#include "src/speculate/speculation.h"
#include "src/text/detokenizer.h"

namespace specinfer {

struct SessionOptions {
  int32_t max_context_tokens = 0;    // 0: the model's own limit, at most 4,096
  bool drop_old_turns = false;       // else a full context is an error
  int32_t prefill_chunk_tokens = 0;  // 0: 128
  CacheType cache_type = CacheType::kF16;
  int32_t max_tree_nodes = 0;                // 0: 64
  std::shared_ptr<const Model> draft_model;  // may be null
  Urgency urgency = Urgency::kOrdinary;      // of all passes
};

struct TextFlags {
  bool parse_special = false;
  bool add_bos = false;
};

struct SessionStatistics {
  int32_t num_context_tokens = 0;
  int32_t max_context_tokens = 0;
  int32_t num_cached_tokens = 0;
  uint64_t num_dropped_turns = 0;
  uint64_t num_dropped_tokens = 0;
  uint64_t num_prefilled_tokens = 0;
  uint64_t num_reused_tokens = 0;
  uint64_t num_generated_tokens = 0;
  uint64_t num_rounds = 0;
  uint64_t prefill_us = 0;
  uint64_t decode_us = 0;
  uint64_t cache_bytes = 0;
};

struct PassMeasurement {
  PassShape shape;
  int64_t duration_us = 0;
};

// A round, for those who watch. Borrowed during the call.
struct RoundReport {
  const TokenTree& tree;
  const Walk& walk;
  const RoundTimes& times;
  const Plan& plan;
  int32_t num_context_tokens;  // before the round
  int64_t start_us;            // since the session was created
};
using RoundObserver = std::function<void(const RoundReport&)>;

enum class Pooling : int32_t { kMean = 0, kLast = 1, kNone = 2 };

// One thread at a time, except Cancel. Every function leaves the session
// usable; one that fails leaves the content as it was, or at the last commit
// where it says so.
class Session {
 public:
  static absl::StatusOr<std::unique_ptr<Session>> Create(
      std::shared_ptr<const Model> model, const SessionOptions& options);

  // ---- Content ----
  absl::Status AppendText(std::string_view text, TextFlags flags);
  absl::Status AppendTokens(absl::Span<const Token> tokens);
  absl::Status AppendMessage(std::string_view role, std::string_view content);
  absl::Status AppendMessagesJson(std::string_view json);
  absl::Status SetChatOptions(std::string_view tools_json,
                              std::string_view variables_json);
  // Both return how many tokens were kept.
  absl::StatusOr<size_t> SetPrompt(std::string_view text, TextFlags flags);
  absl::StatusOr<size_t> SetPromptTokens(absl::Span<const Token> tokens);
  absl::StatusOr<size_t> SetFillInMiddle(std::string_view prefix,
                                         std::string_view suffix);
  absl::Status SetExpectedOutput(std::string_view text);
  absl::Status Truncate(size_t num_tokens);
  absl::StatusOr<std::unique_ptr<Session>> Fork();
  absl::Status Save(
      absl::FunctionRef<bool(const void* data, size_t num_bytes)> write);
  absl::Status Restore(absl::Span<const uint8_t> bytes);
  absl::Span<const Token> tokens() const { return tokens_; }

  // ---- Generation ----
  absl::Status Start(const GenerationOptions& options);
  absl::Status Regenerate(const GenerationOptions& options);
  // Works until about `max_us` from now (0: one round). The event's memory is
  // the session's until the next call.
  absl::StatusOr<Event> Step(int64_t max_us);
  // Any thread, any time.
  void Cancel();

  // ---- Questions about the model that leave the content as it is ----
  absl::Status ScoreTokens(absl::Span<const Token> tokens,
                           absl::Span<float> log_probabilities);
  absl::StatusOr<std::vector<float>> Embed(std::string_view text,
                                           TextFlags flags, Pooling pooling,
                                           bool normalize);

  // What a pass of `shape` costs at the least.
  // Errors: INVALID_ARGUMENT.
  absl::StatusOr<PassCost> PlanPass(const PassShape& shape) const;
  // Runs one pass of `num_rows` rows behind the content, with an arg-max for
  // the last `num_answer_rows`, and forgets it. Content that is not in the
  // cache is prefilled first, untimed.
  // Errors: INVALID_ARGUMENT, CANCELLED, RESOURCE_EXHAUSTED.
  absl::StatusOr<PassMeasurement> MeasurePass(int32_t num_rows,
                                              int32_t num_answer_rows);

  SessionStatistics statistics() const;
  const SpeculationStatistics& speculation_statistics() const {
    return speculation_->statistics();
  }
  // Guesses from `corpus` too; null: no longer. `learns`: finished answers are
  // added to it.
  // REQUIRES: it is of the model's vocabulary.
  void SetCorpus(std::shared_ptr<Corpus> corpus, bool learns);
  // One more to draft, asked after those there are.
  void AddDrafter(std::unique_ptr<Drafter> drafter, DrafterKind kind) {
    speculation_->AddDrafter(std::move(drafter), kind);
  }
  // Called after each round; empty: nobody.
  void SetRoundObserver(RoundObserver observer) {
    round_observer_ = std::move(observer);
  }
  static uint64_t PlanBytes(const Backend& backend,
                            const Architecture& architecture,
                            const CacheLayout& layout, int32_t context_tokens);
  const Model& model() const { return *model_; }
  const CacheLayout& cache_layout() const {
    return model_->cache_layout(options_.cache_type);
  }

 private:
  Session(std::shared_ptr<const Model> model, const SessionOptions& options);
  int32_t max_rows() const {
    return std::max(options_.prefill_chunk_tokens, options_.max_tree_nodes);
  }

  // ---- Drafters (session_drafters.cc) ----
  absl::Status CreateDrafters();
  absl::Status AddFreeDrafters();
  void FindFreeDrafters();
  absl::Status AddModelDrafter();
  absl::Status AddEarlyExit();
  absl::Status ForkDrafters(const Session& from);
  // Makes what an answer with these options drafts with, unless it is there:
  // its memory is not free.
  absl::Status AllowDrafts(const GenerationOptions& options);
  absl::Status AllowSampledDrafts(const GenerationOptions& options);
  // Before the first round of an answer.
  absl::Status PrepareDrafters();
  SpeculationRequest MakeSpeculationRequest() const;

  // ---- Content ----
  absl::StatusOr<std::vector<Token>> Tokenize(std::string_view text,
                                              TextFlags flags) const;
  // Makes `tokens` the content, keeping the cache up to where they differ from
  // what was there. Returns how many.
  size_t ReplaceTokens(std::vector<Token> tokens);
  absl::Status CheckRoom(size_t num_tokens) const;
  void AbandonAnswer();
  // Of every pass but short questions about the last one.
  PassControl MakeControl(int64_t deadline_us = kNoDeadline) {
    return {.deadline_us = deadline_us,
            .is_cancelled = &is_cancelled_,
            .turn = &turn_};
  }
  // Gives up a round that stopped in the middle, its draft included.
  void AbandonRound();
  void ForgetConversation();

  // Whether a call failed for memory that drafts have now given back: it may be
  // made again.
  bool DraftsGaveWay(const absl::Status& status);
  // As Generator::Prefill and Forward, before what drafts hold.
  absl::StatusOr<int32_t> PrefillChunk(const PassControl& control);
  absl::Status ForwardChunk(Sequence& sequence, absl::Span<const Token> nodes,
                            const ForwardAnswer& answer,
                            const PassControl& control);
  // Prefills what the cache lacks of all tokens but the last.
  absl::Status PrefillContent(const PassControl& control);

  // ---- Conversation ----
  // Takes the tokens since the last answer began into `conversation` as the
  // assistant's message.
  absl::Status TakeAnswer(Conversation* conversation) const;
  // Makes the content the rendered `conversation`, dropping old turns where it
  // is too long and that is wanted.
  absl::Status Render(Conversation conversation, bool add_generation_prompt,
                      size_t num_reserved);
  absl::StatusOr<std::vector<Token>> RenderTokens(
      const Conversation& conversation, bool add_generation_prompt,
      std::string* rendered) const;
  // Drops old turns in the middle of an answer. False: there is none to drop.
  absl::StatusOr<bool> MakeRoom();

  // ---- Answer ----
  absl::Status CheckOptions(const GenerationOptions& options) const;
  absl::Status Begin(const GenerationOptions& options);
  // Does one prefill chunk or one round.
  absl::Status Advance(const PassControl& control);
  absl::Status TakeWalk(const PassControl& control);
  // False: the rest of the walk is void.
  absl::StatusOr<bool> TakeToken(Token token, int32_t node,
                                 const PassControl& control);
  void PrepareLane();
  void ReportRound(int32_t num_context_tokens) const;
  bool TakeBack();  // true: a banned string was found, and the tokens from its
                    // beginning are gone
  absl::Status AddLogProbability(Token token, int32_t node,
                                 const PassControl& control);
  void Finish(specinfer::Finish finish);
  void ShowSettled();

  const std::shared_ptr<const Model> model_;
  const SessionOptions options_;
  std::unique_ptr<Generator> generator_;
  std::unique_ptr<Sequence> sequence_;  // holds a prefix of tokens_
  std::vector<Token> tokens_;
  std::string expected_output_;

  Conversation conversation_;
  std::string rendered_;           // the text that tokens_ stand for from
                                   // conversation_start_ up to the answer
  size_t conversation_start_ = 0;  // first token of the conversation

  // The last answer, in progress or not: tokens_ from answer_start_ on.
  bool has_answer_ = false;
  bool is_answering_ = false;
  size_t answer_start_ = 0;
  // Tokens from chat_answer_start_ on will become the assistant's message; an
  // answer that was cancelled and started again goes on with the same one.
  bool is_chat_answer_ = false;
  size_t chat_answer_start_ = 0;
  GenerationOptions generation_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Speculation> speculation_;
  // Speculation owns them.
  NgramDrafter* ngram_drafter_ = nullptr;
  ExpectedDrafter* expected_drafter_ = nullptr;
  bool has_early_exit_ = false;
  std::shared_ptr<Corpus> corpus_;
  bool learns_corpus_ = false;
  RoundObserver round_observer_;
  const int64_t created_us_ = NowMicros();
  Lane lane_;
  AnswerText answer_;
  Detokenizer detokenizer_;
  struct Ban {
    size_t position;
    Token token;
  };
  std::vector<Ban> bans_;           // ascending position
  std::vector<Token> banned_here_;  // those of the next position
  uint64_t stream_offset_ = 0;      // changes on fork and regenerate, is saved
  uint64_t num_forks_ = 0;
  int32_t num_prompt_tokens_ = 0;
  int32_t num_prefilled_ = 0;
  size_t num_shown_bytes_ = 0;
  size_t num_shown_tokens_ = 0;
  absl::Status pending_;  // an error that waits until the event before it was
                          // handed over
  std::vector<float> log_probabilities_;  // of the answer's tokens
  std::vector<TokenLogProbability>
      alternatives_;  // num_top_log_probabilities for each
  std::vector<Candidate> top_;

  // What the last event points to.
  specinfer::Finish finish_ = specinfer::Finish::kNone;
  std::string event_text_;
  std::vector<GeneratedToken> event_tokens_;

  std::atomic<bool> is_cancelled_{false};
  Turn turn_;
  SessionStatistics statistics_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SESSION_SESSION_H_
