#include "src/backend/engine.h"

#include <utility>

#include "src/backend/registry.h"
#include "src/base/status_macros.h"
#include "src/base/thread_pool.h"

namespace specinfer {

absl::StatusOr<std::unique_ptr<Engine>> CreateEngine(EngineOptions options) {
  auto engine = std::make_unique<Engine>();
  engine->memory = std::make_unique<Memory>(options.memory_budget_bytes,
                                            options.memory_hooks);
  engine->executor = std::move(options.executor);
  if (engine->executor == nullptr)
    engine->executor = std::make_unique<ThreadPool>(options.num_threads);
  engine->log = options.log;
  engine->file_reader = options.file_reader;
  engine->cache_directory = std::move(options.cache_directory);
  engine->turns = std::make_unique<Turns>();
  SPECINFER_ASSIGN_OR_RETURN(
      engine->backend,
      CreateBackend(options.backend, *engine->memory, *engine->executor));
  return engine;
}

}  // namespace specinfer
