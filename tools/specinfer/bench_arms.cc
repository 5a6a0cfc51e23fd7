#include "bench_arms.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "failure.h"
#include "file_text.h"
#include "model_list.h"
#include "processor.h"

namespace specinfer_cli {
namespace {

// A context that holds `num_tokens` with room for the cache's pages.
uint32_t ContextFor(uint32_t num_tokens, const BenchOptions& options) {
  constexpr uint32_t kRoom = 64;
  return std::max(options.num_context_tokens, num_tokens + kRoom);
}

Session MakeSession(const LoadedModel& loaded, uint32_t num_context_tokens,
                    const BenchOptions& options) {
  specinfer_session_config config =
      SessionConfig(loaded, options.speculation, options.cache_type);
  config.max_context_tokens = num_context_tokens;
  return CreateSession(loaded.model.get(), config);
}

// Makes `tokens` the content, nothing of which is in the cache.
void SetFreshPrompt(specinfer_session* session,
                    const std::vector<specinfer_token>& tokens) {
  Check(specinfer_session_truncate(session, 0));
  size_t num_kept = 0;
  Check(specinfer_session_set_prompt_tokens(session, tokens.data(),
                                            tokens.size(), &num_kept));
  if (num_kept != 0) {
    throw Failure("the cache kept tokens of the run before: times would lie");
  }
}

// The best-known first token: BOS, or any where the model has none.
specinfer_token FirstToken(const specinfer_model* model) {
  specinfer_token token = 0;
  const specinfer_status status =
      specinfer_model_get_special_token(model, SPECINFER_SPECIAL_BOS, &token);
  return status == SPECINFER_OK ? token : 1;
}

class DecodeArm : public BenchArm {
 public:
  DecodeArm(const LoadedModel& loaded, const BenchOptions& options)
      : num_tokens_(options.num_decode_tokens),
        num_context_tokens_(ContextFor(num_tokens_ + 1, options)),
        prompt_(1, FirstToken(loaded.model.get())),
        session_(MakeSession(loaded, num_context_tokens_, options)) {
    config_.max_tokens = num_tokens_;
    config_.ignore_end = 1;
    SetSpeculation(options.speculation, config_);
  }

  void Run(bool is_warm_up) override {
    SetFreshPrompt(session_.get(), prompt_);
    const uint64_t num_rounds_before = GetStatistics(session_.get()).num_rounds;
    const Stopwatch stopwatch;
    Check(specinfer_session_generate(session_.get(), &config_,
                                     /*callback=*/nullptr,
                                     /*user_data=*/nullptr));
    const double milliseconds = stopwatch.Milliseconds();
    num_rounds_ = GetStatistics(session_.get()).num_rounds - num_rounds_before;
    if (!is_warm_up) milliseconds_.push_back(milliseconds / num_tokens_);
  }

  std::vector<BenchRow> Rows() const override {
    BenchRow row = {{"what", "decode"},
                    {"tokens", num_tokens_},
                    {"context", num_context_tokens_}};
    PutTimes(milliseconds_, row);
    row["tokens_per_second"] = 1e3 / row["milliseconds"].get<double>();
    // The middle one of its passes stands for all.
    PutCost(PlanPass(session_.get(), num_tokens_ / 2, 1, 1), row);
    if (num_rounds_ > 0) {
      row["tokens_per_round"] =
          static_cast<double>(num_tokens_) / static_cast<double>(num_rounds_);
    }
    return {row};
  }

 private:
  const uint32_t num_tokens_;
  const uint32_t num_context_tokens_;
  const std::vector<specinfer_token> prompt_;
  const Session session_;
  specinfer_generation_config config_ = SPECINFER_GENERATION_CONFIG_INIT;
  std::vector<double> milliseconds_;  // per token
  uint64_t num_rounds_ = 0;
};

class PrefillArm : public BenchArm {
 public:
  PrefillArm(const LoadedModel& loaded, const BenchOptions& options)
      : num_context_tokens_(
            ContextFor(options.num_prefill_tokens + 1, options)),
        prompt_(SpreadTokens(loaded.model.get(), options.num_prefill_tokens)),
        session_(MakeSession(loaded, num_context_tokens_, options)) {
    config_.max_tokens = 1;
    config_.ignore_end = 1;
    config_.strategy = SPECINFER_STRATEGY_OFF;
  }

  void Run(bool is_warm_up) override {
    SetFreshPrompt(session_.get(), prompt_);
    const Stopwatch stopwatch;
    Check(specinfer_session_generate(session_.get(), &config_,
                                     /*callback=*/nullptr,
                                     /*user_data=*/nullptr));
    if (!is_warm_up) milliseconds_.push_back(stopwatch.Milliseconds());
  }

  std::vector<BenchRow> Rows() const override {
    BenchRow row = {{"what", "prefill"},
                    {"tokens", prompt_.size()},
                    {"context", num_context_tokens_}};
    PutTimes(milliseconds_, row);
    row["tokens_per_second"] = 1e3 * static_cast<double>(prompt_.size()) /
                               row["milliseconds"].get<double>();
    // Weights read once, however many chunks the prompt is cut into.
    PutCost(
        PlanPass(session_.get(), 0, static_cast<uint32_t>(prompt_.size()), 1),
        row);
    return {row};
  }

 private:
  const uint32_t num_context_tokens_;
  const std::vector<specinfer_token> prompt_;
  const Session session_;
  specinfer_generation_config config_ = SPECINFER_GENERATION_CONFIG_INIT;
  std::vector<double> milliseconds_;
};

class PerplexityArm : public BenchArm {
 public:
  PerplexityArm(const LoadedModel& loaded, const BenchOptions& options)
      : tokens_(Tokenize(loaded.model.get(), ReadFile(options.perplexity_file),
                         SPECINFER_TEXT_ADD_BOS)) {
    constexpr uint32_t kDefaultTokens = 1024;
    const uint32_t num_tokens = options.num_context_tokens == 0
                                    ? kDefaultTokens
                                    : options.num_context_tokens;
    if (tokens_.size() < num_tokens || num_tokens < 2) {
      throw Failure("file \"" + options.perplexity_file + "\" has " +
                    std::to_string(tokens_.size()) + " tokens, --context is " +
                    std::to_string(num_tokens) +
                    ": use a longer file, or a context from 2 to its tokens");
    }
    tokens_.resize(num_tokens);
    session_ = MakeSession(loaded, ContextFor(num_tokens, options), options);
  }

  void Run(bool is_warm_up) override {
    std::vector<float> log_probabilities(tokens_.size());
    const Stopwatch stopwatch;
    Check(specinfer_session_score_tokens(session_.get(), tokens_.data(),
                                         tokens_.size(),
                                         log_probabilities.data()));
    if (!is_warm_up) milliseconds_.push_back(stopwatch.Milliseconds());
    double sum = 0;
    for (size_t i = 1; i < log_probabilities.size(); ++i) {
      sum += static_cast<double>(log_probabilities[i]);
    }
    perplexity_ = std::exp(-sum / static_cast<double>(tokens_.size() - 1));
  }

  std::vector<BenchRow> Rows() const override {
    BenchRow row = {{"what", "perplexity"},
                    {"tokens", tokens_.size()},
                    {"context", tokens_.size()},
                    {"perplexity", perplexity_}};
    PutTimes(milliseconds_, row);
    row["tokens_per_second"] = 1e3 * static_cast<double>(tokens_.size()) /
                               row["milliseconds"].get<double>();
    const uint32_t num_scored = static_cast<uint32_t>(tokens_.size()) - 1;
    PutCost(PlanPass(session_.get(), 0, num_scored, num_scored), row);
    return {row};
  }

 private:
  std::vector<specinfer_token> tokens_;
  Session session_;
  std::vector<double> milliseconds_;
  double perplexity_ = 0;
};

class LoadArm : public BenchArm {
 public:
  explicit LoadArm(const BenchOptions& options)
      : path_(FindModel(options.model.model)),
        engine_(
            CreateEngine(options.model.num_threads, options.model.backend)) {}

  void Run(bool is_warm_up) override {
    specinfer_model* model = nullptr;
    const Stopwatch stopwatch;
    Check(specinfer_model_load(engine_.get(), path_.data(), path_.size(),
                               /*config=*/nullptr, &model));
    const double milliseconds = stopwatch.Milliseconds();
    specinfer_model_destroy(model);
    if (is_warm_up) {
      peak_bytes_ = PeakMemoryBytes();
    } else {
      milliseconds_.push_back(milliseconds);
    }
  }

  std::vector<BenchRow> Rows() const override {
    BenchRow row = {{"what", "load"}, {"peak_bytes", peak_bytes_}};
    PutTimes(milliseconds_, row);
    return {row};
  }

 private:
  const std::string path_;
  const Engine engine_;
  std::vector<double> milliseconds_;
  uint64_t peak_bytes_ = 0;
};

}  // namespace

std::vector<specinfer_token> SpreadTokens(const specinfer_model* model,
                                          uint32_t num_tokens) {
  constexpr uint64_t kStride = 7919;
  const uint64_t vocabulary_size = GetProperties(model).vocabulary_size;
  std::vector<specinfer_token> tokens(1, FirstToken(model));
  for (uint64_t i = 1; i < num_tokens; ++i) {
    tokens.push_back(
        static_cast<specinfer_token>(i * kStride % vocabulary_size));
  }
  return tokens;
}

std::unique_ptr<BenchArm> MakeDecodeArm(const LoadedModel& loaded,
                                        const BenchOptions& options) {
  return std::make_unique<DecodeArm>(loaded, options);
}

std::unique_ptr<BenchArm> MakePrefillArm(const LoadedModel& loaded,
                                         const BenchOptions& options) {
  return std::make_unique<PrefillArm>(loaded, options);
}

std::unique_ptr<BenchArm> MakePerplexityArm(const LoadedModel& loaded,
                                            const BenchOptions& options) {
  return std::make_unique<PerplexityArm>(loaded, options);
}

std::unique_ptr<BenchArm> MakeLoadArm(const BenchOptions& options) {
  return std::make_unique<LoadArm>(options);
}

}  // namespace specinfer_cli
