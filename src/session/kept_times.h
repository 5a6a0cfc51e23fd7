// What a model's passes take, kept between runs in the engine's
// cache_directory.
#ifndef SPECINFER_SRC_SESSION_KEPT_TIMES_H_
#define SPECINFER_SRC_SESSION_KEPT_TIMES_H_

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "src/backend/engine.h"
#include "src/speculate/pass_times.h"

namespace specinfer {

// One file for each (processor, backend, threads, model, kind): a line that
// says all of these, which must be the very same to be believed, and a line of
// PassTimes::ToJson. Numbers only: nothing of any text.
//
// Processes may share the directory: files appear whole, and the last one
// counts. What cannot be read or written is a line in the log, nothing more.
// Thread-safe.
class KeptTimes {
 public:
  // `kind` tells a model's several times apart. `engine` must outlive it;
  // without a cache_directory nothing is read or written.
  KeptTimes(const Engine& engine, std::string_view kind,
            uint64_t model_fingerprint, PassTimesPrior prior);

  // The first call reads what an earlier run kept.
  PassTimes& times();
  // Whether there was something. Asks for times() first.
  bool begins_with_kept();

  // Both write a kilobyte or so (60 us on a local disk, without waiting for
  // it), if passes were timed meanwhile that are worth it and the engine still
  // has the threads that it had at first.
  //
  // Between answers, where nobody waits for a token; at most every five
  // minutes.
  void KeepAfterAnswer();
  // The model is released.
  void KeepAtEnd();

 private:
  void Read();
  void Keep(int64_t now_us);

  const Engine& engine_;
  const std::string kind_;
  const uint64_t model_fingerprint_;
  PassTimes times_;
  std::once_flag first_use_;

  std::mutex mutex_;     // of what follows
  int num_threads_ = 0;  // at the first use
  std::string identity_;
  std::string path_;  // empty: nothing is kept
  bool has_read_ = false;
  uint64_t num_kept_ = 0;
  int64_t kept_us_ = -1;  // when
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SESSION_KEPT_TIMES_H_
