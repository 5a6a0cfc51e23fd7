// specinfer for C++17: the objects of specinfer.h with owners, results and
// views. Header only; needs neither exceptions nor RTTI, and throws nothing
// itself (where exceptions are on, std::string and std::vector may want
// memory).
//
// Each class owns one handle and is move-only; each function is the C function
// of that name, and specinfer.h and specinfer/speculation.h are its manual.
// Calling an object that was moved from gives INVALID_ARGUMENT. Callables must
// not throw.
#ifndef SPECINFER_HPP_
#define SPECINFER_HPP_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "specinfer.h"
#include "specinfer/speculation.h"

namespace specinfer {

using Token = specinfer_token;

// ---- Status and Result ------------------------------------------------------

// A specinfer_status with the text that specinfer_last_error() had for it.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(specinfer_status code, std::string message)
      : code_(code), message_(std::move(message)) {}
  // Of a call that just returned on this thread.
  static Status Of(specinfer_status code) {
    return code == SPECINFER_OK ? Status()
                                : Status(code, specinfer_last_error());
  }

  bool ok() const { return code_ == SPECINFER_OK; }
  specinfer_status code() const { return code_; }
  const char* name() const { return specinfer_status_name(code_); }
  const std::string& message() const { return message_; }

 private:
  specinfer_status code_ = SPECINFER_OK;
  std::string message_;
};

// A value, or the status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Status status)
      : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  const std::string& message() const { return status_.message(); }
  // REQUIRES: ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

// ---- Building blocks --------------------------------------------------------

namespace detail {

struct Destroy {
  void operator()(specinfer_engine* engine) const {
    specinfer_engine_destroy(engine);
  }
  void operator()(specinfer_model* model) const {
    specinfer_model_destroy(model);
  }
  void operator()(specinfer_load* load) const { specinfer_load_destroy(load); }
  void operator()(specinfer_session* session) const {
    specinfer_session_destroy(session);
  }
  void operator()(specinfer_corpus* corpus) const {
    specinfer_corpus_destroy(corpus);
  }
};
template <typename Handle>
using Owner = std::unique_ptr<Handle, Destroy>;

// Makes an Object of the handle that `call(&handle)` gives out.
template <typename Object, typename Handle, typename Call>
Result<Object> Make(Call&& call) {
  Handle* handle = nullptr;
  const specinfer_status status = call(&handle);
  if (status != SPECINFER_OK) return Status::Of(status);
  return Object(handle);
}

// The elements that `call(buffer, capacity, &length)` writes: asks how many,
// then fetches.
template <typename Elements, typename Call>
Result<Elements> Fetch(Call&& call) {
  Elements elements;
  size_t length = 0;
  do {
    elements.resize(length);
    const specinfer_status status = call(
        elements.empty() ? nullptr : elements.data(), elements.size(), &length);
    if (status != SPECINFER_OK) return Status::Of(status);
  } while (length > elements.size());
  elements.resize(length);
  return elements;
}

// The struct that `call(&value)` fills.
template <typename Struct, typename Call>
Result<Struct> Fill(Struct value, Call&& call) {
  const specinfer_status status = call(&value);
  if (status != SPECINFER_OK) return Status::Of(status);
  return value;
}

// Calls a callable behind a C callback's user_data.
template <typename Callable>
std::remove_reference_t<Callable>& Called(void* user_data) {
  return *static_cast<std::remove_reference_t<Callable>*>(user_data);
}
template <typename Callable>
void* UserData(Callable& callable) {
  return const_cast<void*>(static_cast<const void*>(std::addressof(callable)));
}

// A specinfer_write_callback that calls a Write.
template <typename Write>
int32_t WriteTo(void* user_data, const void* data, size_t num_bytes) {
  return Called<Write>(user_data)(data, num_bytes) ? 0 : 1;
}

}  // namespace detail

inline specinfer_engine_config EngineConfig() {
  return SPECINFER_ENGINE_CONFIG_INIT;
}
inline specinfer_session_config SessionConfig() {
  return SPECINFER_SESSION_CONFIG_INIT;
}
inline specinfer_generation_config GenerationConfig() {
  return SPECINFER_GENERATION_CONFIG_INIT;
}

// An element of a config's arrays; borrows `text`.
inline specinfer_text Text(std::string_view text) {
  return {text.data(), text.size()};
}

// ---- Engine -----------------------------------------------------------------

class Engine {
 public:
  static Result<Engine> Create(
      const specinfer_engine_config& config = EngineConfig()) {
    return detail::Make<Engine, specinfer_engine>([&](specinfer_engine** out) {
      return specinfer_engine_create(&config, out);
    });
  }
  explicit Engine(specinfer_engine* handle) : handle_(handle) {}

  Result<specinfer_engine_statistics> GetStatistics() const {
    return detail::Fill<specinfer_engine_statistics>(
        SPECINFER_ENGINE_STATISTICS_INIT,
        [&](specinfer_engine_statistics* out) {
          return specinfer_engine_get_statistics(get(), out);
        });
  }

  Status SetNumThreads(uint32_t num_threads) const {
    return Status::Of(specinfer_engine_set_num_threads(get(), num_threads));
  }
  Status SetPriority(int32_t priority) const {
    return Status::Of(specinfer_engine_set_priority(get(), priority));
  }
  Status SetDutyCycle(float fraction) const {
    return Status::Of(specinfer_engine_set_duty_cycle(get(), fraction));
  }

  specinfer_engine* get() const { return handle_.get(); }

 private:
  detail::Owner<specinfer_engine> handle_;
};

// ---- Model ------------------------------------------------------------------

class Model {
 public:
  static Result<specinfer_model_memory> Plan(const Engine& engine,
                                             std::string_view path,
                                             uint32_t num_context_tokens = 0) {
    return detail::Fill<specinfer_model_memory>(
        SPECINFER_MODEL_MEMORY_INIT, [&](specinfer_model_memory* out) {
          return specinfer_model_plan(engine.get(), path.data(), path.size(),
                                      num_context_tokens, out);
        });
  }

  static Result<Model> Load(const Engine& engine, std::string_view path) {
    return detail::Make<Model, specinfer_model>([&](specinfer_model** out) {
      return specinfer_model_load(engine.get(), path.data(), path.size(),
                                  nullptr, out);
    });
  }
  // `progress(float fraction)` returns false to cancel.
  template <typename Progress>
  static Result<Model> Load(const Engine& engine, std::string_view path,
                            Progress&& progress) {
    specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
    config.progress = [](void* user_data, float fraction) -> int32_t {
      return detail::Called<Progress>(user_data)(fraction) ? 0 : 1;
    };
    config.progress_user_data = detail::UserData(progress);
    return detail::Make<Model, specinfer_model>([&](specinfer_model** out) {
      return specinfer_model_load(engine.get(), path.data(), path.size(),
                                  &config, out);
    });
  }
  explicit Model(specinfer_model* handle) : handle_(handle) {}

  // `config` may be null.
  static Status Pack(const Engine& engine, std::string_view path,
                     std::string_view packed_path,
                     const specinfer_model_config* config = nullptr) {
    return Status::Of(specinfer_model_pack(engine.get(), path.data(),
                                           path.size(), packed_path.data(),
                                           packed_path.size(), config));
  }
  // How many hashes were compared: 0 where the file keeps none.
  static Result<uint64_t> Verify(
      const Engine& engine, std::string_view path,
      const specinfer_model_config* config = nullptr) {
    return detail::Fill<uint64_t>(0, [&](uint64_t* out) {
      return specinfer_model_verify(engine.get(), path.data(), path.size(),
                                    config, out);
    });
  }

  Result<specinfer_model_tensor> GetTensor(uint32_t index) const {
    return detail::Fill<specinfer_model_tensor>(
        SPECINFER_MODEL_TENSOR_INIT, [&](specinfer_model_tensor* out) {
          return specinfer_model_get_tensor(get(), index, out);
        });
  }
  Result<specinfer_model_properties> GetProperties() const {
    return detail::Fill<specinfer_model_properties>(
        SPECINFER_MODEL_PROPERTIES_INIT, [&](specinfer_model_properties* out) {
          return specinfer_model_get_properties(get(), out);
        });
  }
  Result<std::string> GetMetadata(std::string_view key) const {
    return detail::Fetch<std::string>(
        [&](char* buffer, size_t capacity, size_t* length) {
          return specinfer_model_get_metadata(get(), key.data(), key.size(),
                                              buffer, capacity, length);
        });
  }
  Result<Token> GetSpecialToken(int32_t special) const {
    return detail::Fill<Token>(0, [&](Token* out) {
      return specinfer_model_get_special_token(get(), special, out);
    });
  }
  Result<std::vector<Token>> Tokenize(std::string_view text,
                                      uint32_t flags = 0) const {
    return detail::Fetch<std::vector<Token>>(
        [&](Token* buffer, size_t capacity, size_t* length) {
          return specinfer_model_tokenize(get(), text.data(), text.size(),
                                          flags, buffer, capacity, length);
        });
  }
  Result<std::string> Detokenize(const Token* tokens, size_t num_tokens,
                                 uint32_t flags = 0) const {
    return detail::Fetch<std::string>(
        [&](char* buffer, size_t capacity, size_t* length) {
          return specinfer_model_detokenize(get(), tokens, num_tokens, flags,
                                            buffer, capacity, length);
        });
  }
  Result<std::string> Detokenize(const std::vector<Token>& tokens,
                                 uint32_t flags = 0) const {
    return Detokenize(tokens.data(), tokens.size(), flags);
  }
  Result<std::string> RenderChat(std::string_view messages_json,
                                 std::string_view tools_json = {},
                                 bool add_generation_prompt = true) const {
    return detail::Fetch<std::string>(
        [&](char* buffer, size_t capacity, size_t* length) {
          return specinfer_model_render_chat(
              get(), messages_json.data(), messages_json.size(),
              tools_json.data(), tools_json.size(),
              add_generation_prompt ? 1 : 0, buffer, capacity, length);
        });
  }
  Result<specinfer_machine_rates> Measure() const {
    return detail::Fill<specinfer_machine_rates>(
        SPECINFER_MACHINE_RATES_INIT, [&](specinfer_machine_rates* out) {
          return specinfer_model_measure(get(), out);
        });
  }
  // `kind`: SPECINFER_PASS_…
  Result<specinfer_pass_time> GetPassTime(int32_t kind, uint32_t num_rows,
                                          uint32_t num_context_tokens) const {
    return detail::Fill<specinfer_pass_time>(
        SPECINFER_PASS_TIME_INIT, [&](specinfer_pass_time* out) {
          return specinfer_model_get_pass_time(get(), kind, num_rows,
                                               num_context_tokens, out);
        });
  }

  specinfer_model* get() const { return handle_.get(); }

 private:
  detail::Owner<specinfer_model> handle_;
};

// A model being loaded on a thread of the library.
class Load {
 public:
  static Result<Load> Start(const Engine& engine, std::string_view path) {
    return detail::Make<Load, specinfer_load>([&](specinfer_load** out) {
      return specinfer_load_start(engine.get(), path.data(), path.size(),
                                  nullptr, out);
    });
  }
  explicit Load(specinfer_load* handle) : handle_(handle) {}

  // `out_fraction` may be null.
  Result<Model> Wait(uint64_t max_microseconds, float* out_fraction = nullptr) {
    return detail::Make<Model, specinfer_model>([&](specinfer_model** out) {
      return specinfer_load_wait(get(), max_microseconds, out_fraction, out);
    });
  }
  void Cancel() { specinfer_load_cancel(get()); }

  specinfer_load* get() const { return handle_.get(); }

 private:
  detail::Owner<specinfer_load> handle_;
};

// ---- Corpus -----------------------------------------------------------------

// Earlier texts to guess from.
class Corpus {
 public:
  static Result<Corpus> Create(const Model& model, uint32_t max_tokens = 0) {
    return detail::Make<Corpus, specinfer_corpus>([&](specinfer_corpus** out) {
      return specinfer_corpus_create(model.get(), max_tokens, out);
    });
  }
  explicit Corpus(specinfer_corpus* handle) : handle_(handle) {}

  Status AddText(std::string_view text) {
    return Status::Of(
        specinfer_corpus_add_text(get(), text.data(), text.size()));
  }
  Status Clear() { return Status::Of(specinfer_corpus_clear(get())); }
  // `write(const void* data, size_t num_bytes)` returns false to stop.
  template <typename Write>
  Status Save(Write&& write) {
    return Status::Of(specinfer_corpus_save(get(), detail::WriteTo<Write>,
                                            detail::UserData(write)));
  }
  Status Restore(const void* data, size_t num_bytes) {
    return Status::Of(specinfer_corpus_restore(get(), data, num_bytes));
  }

  specinfer_corpus* get() const { return handle_.get(); }

 private:
  detail::Owner<specinfer_corpus> handle_;
};

// ---- Session ----------------------------------------------------------------

// A specinfer_event with views. Borrowed until the session's next call, in a
// callback until that returns.
class Event {
 public:
  explicit Event(const specinfer_event& event) : event_(event) {}

  bool is_done() const { return event_.state == SPECINFER_STEP_DONE; }
  int32_t state() const { return event_.state; }
  int32_t finish() const { return event_.finish; }
  std::string_view text() const { return {event_.text, event_.text_length}; }
  size_t num_tokens() const { return event_.num_tokens; }
  // Steps by the library's own size of an element.
  // REQUIRES: index < num_tokens().
  const specinfer_generated_token& token(size_t index) const {
    const char* first = reinterpret_cast<const char*>(event_.tokens);
    return *reinterpret_cast<const specinfer_generated_token*>(
        first + index * event_.token_size);
  }
  uint32_t num_prefilled_tokens() const { return event_.num_prefilled_tokens; }
  uint32_t num_prompt_tokens() const { return event_.num_prompt_tokens; }
  const specinfer_event& get() const { return event_; }

 private:
  specinfer_event event_;
};

// A specinfer_round with views. Borrowed until the callback returns.
class Round {
 public:
  explicit Round(const specinfer_round& round) : round_(&round) {}

  size_t num_nodes() const { return round_->num_nodes; }
  // Steps by the library's own size of an element.
  // REQUIRES: index < num_nodes().
  const specinfer_round_node& node(size_t index) const {
    const char* first = reinterpret_cast<const char*>(round_->nodes);
    return *reinterpret_cast<const specinfer_round_node*>(
        first + index * round_->node_size);
  }
  size_t num_tokens() const { return round_->num_tokens; }
  // REQUIRES: index < num_tokens().
  Token token(size_t index) const { return round_->tokens[index]; }
  int32_t strategy() const { return round_->strategy; }
  std::string_view reason() const {
    return {round_->reason, round_->reason_length};
  }
  const specinfer_round& get() const { return *round_; }

 private:
  const specinfer_round* round_;
};

class Session {
 public:
  static Result<Session> Create(
      const Model& model,
      const specinfer_session_config& config = SessionConfig()) {
    return detail::Make<Session, specinfer_session>(
        [&](specinfer_session** out) {
          return specinfer_session_create(model.get(), &config, out);
        });
  }
  // With a smaller model whose guesses `model` checks.
  static Result<Session> Create(
      const Model& model, const Model& draft_model,
      specinfer_session_config config = SessionConfig()) {
    config.draft_model = draft_model.get();
    return Create(model, config);
  }
  explicit Session(specinfer_session* handle) : handle_(handle) {}

  // Content.
  Status AppendText(std::string_view text, uint32_t flags = 0) {
    return Status::Of(
        specinfer_session_append_text(get(), text.data(), text.size(), flags));
  }
  Status AppendTokens(const std::vector<Token>& tokens) {
    return Status::Of(
        specinfer_session_append_tokens(get(), tokens.data(), tokens.size()));
  }
  Status AppendMessage(std::string_view role, std::string_view content) {
    return Status::Of(specinfer_session_append_message(
        get(), role.data(), role.size(), content.data(), content.size()));
  }
  Status AppendMessagesJson(std::string_view json) {
    return Status::Of(specinfer_session_append_messages_json(get(), json.data(),
                                                             json.size()));
  }
  Status SetChatOptions(std::string_view tools_json,
                        std::string_view variables_json) {
    return Status::Of(specinfer_session_set_chat_options(
        get(), tools_json.data(), tools_json.size(), variables_json.data(),
        variables_json.size()));
  }
  // These three return how many tokens were kept.
  Result<size_t> SetPrompt(std::string_view text, uint32_t flags = 0) {
    return detail::Fill<size_t>(0, [&](size_t* out) {
      return specinfer_session_set_prompt(get(), text.data(), text.size(),
                                          flags, out);
    });
  }
  Result<size_t> SetPromptTokens(const std::vector<Token>& tokens) {
    return detail::Fill<size_t>(0, [&](size_t* out) {
      return specinfer_session_set_prompt_tokens(get(), tokens.data(),
                                                 tokens.size(), out);
    });
  }
  Result<size_t> SetFillInMiddle(std::string_view prefix,
                                 std::string_view suffix) {
    return detail::Fill<size_t>(0, [&](size_t* out) {
      return specinfer_session_set_fill_in_middle(get(), prefix.data(),
                                                  prefix.size(), suffix.data(),
                                                  suffix.size(), out);
    });
  }
  Status SetExpectedOutput(std::string_view text) {
    return Status::Of(
        specinfer_session_set_expected_output(get(), text.data(), text.size()));
  }

  // Answers.
  Status Start(const specinfer_generation_config& config = GenerationConfig()) {
    return Status::Of(specinfer_session_start(get(), &config));
  }
  Status Regenerate(
      const specinfer_generation_config& config = GenerationConfig()) {
    return Status::Of(specinfer_session_regenerate(get(), &config));
  }
  Result<Event> Step(uint64_t max_microseconds) {
    specinfer_event event = SPECINFER_EVENT_INIT;
    const specinfer_status status =
        specinfer_session_step(get(), max_microseconds, &event);
    if (status != SPECINFER_OK) return Status::Of(status);
    return Event(event);
  }
  // `on_event(const Event&)` returns false to end the answer.
  template <typename OnEvent>
  Status Generate(const specinfer_generation_config& config,
                  OnEvent&& on_event) {
    const specinfer_event_callback callback =
        [](void* user_data, const specinfer_event* event) -> int32_t {
      return detail::Called<OnEvent>(user_data)(Event(*event)) ? 0 : 1;
    };
    return Status::Of(specinfer_session_generate(get(), &config, callback,
                                                 detail::UserData(on_event)));
  }
  // The whole answer as one text.
  Result<std::string> Generate(
      const specinfer_generation_config& config = GenerationConfig()) {
    std::string text;
    Status status = Generate(config, [&](const Event& event) {
      text.append(event.text());
      return true;
    });
    if (!status.ok()) return status;
    return text;
  }
  void Cancel() { specinfer_session_cancel(get()); }

  // Look, cut, copy, keep.
  Result<std::vector<Token>> GetTokens() {
    return detail::Fetch<std::vector<Token>>(
        [&](Token* buffer, size_t capacity, size_t* length) {
          return specinfer_session_get_tokens(get(), buffer, capacity, length);
        });
  }
  Status Truncate(size_t num_tokens) {
    return Status::Of(specinfer_session_truncate(get(), num_tokens));
  }
  Result<Session> Fork() {
    return detail::Make<Session, specinfer_session>(
        [&](specinfer_session** out) {
          return specinfer_session_fork(get(), out);
        });
  }
  // `write(const void* data, size_t num_bytes)` returns false to stop.
  template <typename Write>
  Status Save(Write&& write) {
    return Status::Of(specinfer_session_save(get(), detail::WriteTo<Write>,
                                             detail::UserData(write)));
  }
  Status Restore(const void* data, size_t num_bytes) {
    return Status::Of(specinfer_session_restore(get(), data, num_bytes));
  }
  Result<std::vector<float>> ScoreTokens(const std::vector<Token>& tokens) {
    std::vector<float> log_probabilities(tokens.size());
    const specinfer_status status = specinfer_session_score_tokens(
        get(), tokens.data(), tokens.size(), log_probabilities.data());
    if (status != SPECINFER_OK) return Status::Of(status);
    return log_probabilities;
  }
  Result<std::vector<float>> Embed(std::string_view text,
                                   int32_t pooling = SPECINFER_POOLING_MEAN,
                                   bool normalize = true,
                                   uint32_t flags = SPECINFER_TEXT_ADD_BOS) {
    return detail::Fetch<std::vector<float>>(
        [&](float* buffer, size_t capacity, size_t* length) {
          return specinfer_session_embed(get(), text.data(), text.size(), flags,
                                         pooling, normalize ? 1 : 0, buffer,
                                         capacity, length);
        });
  }
  Result<specinfer_session_statistics> GetStatistics() {
    return detail::Fill<specinfer_session_statistics>(
        SPECINFER_SESSION_STATISTICS_INIT,
        [&](specinfer_session_statistics* out) {
          return specinfer_session_get_statistics(get(), out);
        });
  }
  // What a pass costs at the least, and how long it takes.
  Result<specinfer_pass> PlanPass(uint32_t num_context_tokens,
                                  uint32_t num_rows, uint32_t num_answer_rows) {
    return detail::Fill<specinfer_pass>(
        SPECINFER_PASS_INIT, [&](specinfer_pass* out) {
          return specinfer_session_plan_pass(get(), num_context_tokens,
                                             num_rows, num_answer_rows, out);
        });
  }
  Result<specinfer_pass> MeasurePass(uint32_t num_rows,
                                     uint32_t num_answer_rows) {
    return detail::Fill<specinfer_pass>(
        SPECINFER_PASS_INIT, [&](specinfer_pass* out) {
          return specinfer_session_measure_pass(get(), num_rows,
                                                num_answer_rows, out);
        });
  }

  // Speculation.
  Status SetCorpus(const Corpus& corpus, uint32_t flags = 0) {
    return Status::Of(specinfer_session_set_corpus(get(), corpus.get(), flags));
  }
  Status RemoveCorpus() {
    return Status::Of(specinfer_session_set_corpus(get(), nullptr, 0));
  }
  Result<specinfer_speculation_statistics> GetSpeculationStatistics() {
    return detail::Fill<specinfer_speculation_statistics>(
        SPECINFER_SPECULATION_STATISTICS_INIT,
        [&](specinfer_speculation_statistics* out) {
          return specinfer_session_get_speculation_statistics(get(), out);
        });
  }
  // The session owns `on_round`, which must not destroy it; empty: no more.
  Status SetRoundCallback(std::function<void(const Round&)> on_round) {
    specinfer_round_callback callback = nullptr;
    if (on_round) {
      callback = [](void* user_data, const specinfer_round* round) {
        (*static_cast<OnRound*>(user_data))(Round(*round));
      };
    }
    auto owned = std::make_unique<OnRound>(std::move(on_round));
    const specinfer_status status =
        specinfer_session_set_round_callback(get(), callback, owned.get());
    if (status != SPECINFER_OK) return Status::Of(status);
    on_round_ = std::move(owned);
    return Status();
  }

  specinfer_session* get() const { return handle_.get(); }

 private:
  using OnRound = std::function<void(const Round&)>;

  std::unique_ptr<OnRound> on_round_;  // where the handle finds it
  detail::Owner<specinfer_session> handle_;
};

}  // namespace specinfer

#endif  // SPECINFER_HPP_
