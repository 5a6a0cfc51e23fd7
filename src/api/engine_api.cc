// specinfer_engine: the caller's hooks become an Engine.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/api/handles.h"
#include "src/api/host_executor.h"
#include "src/api/sized_struct.h"

namespace specinfer {
namespace {

constexpr SizedStruct kConfig = {
    "specinfer_engine_config", "config", "SPECINFER_ENGINE_CONFIG_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_engine_config, backend)};
constexpr SizedStruct kStatistics = {
    "specinfer_engine_statistics", "out_statistics",
    "SPECINFER_ENGINE_STATISTICS_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_engine_statistics, backend)};
constexpr uint32_t kMaxThreads = 1024;
constexpr size_t kMaxPathBytes = 4096;
constexpr size_t kMaxBackendNameBytes = 64;

absl::Status CheckHeaderVersion(uint32_t version) {
  constexpr uint32_t kMajor = 10000, kMinor = 100;
  if (version == 0) {
    return absl::FailedPreconditionError(
        "config->header_version is 0; start from SPECINFER_ENGINE_CONFIG_INIT");
  }
  // An older program is served; a newer one may want what is not here.
  if (version / kMajor == SPECINFER_VERSION_MAJOR &&
      version / kMinor <= SPECINFER_VERSION / kMinor) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "the program was compiled with the header of specinfer ",
      version / kMajor, ".", version / kMinor % 100, ".", version % kMinor,
      ", the library is ", SPECINFER_VERSION_MAJOR, ".",
      SPECINFER_VERSION_MINOR, ".", SPECINFER_VERSION_PATCH,
      "; ship the library that belongs to the header"));
}

absl::Status CheckConfig(const specinfer_engine_config& config) {
  SPECINFER_RETURN_IF_ERROR(CheckHeaderVersion(config.header_version));
  if (config.reserved != 0 || config.reserved2 != 0) {
    return absl::InvalidArgumentError(
        "config->reserved and config->reserved2 must be 0");
  }
  if (config.num_threads > kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("config->num_threads is ", config.num_threads,
                     ", the limit is ", kMaxThreads));
  }
  if ((config.allocate == nullptr) != (config.release == nullptr)) {
    return absl::InvalidArgumentError(
        "config->allocate and config->release must be set both or neither");
  }
  if ((config.file_size == nullptr) != (config.file_read == nullptr)) {
    return absl::InvalidArgumentError(
        "config->file_size and config->file_read must be set both or neither");
  }
  if ((config.run_tasks == nullptr) != (config.executor_workers == 0)) {
    return absl::InvalidArgumentError(
        "config->run_tasks and config->executor_workers must be set both or "
        "neither");
  }
  if (config.executor_workers > kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("config->executor_workers is ", config.executor_workers,
                     ", the limit is ", kMaxThreads));
  }
  return absl::OkStatus();
}

// A NUL-terminated field; NULL is empty.
absl::StatusOr<std::string> ReadTerminated(const char* text, size_t max_bytes,
                                           const char* field) {
  if (text == nullptr) return std::string();
  const size_t length = strnlen(text, max_bytes + 1);
  if (length <= max_bytes) return std::string(text, length);
  return absl::InvalidArgumentError(
      absl::StrCat("config->", field, " is longer than ", max_bytes, " bytes"));
}

absl::StatusOr<EngineOptions> ReadConfig(
    const specinfer_engine_config& config) {
  SPECINFER_RETURN_IF_ERROR(CheckConfig(config));
  EngineOptions options;
  options.memory_hooks = {config.allocate, config.release,
                          config.allocator_user_data};
  options.memory_budget_bytes = config.memory_budget_bytes;
  options.num_threads = static_cast<int>(config.num_threads);
  options.log = {config.log, config.log_user_data};
  options.file_reader = {config.file_size, config.file_read,
                         config.file_user_data};
  if (config.run_tasks != nullptr) {
    options.executor = std::make_unique<HostExecutor>(
        config.run_tasks, config.executor_user_data,
        static_cast<int>(config.executor_workers));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      options.cache_directory,
      ReadTerminated(config.cache_directory, kMaxPathBytes, "cache_directory"));
  if (config.backend != nullptr) {
    SPECINFER_ASSIGN_OR_RETURN(
        options.backend,
        ReadTerminated(config.backend, kMaxBackendNameBytes, "backend"));
  }
  return options;
}

absl::StatusOr<ThreadPriority> ReadPriority(int32_t priority) {
  switch (priority) {
    case SPECINFER_PRIORITY_NORMAL:
      return ThreadPriority::kNormal;
    case SPECINFER_PRIORITY_HIGH:
      return ThreadPriority::kHigh;
    case SPECINFER_PRIORITY_LOW:
      return ThreadPriority::kLow;
    case SPECINFER_PRIORITY_IDLE:
      return ThreadPriority::kIdle;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "priority is ", priority, ", which is no SPECINFER_PRIORITY_…"));
  }
}

absl::Status CheckDutyCycle(float fraction) {
  constexpr float kLeast = static_cast<float>(DutyCycle::kLeastFraction);
  if (fraction >= kLeast && fraction <= 1.0f) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("fraction is ", fraction, ", must be ", kLeast, " to 1"));
}

}  // namespace
}  // namespace specinfer

using specinfer::CheckPointer;
using specinfer::Edge;

extern "C" {

specinfer_status specinfer_engine_create(const specinfer_engine_config* config,
                                         specinfer_engine** out_engine) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_engine, "out_engine"));
    specinfer_engine_config known = SPECINFER_ENGINE_CONFIG_INIT;
    if (config != nullptr) {
      SPECINFER_RETURN_IF_ERROR(
          specinfer::ReadSizedStruct(config, specinfer::kConfig, &known));
    }
    SPECINFER_ASSIGN_OR_RETURN(specinfer::EngineOptions options,
                               specinfer::ReadConfig(known));
    auto handle = std::make_unique<specinfer_engine>();
    SPECINFER_ASSIGN_OR_RETURN(handle->engine,
                               specinfer::CreateEngine(std::move(options)));
    *out_engine = handle.release();
    return absl::OkStatus();
  });
}

void specinfer_engine_destroy(specinfer_engine* engine) { delete engine; }

specinfer_status specinfer_engine_get_statistics(
    const specinfer_engine* engine,
    specinfer_engine_statistics* out_statistics) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_statistics, specinfer::kStatistics));
    const specinfer::Engine& parts = *engine->engine;
    specinfer_engine_statistics statistics = SPECINFER_ENGINE_STATISTICS_INIT;
    statistics.num_threads =
        static_cast<uint32_t>(parts.executor->num_threads());
    statistics.max_threads =
        static_cast<uint32_t>(parts.executor->num_workers());
    statistics.priority = static_cast<int32_t>(parts.executor->priority());
    statistics.duty_cycle =
        static_cast<float>(parts.executor->duty_cycle().fraction());
    statistics.memory_used_bytes = parts.memory->used_bytes();
    statistics.memory_peak_bytes = parts.memory->peak_bytes();
    statistics.memory_budget_bytes = parts.memory->budget_bytes();
    const std::string_view name =
        parts.backend->name().substr(0, sizeof(statistics.backend) - 1);
    std::memcpy(statistics.backend, name.data(), name.size());
    specinfer::WriteSizedStruct(statistics, out_statistics);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_engine_set_num_threads(specinfer_engine* engine,
                                                  uint32_t num_threads) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    return engine->engine->executor->SetNumThreads(
        static_cast<int>(std::min(num_threads, 2 * specinfer::kMaxThreads)));
  });
}

specinfer_status specinfer_engine_set_priority(specinfer_engine* engine,
                                               int32_t priority) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::ThreadPriority known,
                               specinfer::ReadPriority(priority));
    return engine->engine->executor->SetPriority(known);
  });
}

specinfer_status specinfer_engine_set_duty_cycle(specinfer_engine* engine,
                                                 float fraction) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(engine, "engine"));
    SPECINFER_RETURN_IF_ERROR(specinfer::CheckDutyCycle(fraction));
    engine->engine->executor->duty_cycle().set_fraction(
        static_cast<double>(fraction));
    return absl::OkStatus();
  });
}

}  // extern "C"
