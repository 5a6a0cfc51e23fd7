// generate: one answer to one prompt.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "answer.h"
#include "explain_page.h"
#include "failure.h"
#include "file_text.h"
#include "options.h"
#include "round_recorder.h"
#include "speculation_report.h"
#include "trace_file.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

constexpr int kInterrupted = 130;

struct GenerateOptions {
  ModelOptions model;
  PromptOptions prompt;
  SamplingOptions sampling;
  SpeculationOptions speculation;
  uint32_t num_context_tokens = 0;
  std::string cache_type = "f16";
  std::string system;
  std::string expect_file;
  std::string explain_file;
  std::string trace_file;
  bool is_raw = false;
  bool parses_special = false;
  bool prints_json = false;
  bool prints_speed = false;
};

void SetPrompt(const GenerateOptions& options, const std::string& prompt,
               const LoadedModel& loaded, specinfer_session* session) {
  if (options.is_raw) {
    const uint32_t flags =
        SPECINFER_TEXT_ADD_BOS |
        (options.parses_special ? SPECINFER_TEXT_PARSE_SPECIAL : 0);
    Check(specinfer_session_set_prompt(session, prompt.data(), prompt.size(),
                                       flags, nullptr));
    return;
  }
  if (GetProperties(loaded.model.get()).has_chat_template == 0) {
    throw Failure("model \"" + loaded.path +
                  "\" has no chat template: add --raw to use the prompt as it "
                  "is");
  }
  if (!options.system.empty()) {
    Check(specinfer_session_append_message(
        session, "system", 6, options.system.data(), options.system.size()));
  }
  Check(specinfer_session_append_message(session, "user", 4, prompt.data(),
                                         prompt.size()));
}

nlohmann::ordered_json AnswerJson(const Answer& answer,
                                  const specinfer_speculation_statistics& all,
                                  const GenerateOptions& options) {
  nlohmann::ordered_json object = {
      {"text", answer.text},
      {"tokens", answer.tokens},
      {"prompt_tokens", answer.num_prompt_tokens},
      {"prefill_seconds", answer.prefill_seconds},
      {"decode_seconds", answer.decode_seconds},
      {"tokens_per_second", answer.TokensPerSecond()},
      {"rounds", answer.num_rounds},
      {"tokens_per_round", answer.TokensPerRound()},
      {"strategy", all.num_rounds == 0 ? options.speculation.strategy
                                       : StrategyWord(all.strategy)},
      {"finish_reason", answer.finish_reason},
      {"speculation", ToJson(all)},
  };
  if (options.sampling.num_log_probabilities == 0) return object;
  object["log_probabilities"] = answer.log_probabilities;
  auto& rows = object["alternatives"] = nlohmann::ordered_json::array();
  for (const auto& alternatives : answer.alternatives) {
    auto& row = rows.emplace_back(nlohmann::ordered_json::array());
    for (const TokenProbability& alternative : alternatives) {
      row.push_back({alternative.token, alternative.log_probability});
    }
  }
  return object;
}

void Print(const Answer& answer, const specinfer_speculation_statistics& all,
           const GenerateOptions& options) {
  if (options.prints_json) {
    using nlohmann::ordered_json;
    const std::string text =
        AnswerJson(answer, all, options)
            .dump(/*indent=*/2, ' ', /*ensure_ascii=*/false,
                  ordered_json::error_handler_t::replace);
    std::printf("%s\n", text.c_str());
  } else {
    std::printf("\n");
  }
  std::fflush(stdout);
  if (options.prints_speed || (isatty(STDERR_FILENO) && isatty(STDOUT_FILENO) &&
                               !options.prints_json)) {
    std::fprintf(stderr, "[%s]\n", Summary(answer).c_str());
  }
}

void WriteFiles(const GenerateOptions& options, const LoadedModel& loaded,
                const std::string& prompt, const Answer& answer,
                const std::vector<RecordedRound>& rounds,
                const specinfer_speculation_statistics& all) {
  if (!options.trace_file.empty()) WriteTrace(options.trace_file, rounds);
  if (options.explain_file.empty()) return;
  const specinfer_engine_statistics engine = GetStatistics(loaded.engine.get());
  WriteExplainPage(
      options.explain_file,
      {.model = loaded.model.get(),
       .model_name = std::filesystem::path(loaded.path).filename().string(),
       .draft_name =
           std::filesystem::path(options.speculation.draft).filename().string(),
       .prompt = prompt,
       .strategy = options.speculation.strategy,
       .verifier = options.speculation.verifier,
       .backend = engine.backend,
       .num_threads = engine.num_threads,
       .temperature = static_cast<double>(options.sampling.temperature),
       .seed = options.sampling.seed,
       .answer = answer,
       .rounds = rounds,
       .statistics = all});
}

void Generate(const GenerateOptions& options) {
  const Generation generation(options.sampling, options.speculation);
  const std::string prompt = ReadPrompt(options.prompt);
  const LoadedModel loaded = LoadModel(options.model, options.speculation);
  specinfer_session_config config =
      SessionConfig(loaded, options.speculation, options.cache_type);
  config.max_context_tokens = options.num_context_tokens;
  const Session session = CreateSession(loaded.model.get(), config);
  SetPrompt(options, prompt, loaded, session.get());
  if (!options.expect_file.empty()) {
    const std::string expected = ReadFile(options.expect_file);
    Check(specinfer_session_set_expected_output(session.get(), expected.data(),
                                                expected.size()));
  }

  std::optional<RoundRecorder> recorder;
  if (!options.explain_file.empty() || !options.trace_file.empty()) {
    recorder.emplace(session.get());
  }
  Interrupt interrupt;
  const Answer answer = MakeAnswer(
      session.get(), generation.config(),
      {.regenerates = false, .streams = !options.prints_json}, interrupt);
  const specinfer_speculation_statistics all = GetSpeculation(session.get());
  Print(answer, all, options);
  if (recorder) {
    WriteFiles(options, loaded, prompt, answer, recorder->rounds(), all);
  }
  if (answer.IsCancelled()) throw Failure("stopped by Ctrl-C", kInterrupted);
}

}  // namespace

void AddGenerate(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* verb = app.add_subcommand("generate", "One answer to one prompt");
  AddModelOptions(*verb, options->model);
  AddCacheDirectoryOption(*verb, options->model);
  AddPromptOptions(*verb, options->prompt);
  AddSamplingOptions(*verb, options->sampling);
  AddSpeculationOptions(*verb, options->speculation);
  verb->add_option("--context", options->num_context_tokens,
                   "Context in tokens; 0: the model's own, at most 4096");
  AddCacheTypeOption(*verb, options->cache_type);
  verb->add_option("--system", options->system, "A system message");
  verb->add_flag("--raw", options->is_raw,
                 "Use the prompt as it is, without the chat template");
  verb->add_flag("--special", options->parses_special,
                 "With --raw: names of control tokens become these tokens");
  verb->add_option("--expect", options->expect_file,
                   "A file with what the answer may look like; changes only "
                   "speed");
  verb->add_option("--log-probabilities",
                   options->sampling.num_log_probabilities,
                   "With --json: log-probabilities and this many alternatives");
  verb->add_flag("--json", options->prints_json,
                 "Print text, token ids, times and rounds as JSON");
  verb->add_flag("--speed", options->prints_speed,
                 "End with a line about speed on standard error");
  verb->add_option("--explain", options->explain_file,
                   "Write a page to this file that shows how the answer was "
                   "made: what was guessed, and what became of it");
  verb->add_option("--trace", options->trace_file,
                   "Write the rounds to this file as trace events, for "
                   "ui.perfetto.dev");
  verb->callback([options] { Generate(*options); });
}

}  // namespace specinfer_cli
