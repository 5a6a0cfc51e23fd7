#include "src/session/session.h"

#include <algorithm>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer {
namespace {

constexpr int32_t kDefaultContext = 4096;
constexpr int32_t kDefaultChunk = 128;
constexpr int32_t kMaxChunk = 512;
constexpr int32_t kDefaultTreeNodes = 64;
constexpr int32_t kMaxTreeNodes = 1024;

SessionOptions Resolve(SessionOptions options,
                       const Architecture& architecture) {
  if (options.max_context_tokens == 0)
    options.max_context_tokens =
        std::min(architecture.max_context, kDefaultContext);
  if (options.prefill_chunk_tokens == 0)
    options.prefill_chunk_tokens = kDefaultChunk;
  options.prefill_chunk_tokens =
      std::min(options.prefill_chunk_tokens, options.max_context_tokens);
  if (options.max_tree_nodes == 0) options.max_tree_nodes = kDefaultTreeNodes;
  options.max_tree_nodes =
      std::min(options.max_tree_nodes, options.max_context_tokens);
  return options;
}

}  // namespace

Session::Session(std::shared_ptr<const Model> model,
                 const SessionOptions& options)
    : model_(std::move(model)),
      options_(options),
      lane_(options.max_tree_nodes),
      detokenizer_(model_->tokenizer()),
      turn_(*model_->engine().turns, options.urgency) {}

absl::StatusOr<std::unique_ptr<Session>> Session::Create(
    std::shared_ptr<const Model> model, const SessionOptions& options) {
  const Architecture& architecture = model->architecture();
  if (architecture.has_encoder()) {
    return absl::FailedPreconditionError(
        Cat("a model of architecture \"", architecture.name,
            "\" writes down speech; a session needs a language model"));
  }
  if (options.max_context_tokens < 0 ||
      options.max_context_tokens > architecture.max_context) {
    return absl::InvalidArgumentError(
        Cat("max_context_tokens is ", options.max_context_tokens,
            ", this model's limit is ", architecture.max_context));
  }
  if (options.prefill_chunk_tokens < 0 ||
      options.prefill_chunk_tokens > kMaxChunk) {
    return absl::InvalidArgumentError(Cat("prefill_chunk_tokens is ",
                                          options.prefill_chunk_tokens,
                                          ", must be from 1 to ", kMaxChunk));
  }
  if (options.max_tree_nodes < 0 || options.max_tree_nodes > kMaxTreeNodes) {
    return absl::InvalidArgumentError(
        Cat("max_tree_nodes is ", options.max_tree_nodes,
            ", must be from 1 to ", kMaxTreeNodes));
  }
  const SessionOptions resolved = Resolve(options, architecture);
  std::unique_ptr<Session> session(new Session(std::move(model), resolved));
  SPECINFER_ASSIGN_OR_RETURN(
      session->generator_,
      Generator::Create(*session->model_, session->max_rows(),
                        resolved.cache_type));
  SPECINFER_ASSIGN_OR_RETURN(
      session->sequence_,
      Sequence::Create(*session->model_->engine().backend,
                       session->cache_layout(), resolved.max_context_tokens,
                       session->max_rows()));
  SPECINFER_RETURN_IF_ERROR(session->CreateDrafters());
  session->tokens_.reserve(static_cast<size_t>(resolved.max_context_tokens));
  session->statistics_.max_context_tokens = resolved.max_context_tokens;
  return session;
}

uint64_t Session::PlanBytes(const Backend& backend,
                            const Architecture& architecture,
                            const CacheLayout& layout, int32_t context_tokens) {
  const SessionOptions options =
      Resolve({.max_context_tokens = context_tokens}, architecture);
  const int32_t max_rows =
      std::max(options.prefill_chunk_tokens, options.max_tree_nodes);
  const int32_t num_slots = options.max_context_tokens + max_rows;
  return Decoder::PlanBytes(backend, architecture, max_rows, max_rows) +
         Sequence::PlanBytes(layout, num_slots) +
         NgramIndex::PlanBytes(options.max_context_tokens);
}

// ---- Content ----

absl::StatusOr<std::vector<Token>> Session::Tokenize(std::string_view text,
                                                     TextFlags flags) const {
  std::vector<Token> tokens;
  const Tokenizer& tokenizer = model_->tokenizer();
  if (flags.add_bos && tokenizer.adds_bos()) tokens.push_back(tokenizer.bos());
  SPECINFER_RETURN_IF_ERROR(
      tokenizer.Tokenize(text, flags.parse_special, &tokens));
  // A template may write the token that the vocabulary adds too.
  if (tokens.size() >= 2 && flags.add_bos && tokens[0] == tokens[1] &&
      tokens[0] == tokenizer.bos()) {
    tokens.erase(tokens.begin());
  }
  return tokens;
}

absl::Status Session::CheckRoom(size_t num_tokens) const {
  if (num_tokens <= static_cast<size_t>(options_.max_context_tokens))
    return absl::OkStatus();
  return absl::ResourceExhaustedError(
      Cat("the text would have ", num_tokens, " tokens, the context holds ",
          options_.max_context_tokens,
          "; shorten it or create the session with more"));
}

void Session::AbandonRound() {
  generator_->Abandon();
  lane_.is_drafting = false;
  speculation_->Rollback(tokens_.size());
}

void Session::AbandonAnswer() {
  AbandonRound();
  is_answering_ = false;
  pending_ = absl::OkStatus();
}

void Session::ForgetConversation() {
  conversation_.Clear();
  rendered_.clear();
  conversation_start_ = tokens_.size();
  has_answer_ = false;
  is_chat_answer_ = false;
}

size_t Session::ReplaceTokens(std::vector<Token> tokens) {
  AbandonAnswer();
  const size_t num_kept =
      static_cast<size_t>(std::mismatch(tokens.begin(), tokens.end(),
                                        tokens_.begin(), tokens_.end())
                              .first -
                          tokens.begin());
  const size_t num_cached =
      static_cast<size_t>(sequence_->Truncate(static_cast<int32_t>(num_kept)));
  speculation_->Rollback(num_kept);
  tokens_.assign(tokens.begin(), tokens.end());
  return std::min(num_cached, num_kept);
}

absl::Status Session::AppendTokens(absl::Span<const Token> tokens) {
  for (const Token token : tokens) {
    if (token < 0 || token >= model_->architecture().vocabulary_size) {
      return absl::OutOfRangeError(Cat("token ", token,
                                       " is not in this model's vocabulary of ",
                                       model_->architecture().vocabulary_size));
    }
  }
  SPECINFER_RETURN_IF_ERROR(CheckRoom(tokens_.size() + tokens.size()));
  AbandonAnswer();
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  ForgetConversation();
  return absl::OkStatus();
}

absl::Status Session::AppendText(std::string_view text, TextFlags flags) {
  flags.add_bos = flags.add_bos && tokens_.empty();
  SPECINFER_ASSIGN_OR_RETURN(const std::vector<Token> tokens,
                             Tokenize(text, flags));
  return AppendTokens(tokens);
}

absl::StatusOr<size_t> Session::SetPromptTokens(
    absl::Span<const Token> tokens) {
  for (const Token token : tokens) {
    if (token < 0 || token >= model_->architecture().vocabulary_size) {
      return absl::OutOfRangeError(Cat("token ", token,
                                       " is not in this model's vocabulary of ",
                                       model_->architecture().vocabulary_size));
    }
  }
  SPECINFER_RETURN_IF_ERROR(CheckRoom(tokens.size()));
  const size_t num_kept = ReplaceTokens({tokens.begin(), tokens.end()});
  ForgetConversation();
  statistics_.num_reused_tokens += num_kept;
  return num_kept;
}

absl::StatusOr<size_t> Session::SetPrompt(std::string_view text,
                                          TextFlags flags) {
  SPECINFER_ASSIGN_OR_RETURN(const std::vector<Token> tokens,
                             Tokenize(text, flags));
  return SetPromptTokens(tokens);
}

absl::StatusOr<size_t> Session::SetFillInMiddle(std::string_view prefix,
                                                std::string_view suffix) {
  const Tokenizer& tokenizer = model_->tokenizer();
  const Token prefix_token = tokenizer.special_token(SpecialToken::kFimPrefix);
  const Token suffix_token = tokenizer.special_token(SpecialToken::kFimSuffix);
  const Token middle_token = tokenizer.special_token(SpecialToken::kFimMiddle);
  if (prefix_token < 0 || suffix_token < 0 || middle_token < 0) {
    return absl::FailedPreconditionError(
        "this model's file names no fill-in-the-middle tokens; use a model "
        "made for code");
  }
  std::vector<Token> tokens;
  if (tokenizer.adds_bos()) tokens.push_back(tokenizer.bos());
  tokens.push_back(prefix_token);
  SPECINFER_RETURN_IF_ERROR(
      tokenizer.Tokenize(prefix, /*parse_special=*/false, &tokens));
  tokens.push_back(suffix_token);
  SPECINFER_RETURN_IF_ERROR(
      tokenizer.Tokenize(suffix, /*parse_special=*/false, &tokens));
  tokens.push_back(middle_token);
  return SetPromptTokens(tokens);
}

absl::Status Session::SetExpectedOutput(std::string_view text) {
  expected_output_ = std::string(text);
  return absl::OkStatus();
}

absl::Status Session::Truncate(size_t num_tokens) {
  if (num_tokens > tokens_.size()) {
    return absl::OutOfRangeError(Cat("cannot keep ", num_tokens,
                                     " tokens, the session has ",
                                     tokens_.size()));
  }
  AbandonAnswer();
  tokens_.resize(num_tokens);
  sequence_->Truncate(static_cast<int32_t>(num_tokens));
  speculation_->Rollback(num_tokens);
  ForgetConversation();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Session>> Session::Fork() {
  std::unique_ptr<Session> fork(new Session(model_, options_));
  SPECINFER_ASSIGN_OR_RETURN(
      fork->generator_,
      Generator::Create(*model_, max_rows(), options_.cache_type));
  SPECINFER_ASSIGN_OR_RETURN(fork->sequence_, sequence_->Fork());
  SPECINFER_RETURN_IF_ERROR(fork->ForkDrafters(*this));
  fork->tokens_.reserve(static_cast<size_t>(options_.max_context_tokens));
  fork->tokens_.assign(tokens_.begin(), tokens_.end());
  fork->conversation_ = conversation_;
  fork->rendered_ = rendered_;
  fork->conversation_start_ = conversation_start_;
  fork->has_answer_ = has_answer_;
  fork->is_chat_answer_ = is_chat_answer_;
  fork->chat_answer_start_ = chat_answer_start_;
  fork->answer_start_ = answer_start_;
  fork->statistics_.max_context_tokens = statistics_.max_context_tokens;
  // Every fork of every fork gets a stream of its own; the high half keeps them
  // apart from a caller's streams.
  fork->stream_offset_ =
      stream_offset_ * 0x9E3779B97F4A7C15u + (++num_forks_ << 32);
  return fork;
}

SessionStatistics Session::statistics() const {
  SessionStatistics statistics = statistics_;
  statistics.num_context_tokens = static_cast<int32_t>(tokens_.size());
  statistics.num_cached_tokens = sequence_->num_committed();
  statistics.cache_bytes = sequence_->cache_bytes();
  return statistics;
}

// ---- Conversation ----

absl::Status Session::TakeAnswer(Conversation* conversation) const {
  if (!is_chat_answer_) return absl::OkStatus();
  std::string text;
  for (size_t i = chat_answer_start_; i < tokens_.size(); ++i) {
    text += model_->tokenizer().TokenBytes(tokens_[i], /*show_special=*/false);
  }
  return conversation->Add("assistant", text);
}

absl::StatusOr<std::vector<Token>> Session::RenderTokens(
    const Conversation& conversation, bool add_generation_prompt,
    std::string* rendered) const {
  SPECINFER_ASSIGN_OR_RETURN(
      *rendered,
      model_->RenderChat(conversation.MessagesJson(), conversation.tools_json(),
                         conversation.variables_json(), add_generation_prompt));
  // The content so far as text: what was rendered and what was answered. Where
  // the new text goes on from there, the tokens that are there stay.
  std::string before = rendered_;
  if (is_chat_answer_) {
    for (size_t i = chat_answer_start_; i < tokens_.size(); ++i) {
      before +=
          model_->tokenizer().TokenBytes(tokens_[i], /*show_special=*/true);
    }
  }
  const bool continues =
      !rendered_.empty() && rendered->compare(0, before.size(), before) == 0;
  std::vector<Token> tokens(
      tokens_.begin(),
      continues ? tokens_.end()
                : tokens_.begin() + static_cast<int64_t>(conversation_start_));
  const std::string_view rest =
      std::string_view(*rendered).substr(continues ? before.size() : 0);
  SPECINFER_ASSIGN_OR_RETURN(
      const std::vector<Token> added,
      Tokenize(rest, {.parse_special = true, .add_bos = tokens.empty()}));
  tokens.insert(tokens.end(), added.begin(), added.end());
  return tokens;
}

absl::Status Session::Render(Conversation conversation,
                             bool add_generation_prompt, size_t num_reserved) {
  std::string rendered;
  SPECINFER_ASSIGN_OR_RETURN(
      std::vector<Token> tokens,
      RenderTokens(conversation, add_generation_prompt, &rendered));
  uint64_t num_dropped_turns = 0;
  const size_t num_tokens_at_first = tokens.size();
  while (!CheckRoom(tokens.size() + num_reserved).ok() &&
         options_.drop_old_turns && conversation.DropOldestTurn()) {
    ++num_dropped_turns;
    SPECINFER_ASSIGN_OR_RETURN(
        tokens, RenderTokens(conversation, add_generation_prompt, &rendered));
  }
  SPECINFER_RETURN_IF_ERROR(CheckRoom(tokens.size()));
  const size_t num_tokens = tokens.size();
  statistics_.num_reused_tokens += ReplaceTokens(std::move(tokens));
  statistics_.num_dropped_turns += num_dropped_turns;
  if (num_dropped_turns > 0)
    statistics_.num_dropped_tokens += num_tokens_at_first - num_tokens;
  conversation_ = std::move(conversation);
  rendered_ = std::move(rendered);
  has_answer_ = false;
  is_chat_answer_ = false;
  return absl::OkStatus();
}

absl::Status Session::AppendMessage(std::string_view role,
                                    std::string_view content) {
  Conversation conversation = conversation_;
  SPECINFER_RETURN_IF_ERROR(TakeAnswer(&conversation));
  SPECINFER_RETURN_IF_ERROR(conversation.Add(role, content));
  return Render(std::move(conversation), /*add_generation_prompt=*/false,
                /*num_reserved=*/0);
}

absl::Status Session::AppendMessagesJson(std::string_view json) {
  Conversation conversation = conversation_;
  SPECINFER_RETURN_IF_ERROR(TakeAnswer(&conversation));
  SPECINFER_RETURN_IF_ERROR(conversation.AddJson(json));
  return Render(std::move(conversation), /*add_generation_prompt=*/false,
                /*num_reserved=*/0);
}

absl::Status Session::SetChatOptions(std::string_view tools_json,
                                     std::string_view variables_json) {
  return conversation_.SetOptions(tools_json, variables_json);
}

absl::StatusOr<bool> Session::MakeRoom() {
  if (!options_.drop_old_turns || !is_chat_answer_) return false;
  Conversation conversation = conversation_;
  if (!conversation.DropOldestTurn()) return false;
  SPECINFER_ASSIGN_OR_RETURN(
      std::string rendered,
      model_->RenderChat(conversation.MessagesJson(), conversation.tools_json(),
                         conversation.variables_json(),
                         /*add_generation_prompt=*/true));
  std::vector<Token> tokens(
      tokens_.begin(),
      tokens_.begin() + static_cast<int64_t>(conversation_start_));
  SPECINFER_ASSIGN_OR_RETURN(
      const std::vector<Token> prompt,
      Tokenize(rendered, {.parse_special = true, .add_bos = tokens.empty()}));
  tokens.insert(tokens.end(), prompt.begin(), prompt.end());
  const size_t chat_answer_start = tokens.size();
  tokens.insert(tokens.end(),
                tokens_.begin() + static_cast<int64_t>(chat_answer_start_),
                tokens_.end());
  if (tokens.size() >= tokens_.size()) return false;
  const size_t num_dropped = tokens_.size() - tokens.size();
  statistics_.num_dropped_turns += 1;
  statistics_.num_dropped_tokens += num_dropped;
  ReplaceTokens(std::move(tokens));
  conversation_ = std::move(conversation);
  rendered_ = std::move(rendered);
  chat_answer_start_ = chat_answer_start;
  answer_start_ -= num_dropped;
  bans_.clear();
  is_answering_ = true;
  return true;
}

}  // namespace specinfer
