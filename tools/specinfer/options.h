// The options that verbs share, under the same names everywhere.
#ifndef SPECINFER_TOOLS_SPECINFER_OPTIONS_H_
#define SPECINFER_TOOLS_SPECINFER_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "handles.h"
#include "specinfer.h"
#include "speculation_options.h"
#include <CLI/App.hpp>

namespace specinfer_cli {

struct ModelOptions {
  std::string model;
  std::string backend;
  uint32_t num_threads = 0;
  std::string priority = "normal";
  float duty_cycle = 1.0f;
  std::string cache_directory;
  uint32_t flags = 0;  // SPECINFER_MODEL_...
};
void AddModelOptions(CLI::App& verb, ModelOptions& options);
void AddCacheDirectoryOption(CLI::App& verb, ModelOptions& options);

// An engine and the models that were asked for.
struct LoadedModel {
  Engine engine;
  Model model;
  Model draft;  // null: none
  std::string path;
};
LoadedModel LoadModel(const ModelOptions& options);
// With the draft model that `speculation` names, if any.
LoadedModel LoadModel(const ModelOptions& options,
                      const SpeculationOptions& speculation);

// A config with the draft model and the cache type.
specinfer_session_config SessionConfig(const LoadedModel& loaded,
                                       const SpeculationOptions& speculation,
                                       const std::string& cache_type);

// --prompt and --file, of which one is given.
struct PromptOptions {
  std::string prompt;
  std::string file;
};
void AddPromptOptions(CLI::App& verb, PromptOptions& options);
// The prompt's text; throws Failure when neither or both are given.
std::string ReadPrompt(const PromptOptions& options);

struct SamplingOptions {
  uint32_t max_tokens = 0;
  float temperature = 0;
  uint32_t top_k = 0;
  float top_p = 0;
  float min_p = 0;
  uint64_t seed = 0;
  uint64_t stream = 0;
  float repetition_penalty = 0;
  float frequency_penalty = 0;
  float presence_penalty = 0;
  uint32_t penalty_window = 0;
  float dry_multiplier = 0;
  float dry_base = 0;
  uint32_t dry_allowed_length = 0;
  uint32_t dry_window = 0;
  uint32_t num_log_probabilities = 0;
  std::vector<std::string> stop_strings;
  std::vector<std::string> banned_strings;
  std::vector<std::string> logit_biases;
  bool ignore_end = false;
};
// Defaults shown by --help are the values `options` has now.
void AddSamplingOptions(CLI::App& verb, SamplingOptions& options);
void AddCacheTypeOption(CLI::App& verb, std::string& cache_type);

// A generation config with the arrays that it points to.
class Generation {
 public:
  // Throws Failure for what cannot be read. `sampling` must outlive this.
  Generation(const SamplingOptions& sampling,
             const SpeculationOptions& speculation);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  const specinfer_generation_config& config() const { return config_; }

 private:
  specinfer_generation_config config_ = SPECINFER_GENERATION_CONFIG_INIT;
  std::vector<specinfer_text> stop_strings_;
  std::vector<specinfer_text> banned_strings_;
  std::vector<specinfer_logit_bias> logit_biases_;
};

// SPECINFER_CACHE_... of a word; throws Failure with the words there are.
int32_t ParseCacheType(const std::string& word);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_OPTIONS_H_
