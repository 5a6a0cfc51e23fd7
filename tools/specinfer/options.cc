#include "options.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "failure.h"
#include "file_text.h"
#include "model_list.h"
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace specinfer_cli {
namespace {

std::vector<specinfer_text> Views(const std::vector<std::string>& strings) {
  std::vector<specinfer_text> views;
  for (const std::string& string : strings) {
    views.push_back({string.data(), string.size()});
  }
  return views;
}

specinfer_logit_bias ParseLogitBias(const std::string& text) {
  char* end = nullptr;
  const long token = std::strtol(text.c_str(), &end, 10);
  if (end == text.c_str() || *end != '=') {
    throw Failure("--logit-bias \"" + text +
                  "\": write TOKEN=BIAS, as 13=-inf");
  }
  const char* bias_text = end + 1;
  const float bias = std::strtof(bias_text, &end);
  if (end == bias_text || *end != '\0') {
    throw Failure("--logit-bias \"" + text + "\": the bias is not a number");
  }
  return {static_cast<specinfer_token>(token), bias};
}

// Of the library's threads and of this one, which the library leaves alone.
void SetPriority(specinfer_engine* engine, const std::string& word) {
  struct Priority {
    const char* word;
    int32_t value;
    int niceness;  // of this thread
  };
  constexpr Priority kPriorities[] = {{"normal", SPECINFER_PRIORITY_NORMAL, 0},
                                      {"high", SPECINFER_PRIORITY_HIGH, -5},
                                      {"low", SPECINFER_PRIORITY_LOW, 10},
                                      {"idle", SPECINFER_PRIORITY_IDLE, 19}};
  for (const Priority& priority : kPriorities) {
    if (word != priority.word) continue;
    if (priority.value == SPECINFER_PRIORITY_NORMAL) return;
    Check(specinfer_engine_set_priority(engine, priority.value));
    errno = 0;
    if (nice(priority.niceness) == -1 && errno != 0) {
      throw Failure("--priority " + word + ": the system refuses it");
    }
    return;
  }
  throw Failure("--priority \"" + word +
                "\": there are normal, high, low and idle");
}

}  // namespace

void AddModelOptions(CLI::App& verb, ModelOptions& options) {
  options.model = kDefaultModel;
  verb.add_option("-m,--model", options.model,
                  "A model file, or a name from `specinfer models list`")
      ->capture_default_str();
  verb.add_option("--threads", options.num_threads,
                  "Threads; 0: as many as this process may use")
      ->capture_default_str();
  verb.add_option("--priority", options.priority,
                  "How urgent: normal, high, low, or idle (only where nobody "
                  "else wants the processor)")
      ->capture_default_str();
  verb.add_option("--duty-cycle", options.duty_cycle,
                  "Compute at most this fraction of the time, 0.01 to 1")
      ->capture_default_str();
  verb.add_option("--backend", options.backend,
                  "cpu, or one instruction set: cpu-avx2, cpu-avx512, "
                  "cpu-amx, cpu-neon, cpu-reference");
}

void AddCacheDirectoryOption(CLI::App& verb, ModelOptions& options) {
  verb.add_option("--cache-directory", options.cache_directory,
                  "Keep how long passes take in this folder, and begin with "
                  "what is kept there; without it nothing is kept");
}

LoadedModel LoadModel(const ModelOptions& options) {
  LoadedModel loaded;
  loaded.path = FindModel(options.model);
  loaded.engine = CreateEngine(options.num_threads, options.backend,
                               options.cache_directory);
  SetPriority(loaded.engine.get(), options.priority);
  Check(
      specinfer_engine_set_duty_cycle(loaded.engine.get(), options.duty_cycle));
  loaded.model = LoadModel(loaded.engine.get(), loaded.path, options.flags);
  return loaded;
}

LoadedModel LoadModel(const ModelOptions& options,
                      const SpeculationOptions& speculation) {
  LoadedModel loaded = LoadModel(options);
  if (!speculation.draft.empty()) {
    loaded.draft = LoadModel(loaded.engine.get(), FindModel(speculation.draft),
                             SPECINFER_MODEL_DRAFT);
  }
  return loaded;
}

specinfer_session_config SessionConfig(const LoadedModel& loaded,
                                       const SpeculationOptions& speculation,
                                       const std::string& cache_type) {
  specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
  config.cache_type = ParseCacheType(cache_type);
  config.max_tree_nodes = speculation.max_tree_nodes;
  config.draft_model = loaded.draft.get();
  return config;
}

void AddPromptOptions(CLI::App& verb, PromptOptions& options) {
  verb.add_option("-p,--prompt", options.prompt, "The prompt");
  verb.add_option("-f,--file", options.file,
                  "A file with the prompt; - is standard input");
}

std::string ReadPrompt(const PromptOptions& options) {
  if (options.prompt.empty() == options.file.empty()) {
    throw Failure(options.prompt.empty()
                      ? "no prompt: give one with --prompt TEXT or --file FILE"
                      : "two prompts: give --prompt or --file, not both");
  }
  return options.file.empty() ? options.prompt : ReadFile(options.file);
}

void AddCacheTypeOption(CLI::App& verb, std::string& cache_type) {
  verb.add_option("--cache-type", cache_type,
                  "Keys and values as f16, or as q8: half the memory")
      ->capture_default_str();
}

void AddSamplingOptions(CLI::App& verb, SamplingOptions& options) {
  verb.add_option("-n,--max-tokens", options.max_tokens,
                  "Tokens at most; 0: until the end of the text or context")
      ->capture_default_str();
  verb.add_option("--temperature", options.temperature,
                  "0: always the likeliest token")
      ->capture_default_str();
  verb.add_option("--top-k", options.top_k, "Keep the K likeliest tokens");
  verb.add_option("--top-p", options.top_p,
                  "Keep the likeliest tokens of this total probability");
  verb.add_option("--min-p", options.min_p,
                  "Drop tokens below this share of the likeliest");
  verb.add_option("--seed", options.seed, "The same seed gives the same text")
      ->capture_default_str();
  verb.add_option("--stream", options.stream,
                  "Another sequence of random numbers with the same seed");
  verb.add_option("--repetition-penalty", options.repetition_penalty,
                  "Above 1: tokens of the window become less likely");
  verb.add_option("--frequency-penalty", options.frequency_penalty,
                  "Subtracted per occurrence in the window");
  verb.add_option("--presence-penalty", options.presence_penalty,
                  "Subtracted once for tokens of the window");
  verb.add_option("--penalty-window", options.penalty_window,
                  "Tokens looked back on; 0: 64");
  verb.add_option("--dry-multiplier", options.dry_multiplier,
                  "DRY: strength against repeated passages; 0: off");
  verb.add_option("--dry-base", options.dry_base, "DRY: base; 0: 1.75");
  verb.add_option("--dry-allowed-length", options.dry_allowed_length,
                  "DRY: repeated tokens that cost nothing; 0: 2");
  verb.add_option("--dry-window", options.dry_window,
                  "DRY: tokens looked back on; 0: the whole context");
  verb.add_option("--stop", options.stop_strings,
                  "The text ends before this string (may be repeated)")
      ->allow_extra_args(false);
  verb.add_option("--ban", options.banned_strings,
                  "The text never contains this string (may be repeated)")
      ->allow_extra_args(false);
  verb.add_option("--logit-bias", options.logit_biases,
                  "TOKEN=BIAS, -inf bans the token (may be repeated)")
      ->allow_extra_args(false);
  verb.add_flag("--ignore-end", options.ignore_end,
                "Never choose a token that ends the text");
}

Generation::Generation(const SamplingOptions& sampling,
                       const SpeculationOptions& speculation)
    : stop_strings_(Views(sampling.stop_strings)),
      banned_strings_(Views(sampling.banned_strings)) {
  for (const std::string& text : sampling.logit_biases) {
    logit_biases_.push_back(ParseLogitBias(text));
  }
  config_.max_tokens = sampling.max_tokens;
  config_.temperature = sampling.temperature;
  config_.top_k = sampling.top_k;
  config_.top_p = sampling.top_p;
  config_.min_p = sampling.min_p;
  config_.seed = sampling.seed;
  config_.stream = sampling.stream;
  config_.repetition_penalty = sampling.repetition_penalty;
  config_.frequency_penalty = sampling.frequency_penalty;
  config_.presence_penalty = sampling.presence_penalty;
  config_.penalty_window = sampling.penalty_window;
  config_.dry_multiplier = sampling.dry_multiplier;
  config_.dry_base = sampling.dry_base;
  config_.dry_allowed_length = sampling.dry_allowed_length;
  config_.dry_window = sampling.dry_window;
  config_.num_top_log_probabilities = sampling.num_log_probabilities;
  config_.want_log_probabilities = sampling.num_log_probabilities > 0;
  config_.stop_strings = stop_strings_.data();
  config_.num_stop_strings = stop_strings_.size();
  config_.banned_strings = banned_strings_.data();
  config_.num_banned_strings = banned_strings_.size();
  config_.logit_biases = logit_biases_.data();
  config_.num_logit_biases = logit_biases_.size();
  config_.ignore_end = sampling.ignore_end;
  SetSpeculation(speculation, config_);
}

int32_t ParseCacheType(const std::string& word) {
  if (word == "f16") return SPECINFER_CACHE_F16;
  if (word == "q8") return SPECINFER_CACHE_Q8;
  throw Failure("--cache-type \"" + word + "\": there are f16 and q8");
}

}  // namespace specinfer_cli
