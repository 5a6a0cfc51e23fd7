#include "src/session/kept_times.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "nlohmann/json.hpp"
#include "src/base/clock.h"
#include "src/base/cpu_features.h"
#include "src/base/small_file.h"
#include "src/base/text.h"
#include "xxhash.h"

namespace specinfer {
namespace {

using Json = nlohmann::json;

// To be raised when the lines change, or when passes change so much that old
// times mislead.
constexpr int kFormat = 1;
constexpr size_t kMaxBytes = 32768;

constexpr uint64_t kWorthwhilePasses = 16;
constexpr int64_t kIntervalUs = int64_t{300} * 1000 * 1000;

std::string Hex(uint64_t number) {
  return absl::StrCat(absl::Hex(number, absl::kZeroPad16));
}

// All that times depend on, as one line.
std::string IdentityOf(const Engine& engine, int num_threads,
                       std::string_view kind, uint64_t model_fingerprint) {
  const Json identity = {{"format", kFormat},
                         {"processor", DetectCpuFeatures().name},
                         {"backend", std::string(engine.backend->name())},
                         {"threads", num_threads},
                         {"model", Hex(model_fingerprint)},
                         {"kind", std::string(kind)}};
  return identity.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/true,
                       Json::error_handler_t::replace);
}

}  // namespace

KeptTimes::KeptTimes(const Engine& engine, std::string_view kind,
                     uint64_t model_fingerprint, PassTimesPrior prior)
    : engine_(engine),
      kind_(kind),
      model_fingerprint_(model_fingerprint),
      times_(std::move(prior)) {}

PassTimes& KeptTimes::times() {
  std::call_once(first_use_, [this] { Read(); });
  return times_;
}

bool KeptTimes::begins_with_kept() {
  times();
  const std::lock_guard<std::mutex> lock(mutex_);
  return has_read_;
}

void KeptTimes::Read() {
  if (engine_.cache_directory.empty()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  num_threads_ = engine_.executor->num_threads();
  identity_ = IdentityOf(engine_, num_threads_, kind_, model_fingerprint_);
  path_ = Cat(engine_.cache_directory, "/pass-times-",
              Hex(XXH3_64bits(identity_.data(), identity_.size())), "-", kind_,
              ".json");
  const absl::StatusOr<std::string> text = ReadSmallFile(path_, kMaxBytes);
  if (absl::IsNotFound(text.status())) return;
  absl::Status status = text.status();
  if (text.ok()) {
    const std::string_view lines = *text;
    status = lines.substr(0, identity_.size() + 1) == identity_ + "\n"
                 ? times_.FromJson(lines.substr(identity_.size() + 1))
                 : absl::InvalidArgumentError(
                       "it is not of this model, "
                       "machine and version");
  }
  has_read_ = status.ok();
  if (has_read_) {
    engine_.log.Write(LogLevel::kInfo,
                      Cat("times of passes are those of \"", path_, "\""));
  } else {
    engine_.log.Write(LogLevel::kWarning, Cat("times of passes in \"", path_,
                                              "\" are not used and will be "
                                              "replaced: ",
                                              ToStd(status.message())));
  }
}

void KeptTimes::KeepAfterAnswer() {
  // Another session is at it.
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  const int64_t now_us = NowMicros();
  if (!lock.owns_lock() || (kept_us_ >= 0 && now_us - kept_us_ < kIntervalUs))
    return;
  Keep(now_us);
}

void KeptTimes::KeepAtEnd() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Keep(NowMicros());
}

void KeptTimes::Keep(int64_t now_us) {
  const uint64_t num_recorded = times_.num_recorded();
  if (path_.empty() || num_recorded - num_kept_ < kWorthwhilePasses ||
      engine_.executor->num_threads() != num_threads_)
    return;
  num_kept_ = num_recorded;
  kept_us_ = now_us;
  const absl::Status status =
      WriteSmallFile(path_, Cat(identity_, "\n", times_.ToJson(), "\n"));
  if (status.ok()) return;
  engine_.log.Write(
      LogLevel::kWarning,
      Cat("times of passes are not kept: ", ToStd(status.message()),
          "; cache_directory must be a folder to write to"));
  path_.clear();
}

}  // namespace specinfer
