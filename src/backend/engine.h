// What one specinfer_engine owns: memory, threads, turns, log, backend.
#ifndef SPECINFER_SRC_BACKEND_ENGINE_H_
#define SPECINFER_SRC_BACKEND_ENGINE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "src/backend/backend.h"
#include "src/backend/turns.h"
#include "src/base/executor.h"
#include "src/base/file_mapping.h"
#include "src/base/log.h"
#include "src/base/memory.h"

namespace specinfer {

struct EngineOptions {
  MemoryHooks memory_hooks;
  uint64_t memory_budget_bytes = 0;    // 0: no limit
  std::unique_ptr<Executor> executor;  // null: a pool of num_threads
  int num_threads = 0;                 // 0: all usable CPUs
  LogSink log;
  FileReader file_reader;
  std::string cache_directory;  // empty: nothing is kept between runs
  std::string backend = "cpu";  // "cpu" picks the best; "cpu-reference",
                                // "cpu-avx2", "cpu-avx512" force one
};

// Immutable after creation; its parts are thread-safe. Members die in reverse
// order: memory last.
struct Engine {
  std::unique_ptr<Memory> memory;
  std::unique_ptr<Executor> executor;
  LogSink log;
  FileReader file_reader;
  std::string cache_directory;
  std::unique_ptr<Turns> turns;  // of all passes
  std::unique_ptr<Backend> backend;
};

// Errors: NOT_FOUND for a backend this build or machine lacks, naming those it
// has.
absl::StatusOr<std::unique_ptr<Engine>> CreateEngine(EngineOptions options);

}  // namespace specinfer

#endif  // SPECINFER_SRC_BACKEND_ENGINE_H_
