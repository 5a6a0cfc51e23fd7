// The arm of `bench --step`: what a game's frame loop and a cancel button see.
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "bench_arms.h"
#include "failure.h"

namespace specinfer_cli {
namespace {

constexpr uint64_t kStepMicroseconds = 2000;
constexpr int kCancelsPerRun = 10;

class StepArm : public BenchArm {
 public:
  StepArm(const LoadedModel& loaded, const BenchOptions& options) {
    const uint64_t vocabulary_size =
        GetProperties(loaded.model.get()).vocabulary_size;
    for (uint64_t i = 0; i < options.num_step_tokens; ++i) {
      prompt_.push_back(
          static_cast<specinfer_token>((i * 7919 + 1) % vocabulary_size));
    }
    constexpr uint32_t kRoom = 128;
    specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
    config.cache_type = ParseCacheType(options.cache_type);
    config.max_context_tokens = options.num_step_tokens + kRoom;
    session_ = CreateSession(loaded.model.get(), config);
    config_.ignore_end = 1;
  }

  void Run(bool is_warm_up) override {
    const double prefill_milliseconds = RunSteps(is_warm_up);
    for (int i = 0; i < kCancelsPerRun; ++i) {
      // Moments spread over the first half of the prefill.
      const double moment =
          prefill_milliseconds * 0.5 * (i + 0.5) / kCancelsPerRun;
      const double milliseconds = RunCancel(moment);
      if (!is_warm_up) cancel_milliseconds_.push_back(milliseconds);
    }
  }

  std::vector<BenchRow> Rows() const override {
    return {Row("step", step_milliseconds_),
            Row("cancel", cancel_milliseconds_)};
  }

 private:
  void Restart() {
    Check(specinfer_session_truncate(session_.get(), 0));
    Check(specinfer_session_set_prompt_tokens(session_.get(), prompt_.data(),
                                              prompt_.size(), nullptr));
  }

  // Gives how long the prefill took.
  double RunSteps(bool is_warm_up) {
    Restart();
    Check(specinfer_session_start(session_.get(), &config_));
    const Stopwatch whole;
    while (true) {
      specinfer_event event = SPECINFER_EVENT_INIT;
      const Stopwatch stopwatch;
      Check(specinfer_session_step(session_.get(), kStepMicroseconds, &event));
      if (!is_warm_up) step_milliseconds_.push_back(stopwatch.Milliseconds());
      if (event.state != SPECINFER_STEP_MORE) return whole.Milliseconds();
    }
  }

  // Cancels a blocking call `moment` milliseconds after it began; gives how
  // long it then went on.
  double RunCancel(double moment) {
    Restart();
    using Clock = std::chrono::steady_clock;
    Clock::time_point returned;
    specinfer_status status = SPECINFER_OK;
    std::thread worker([&] {
      status = specinfer_session_generate(session_.get(), &config_,
                                          /*callback=*/nullptr,
                                          /*user_data=*/nullptr);
      returned = Clock::now();
    });
    std::this_thread::sleep_for(
        std::chrono::duration<double, std::milli>(moment));
    const Clock::time_point asked = Clock::now();
    specinfer_session_cancel(session_.get());
    worker.join();
    if (status != SPECINFER_CANCELLED) {
      throw Failure("a cancelled answer ended with " +
                    std::string(specinfer_status_name(status)) +
                    ": give --step more tokens");
    }
    return std::chrono::duration<double, std::milli>(returned - asked).count();
  }

  BenchRow Row(const char* what, const std::vector<double>& times) const {
    BenchRow row = {{"what", what}, {"tokens", prompt_.size()}};
    PutTimes(times, row);
    row["milliseconds_p99"] = Quantile(times, 0.99);
    row["count"] = times.size();
    return row;
  }

  std::vector<specinfer_token> prompt_;
  Session session_;
  specinfer_generation_config config_ = SPECINFER_GENERATION_CONFIG_INIT;
  std::vector<double> step_milliseconds_;
  std::vector<double> cancel_milliseconds_;
};

}  // namespace

std::unique_ptr<BenchArm> MakeStepArm(const LoadedModel& loaded,
                                      const BenchOptions& options) {
  return std::make_unique<StepArm>(loaded, options);
}

}  // namespace specinfer_cli
