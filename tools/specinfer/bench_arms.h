// The arms of `specinfer bench`: each is prepared once and then run in turn
// with the others, so that a slow minute of the machine hits all alike.
#ifndef SPECINFER_TOOLS_SPECINFER_BENCH_ARMS_H_
#define SPECINFER_TOOLS_SPECINFER_BENCH_ARMS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bounds.h"
#include "measurement.h"
#include "options.h"
#include "prompt_list.h"
#include "transcription.h"

namespace specinfer_cli {

// The most rows of a pass: the largest chunk of a prompt that a session takes.
inline constexpr uint32_t kMaxBenchRows = 512;
inline constexpr uint32_t kDefaultRowsContext = 256;

// `bench --prompts`.
struct PromptsOptions {
  std::vector<std::string> files;
  PromptSelection selection;
  std::vector<std::string> strategies = {"off", "auto"};
  uint32_t max_tokens = 128;
  double temperature = 0;
  uint64_t seed = 0;
  bool writes_ids = false;
};

// `bench --transcripts`.
struct TranscriptsOptions {
  std::string file;
  SpeechOptions speech;
};

struct BenchOptions {
  ModelOptions model;
  SpeculationOptions speculation = {.strategy = "off"};
  PromptsOptions prompts;
  TranscriptsOptions transcripts;
  std::vector<uint32_t> row_counts;  // each from 1 to kMaxBenchRows
  uint32_t num_decode_tokens = 0;
  uint32_t num_prefill_tokens = 0;
  uint32_t num_step_tokens = 0;
  uint32_t num_context_tokens = 0;
  std::string cache_type = "f16";
  uint32_t num_repeats = 5;
  std::string perplexity_file;
  std::string json_file;
  bool loads = false;
};

// One arm. Run() is called once to warm up and then once per repeat.
class BenchArm {
 public:
  virtual ~BenchArm() = default;
  virtual void Run(bool is_warm_up) = 0;
  // Its lines of the report; keys that all rows share are added by the caller.
  virtual std::vector<BenchRow> Rows() const = 0;
};

// The first token of a text, then tokens spread over the whole vocabulary: no
// row of the embedding table is in the processor's cache by luck.
std::vector<specinfer_token> SpreadTokens(const specinfer_model* model,
                                          uint32_t num_tokens);

// Seconds of N passes of one token: an answer of N tokens to a text of one.
std::unique_ptr<BenchArm> MakeDecodeArm(const LoadedModel& loaded,
                                        const BenchOptions& options);
// Seconds until the first token after a prompt of N tokens.
std::unique_ptr<BenchArm> MakePrefillArm(const LoadedModel& loaded,
                                         const BenchOptions& options);
// exp of the mean negative log-likelihood of tokens 2...N of a file's first N.
std::unique_ptr<BenchArm> MakePerplexityArm(const LoadedModel& loaded,
                                            const BenchOptions& options);
// Seconds of one pass for each count of rows, behind --context tokens, with an
// arg-max for every row.
std::unique_ptr<BenchArm> MakeRowsArm(const LoadedModel& loaded,
                                      const BenchOptions& options,
                                      Bounds& bounds);
// How long step(2000) takes during a prefill of N tokens, and how soon a
// cancel from another thread ends one.
std::unique_ptr<BenchArm> MakeStepArm(const LoadedModel& loaded,
                                      const BenchOptions& options);
// Time of loading, warm, and the process's peak memory after the first time.
std::unique_ptr<BenchArm> MakeLoadArm(const BenchOptions& options);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_BENCH_ARMS_H_
