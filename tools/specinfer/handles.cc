#include "handles.h"

#include <cstdio>

#include "failure.h"
#include "progress_bar.h"

namespace specinfer_cli {
namespace {

void PrintLog(void* /*user_data*/, int32_t level, const char* text,
              size_t length) {
  constexpr int32_t kWarning = 2;
  if (level < kWarning) return;
  std::fprintf(stderr, "specinfer: %s%.*s\n",
               level == kWarning ? "warning: " : "", static_cast<int>(length),
               text);
}

int32_t ShowProgress(void* user_data, float fraction) {
  static_cast<ProgressBar*>(user_data)->Show(static_cast<double>(fraction));
  return 0;
}

}  // namespace

Engine CreateEngine(uint32_t num_threads, const std::string& backend,
                    const std::string& cache_directory) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.num_threads = num_threads;
  config.log = PrintLog;
  config.backend = backend.empty() ? nullptr : backend.c_str();
  config.cache_directory =
      cache_directory.empty() ? nullptr : cache_directory.c_str();
  specinfer_engine* engine = nullptr;
  Check(specinfer_engine_create(&config, &engine));
  return Engine(engine);
}

Model LoadModel(const specinfer_engine* engine, const std::string& path,
                uint32_t flags) {
  ProgressBar bar("loading");
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
  config.progress = ShowProgress;
  config.progress_user_data = &bar;
  config.flags = flags;
  specinfer_model* model = nullptr;
  const specinfer_status status =
      specinfer_model_load(engine, path.data(), path.size(), &config, &model);
  bar.Clear();
  Check(status);
  return Model(model);
}

Session CreateSession(const specinfer_model* model,
                      const specinfer_session_config& config) {
  specinfer_session* session = nullptr;
  Check(specinfer_session_create(model, &config, &session));
  return Session(session);
}

specinfer_model_properties GetProperties(const specinfer_model* model) {
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  Check(specinfer_model_get_properties(model, &properties));
  return properties;
}

specinfer_engine_statistics GetStatistics(const specinfer_engine* engine) {
  specinfer_engine_statistics statistics = SPECINFER_ENGINE_STATISTICS_INIT;
  Check(specinfer_engine_get_statistics(engine, &statistics));
  return statistics;
}

specinfer_session_statistics GetStatistics(specinfer_session* session) {
  specinfer_session_statistics statistics = SPECINFER_SESSION_STATISTICS_INIT;
  Check(specinfer_session_get_statistics(session, &statistics));
  return statistics;
}

std::optional<std::string> GetMetadata(const specinfer_model* model,
                                       std::string_view key) {
  size_t length = 0;
  specinfer_status status = specinfer_model_get_metadata(
      model, key.data(), key.size(), nullptr, 0, &length);
  if (status == SPECINFER_NOT_FOUND) return std::nullopt;
  Check(status);
  std::string value(length, '\0');
  Check(specinfer_model_get_metadata(model, key.data(), key.size(),
                                     value.data(), value.size(), &length));
  return value;
}

std::vector<specinfer_token> Tokenize(const specinfer_model* model,
                                      std::string_view text, uint32_t flags) {
  // A token is seldom shorter than a byte: one call is nearly always enough.
  std::vector<specinfer_token> tokens(text.size() + 8);
  size_t length = 0;
  Check(specinfer_model_tokenize(model, text.data(), text.size(), flags,
                                 tokens.data(), tokens.size(), &length));
  if (length > tokens.size()) {
    tokens.resize(length);
    Check(specinfer_model_tokenize(model, text.data(), text.size(), flags,
                                   tokens.data(), tokens.size(), &length));
  }
  tokens.resize(length);
  return tokens;
}

std::string Detokenize(const specinfer_model* model,
                       const std::vector<specinfer_token>& tokens,
                       uint32_t flags) {
  size_t length = 0;
  Check(specinfer_model_detokenize(model, tokens.data(), tokens.size(), flags,
                                   nullptr, 0, &length));
  std::string text(length, '\0');
  Check(specinfer_model_detokenize(model, tokens.data(), tokens.size(), flags,
                                   text.data(), text.size(), &length));
  return text;
}

}  // namespace specinfer_cli
