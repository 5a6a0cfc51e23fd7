// The C API's objects as unique pointers, and its "ask, then call again"
// buffers as strings and vectors.
#ifndef SPECINFER_TOOLS_SPECINFER_HANDLES_H_
#define SPECINFER_TOOLS_SPECINFER_HANDLES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "specinfer.h"
#include "specinfer/speech.h"

namespace specinfer_cli {

struct Destroy {
  void operator()(specinfer_engine* engine) const {
    specinfer_engine_destroy(engine);
  }
  void operator()(specinfer_model* model) const {
    specinfer_model_destroy(model);
  }
  void operator()(specinfer_session* session) const {
    specinfer_session_destroy(session);
  }
  void operator()(specinfer_transcriber* transcriber) const {
    specinfer_transcriber_destroy(transcriber);
  }
};
using Engine = std::unique_ptr<specinfer_engine, Destroy>;
using Model = std::unique_ptr<specinfer_model, Destroy>;
using Session = std::unique_ptr<specinfer_session, Destroy>;
using Transcriber = std::unique_ptr<specinfer_transcriber, Destroy>;

// `num_threads` 0 and an empty `backend` leave the choice to the library;
// without a `cache_directory` nothing is kept. Warnings go to standard error.
Engine CreateEngine(uint32_t num_threads, const std::string& backend,
                    const std::string& cache_directory = {});

// Loads the model file `path`, with a progress bar on a terminal.
// `flags` are SPECINFER_MODEL_... .
Model LoadModel(const specinfer_engine* engine, const std::string& path,
                uint32_t flags = 0);

Session CreateSession(const specinfer_model* model,
                      const specinfer_session_config& config);

specinfer_model_properties GetProperties(const specinfer_model* model);
specinfer_engine_statistics GetStatistics(const specinfer_engine* engine);
specinfer_session_statistics GetStatistics(specinfer_session* session);
std::optional<std::string> GetMetadata(const specinfer_model* model,
                                       std::string_view key);

// `flags` are SPECINFER_TEXT_... .
std::vector<specinfer_token> Tokenize(const specinfer_model* model,
                                      std::string_view text, uint32_t flags);
std::string Detokenize(const specinfer_model* model,
                       const std::vector<specinfer_token>& tokens,
                       uint32_t flags);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_HANDLES_H_
