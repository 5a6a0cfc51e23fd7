// The arm of `bench --rows`: t(n), how long a pass over n tokens takes. What
// speculation can win is how flat this is.
#include <algorithm>
#include <memory>

#include "bench_arms.h"
#include "failure.h"

namespace specinfer_cli {
namespace {

class RowsArm : public BenchArm {
 public:
  RowsArm(const LoadedModel& loaded, const BenchOptions& options,
          Bounds& bounds)
      : cache_type_(options.cache_type),
        counts_(options.row_counts),
        passes_(counts_.size(), SPECINFER_PASS_INIT),
        milliseconds_(counts_.size()),
        bounds_(bounds) {
    // The last token of the content is a pass's first row.
    const uint32_t num_context_tokens = options.num_context_tokens == 0
                                            ? kDefaultRowsContext
                                            : options.num_context_tokens;
    const std::vector<specinfer_token> content =
        SpreadTokens(loaded.model.get(), num_context_tokens + 1);
    specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
    config.cache_type = ParseCacheType(options.cache_type);
    config.max_context_tokens =
        std::max(num_context_tokens + 1,
                 *std::max_element(counts_.begin(), counts_.end()));
    config.prefill_chunk_tokens = kMaxBenchRows;
    config.cache_type = ParseCacheType(options.cache_type);
    session_ = CreateSession(loaded.model.get(), config);
    Check(specinfer_session_append_tokens(session_.get(), content.data(),
                                          content.size()));
  }

  // Each run begins with another count, so that no count always follows the
  // same one.
  void Run(bool is_warm_up) override {
    for (size_t i = 0; i < counts_.size(); ++i) {
      const size_t index = (num_runs_ + i) % counts_.size();
      if (!is_warm_up) bounds_.Sample();
      specinfer_pass& pass = passes_[index];
      Check(specinfer_session_measure_pass(session_.get(), counts_[index],
                                           counts_[index], &pass));
      if (!is_warm_up) milliseconds_[index].push_back(1e3 * pass.seconds);
    }
    ++num_runs_;
  }

  std::vector<BenchRow> Rows() const override {
    std::vector<BenchRow> rows;
    const auto one = std::find(counts_.begin(), counts_.end(), 1u);
    for (size_t i = 0; i < counts_.size(); ++i) {
      BenchRow row = {{"what", "rows"},
                      {"rows", counts_[i]},
                      {"context", passes_[i].num_context_tokens},
                      {"cache_type", cache_type_}};
      PutTimes(milliseconds_[i], row);
      const double milliseconds = row["milliseconds"].get<double>();
      row["tokens_per_second"] = 1e3 * counts_[i] / milliseconds;
      if (one != counts_.end()) {
        const auto& of_one =
            milliseconds_[static_cast<size_t>(one - counts_.begin())];
        row["ratio_to_one_row"] = milliseconds / Quantile(of_one, 0.5);
      }
      PutCost(passes_[i], row);
      rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  const std::string cache_type_;
  const std::vector<uint32_t> counts_;
  std::vector<specinfer_pass> passes_;             // of each count, the last
  std::vector<std::vector<double>> milliseconds_;  // of each count
  Bounds& bounds_;
  Session session_;
  size_t num_runs_ = 0;
};

}  // namespace

std::unique_ptr<BenchArm> MakeRowsArm(const LoadedModel& loaded,
                                      const BenchOptions& options,
                                      Bounds& bounds) {
  return std::make_unique<RowsArm>(loaded, options, bounds);
}

}  // namespace specinfer_cli
