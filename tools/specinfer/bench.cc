// bench: measures in alternation, prints a table, writes JSON lines.
#include <memory>

#include "bench_arms.h"
#include "bench_table.h"
#include "bounds.h"
#include "failure.h"
#include "model_list.h"
#include "processor.h"
#include "progress_bar.h"
#include "prompts_bench.h"
#include "prompts_report.h"
#include "transcripts_bench.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace specinfer_cli {
namespace {

using Arms = std::vector<std::unique_ptr<BenchArm>>;

// Each run begins with another arm, so that no arm always follows the same
// one. `bounds` may be null.
void RunInTurn(const Arms& arms, uint32_t num_repeats, Bounds* bounds) {
  ProgressBar bar("measuring");
  const uint32_t num_runs = num_repeats + 1;
  for (uint32_t run = 0; run < num_runs; ++run) {
    for (size_t i = 0; i < arms.size(); ++i) {
      if (bounds != nullptr) bounds->Sample();
      arms[(run + i) % arms.size()]->Run(/*is_warm_up=*/run == 0);
      bar.Show(static_cast<double>(run * arms.size() + i + 1) /
               static_cast<double>(num_runs * arms.size()));
    }
  }
}

void PutMachine(const BenchOptions& options,
                const specinfer_engine_statistics& engine, BenchRow& row) {
  row["model"] = options.model.model;
  row["threads"] = engine.num_threads;
  row["backend"] = std::string(engine.backend);
  row["cpu"] = ProcessorName();
}

void Collect(const Arms& arms, const BenchOptions& options,
             const specinfer_engine_statistics& engine,
             std::vector<BenchRow>& rows) {
  for (const auto& arm : arms) {
    for (BenchRow row : arm->Rows()) {
      PutMachine(options, engine, row);
      row["strategy"] = options.speculation.strategy;
      rows.push_back(std::move(row));
    }
  }
}

// Loading comes first, in a process that has loaded nothing yet.
void MeasureLoading(const BenchOptions& options, std::vector<BenchRow>& rows) {
  Arms arms;
  arms.push_back(MakeLoadArm(options));
  RunInTurn(arms, options.num_repeats, /*bounds=*/nullptr);
  const Engine engine =
      CreateEngine(options.model.num_threads, options.model.backend);
  Collect(arms, options, GetStatistics(engine.get()), rows);
}

void MeasureArms(const LoadedModel& loaded, const BenchOptions& options,
                 std::vector<BenchRow>& rows) {
  Bounds bounds(loaded.model.get());
  Arms arms;
  if (!options.row_counts.empty()) {
    arms.push_back(MakeRowsArm(loaded, options, bounds));
  }
  if (options.num_decode_tokens > 0) {
    arms.push_back(MakeDecodeArm(loaded, options));
  }
  if (options.num_prefill_tokens > 0) {
    arms.push_back(MakePrefillArm(loaded, options));
  }
  if (!options.perplexity_file.empty()) {
    arms.push_back(MakePerplexityArm(loaded, options));
  }
  if (options.num_step_tokens > 0) arms.push_back(MakeStepArm(loaded, options));
  RunInTurn(arms, options.num_repeats, &bounds);
  const specinfer_engine_statistics engine = GetStatistics(loaded.engine.get());
  Collect(arms, options, engine, rows);
  for (BenchRow& row : rows) {
    if (row.contains("read_bytes")) bounds.Put(row);
  }
}

// What the strategies are is checked before a model is loaded.
void CheckStrategies(const BenchOptions& options) {
  specinfer_generation_config config = SPECINFER_GENERATION_CONFIG_INIT;
  SetSpeculation(options.speculation, config);
  if (options.prompts.files.empty()) return;
  for (const std::string& strategy : options.prompts.strategies) {
    ParseStrategy(strategy);
    CheckDraft(strategy, options.speculation);
  }
  if (options.prompts.writes_ids && options.json_file.empty()) {
    throw Failure("--ids needs a place for the ids: add --json FILE");
  }
}

void Bench(const BenchOptions& options) {
  const bool needs_arms =
      options.num_decode_tokens > 0 || options.num_prefill_tokens > 0 ||
      options.num_step_tokens > 0 || !options.perplexity_file.empty() ||
      !options.row_counts.empty();
  const bool needs_prompts = !options.prompts.files.empty();
  const bool needs_transcripts = !options.transcripts.file.empty();
  if (!needs_arms && !needs_prompts && !needs_transcripts && !options.loads) {
    throw Failure(
        "nothing to measure: give --prompts FILE, --transcripts FILE, --rows "
        "N,N, --decode N, --prefill N, --perplexity FILE, --step N or --load");
  }
  CheckStrategies(options);
  std::vector<BenchRow> rows;
  std::vector<PromptResult> answers;
  if (options.loads) MeasureLoading(options, rows);
  if (needs_arms || needs_prompts || needs_transcripts) {
    const LoadedModel loaded = LoadModel(options.model, options.speculation);
    if (needs_arms) MeasureArms(loaded, options, rows);
    if (needs_prompts) answers = MeasurePrompts(loaded, options);
    for (BenchRow& row : PromptsRows(answers, options)) {
      PutMachine(options, GetStatistics(loaded.engine.get()), row);
      rows.push_back(std::move(row));
    }
    if (needs_transcripts) {
      for (BenchRow& row : MeasureTranscripts(loaded, options)) {
        PutMachine(options, GetStatistics(loaded.engine.get()), row);
        rows.push_back(std::move(row));
      }
    }
  }
  if (!options.json_file.empty()) WriteJsonLines(options.json_file, rows);
  if (options.json_file != "-") PrintTable(rows);
  // The figures of a wrong text are seen before it fails the program.
  CheckSameText(answers, options);
}

void AddPromptsOptions(CLI::App& verb, PromptsOptions& options) {
  verb.add_option("--prompts", options.files,
                  "Answer the prompts of a file of JSON lines (\"user\", "
                  "perhaps \"category\") with each of --strategies in turn; "
                  "reading a prompt is not timed")
      ->delimiter(',');
  verb.add_option("--strategies", options.strategies,
                  "With --prompts: the strategies, off among them")
      ->delimiter(',')
      ->capture_default_str();
  verb.add_option("--categories", options.selection.categories,
                  "With --prompts: only of these categories, as math,qa")
      ->delimiter(',');
  verb.add_option("--skip", options.selection.num_skipped,
                  "With --prompts: leave the first N of each file out");
  verb.add_option("--limit", options.selection.max_prompts,
                  "With --prompts: at most N of each file; 0: all");
  verb.add_option("-n,--max-tokens", options.max_tokens,
                  "With --prompts: tokens of an answer at most; 0: until its "
                  "end")
      ->capture_default_str();
  verb.add_option("--temperature", options.temperature,
                  "With --prompts; 0: always the likeliest token")
      ->capture_default_str();
  verb.add_option("--seed", options.seed,
                  "With --prompts: the same seed gives the same text")
      ->capture_default_str();
  verb.add_flag("--ids", options.writes_ids,
                "With --prompts and --json: also an object with the token ids "
                "of each answer");
}

}  // namespace

void AddBench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* verb = app.add_subcommand("bench", "Measures a model here");
  AddModelOptions(*verb, options->model);
  AddCacheDirectoryOption(*verb, options->model);
  verb->add_option("--rows", options->row_counts,
                   "t(n): one pass over n tokens behind --context others (0: "
                   "256), as 1,2,4,8,16; milliseconds are of the pass")
      ->delimiter(',')
      ->check(CLI::Range(1u, kMaxBenchRows));
  verb->add_option("--decode", options->num_decode_tokens,
                   "Decode N tokens; milliseconds are per token");
  verb->add_option("--prefill", options->num_prefill_tokens,
                   "Read a prompt of N tokens; milliseconds are of all");
  verb->add_option("--perplexity", options->perplexity_file,
                   "Perplexity of the file's first tokens, as many as "
                   "--context (0: 1024), in one window");
  verb->add_option("--step", options->num_step_tokens,
                   "How long steps of 2 ms take while a prompt of N tokens is "
                   "read, and how soon a cancel ends one");
  verb->add_flag("--load", options->loads,
                 "Time of loading, warm, and the process's peak memory");
  verb->add_option("--context", options->num_context_tokens,
                   "Context in tokens; 0: as many as each measurement needs");
  AddCacheTypeOption(*verb, options->cache_type);
  verb->add_option("--repeat", options->num_repeats,
                   "Times that each is measured, in turn, after a warm-up")
      ->check(CLI::Range(1u, 100000u))
      ->capture_default_str();
  AddSpeculationOptions(*verb, options->speculation);
  AddPromptsOptions(*verb, options->prompts);
  verb->add_option("--transcripts", options->transcripts.file,
                   "Write down the recordings of a list (FILE<TAB>text, or "
                   "<s> text </s> (NAME)) and count the English words that "
                   "are wrong");
  AddSpeechOptions(*verb, options->transcripts.speech, options->model);
  verb->add_option("--json", options->json_file,
                   "Also write one JSON object per line to this file; -: to "
                   "standard output instead of the table");
  verb->callback([options] { Bench(*options); });
}

}  // namespace specinfer_cli
