#include "src/speculate/pass_times.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

#include "nlohmann/json.hpp"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

using Json = nlohmann::json;

constexpr int32_t kLastKnot = 1024;      // rows
constexpr int64_t kFirstBucket = 512;    // tokens of context
constexpr size_t kNumFactors = 11;       // to 1,048,576 tokens and beyond
constexpr double kMaxSurprise = 1.0986;  // log 3

// Variances of logarithms.
constexpr double kNoise = 0.2 * 0.2;        // of one pass's time
constexpr double kScalePrior = 2.0 * 2.0;   // before the first time
constexpr double kShapeStep = 0.07 * 0.07;  // of the shape, a doubling of rows
constexpr double kFactorStep = 0.1 * 0.1;   // of the factor, a bucket

// The gain at which half of a change is followed in 8 passes, and the drift a
// pass at which the filter settles at that gain.
constexpr double kFollow = 0.0830;
constexpr double kScaleDrift = kFollow * kFollow * kNoise / (1.0 - kFollow);
// How much of the prior's doubt about shape and factors comes back a pass.
constexpr double kForget = 1.0 / 4000.0;

// What is believed of a line of a cache.
constexpr size_t kMaxJsonBytes = 16384;
constexpr double kReadScaleVariance = 0.5 * 0.5;
struct Range {
  double least;
  double greatest;
};
constexpr Range kSecondsRange = {1e-8, 1e4};
constexpr Range kFactorRange = {1e-2, 1e2};
// A pass may be padded, and made row by row; twice as much is nothing measured.
constexpr double kRatioLeeway = 2.0;
constexpr Range kDoubtRange = {1e-3, 1.0};

absl::Status Refuse(const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("pass times: ", why, "; delete the cache"));
}

// The member `key` of `document`: `size` numbers, each within `range`.
absl::Status ReadNumbers(const Json& document, const char* key, size_t size,
                         Range range, std::vector<double>* numbers) {
  const auto found = document.find(key);
  if (found == document.end() || !found->is_array() || found->size() != size)
    return Refuse(absl::StrCat("\"", key, "\" is not ", size, " numbers"));
  numbers->clear();
  for (const Json& number : *found) {
    if (!number.is_number() || !(number.get<double>() >= range.least) ||
        !(number.get<double>() <= range.greatest)) {
      return Refuse(absl::StrCat("\"", key, "\" has an entry that is not from ",
                                 range.least, " to ", range.greatest));
    }
    numbers->push_back(number.get<double>());
  }
  return absl::OkStatus();
}

}  // namespace

PassTimes::PassTimes(PassTimesPrior prior)
    : context_weight_(prior.context_weight),
      row_context_weight_(prior.row_context_weight) {
  std::vector<PassRatio>& shape = prior.shape;
  const PassRatio last = shape.back();
  const PassRatio before = shape[shape.size() - 2];
  const double slope =
      std::max(0.0, last.ratio - before.ratio) / (last.rows - before.rows);
  while (shape.back().rows < kLastKnot) {
    const int32_t rows = std::min(2 * shape.back().rows, kLastKnot);
    shape.push_back({rows, last.ratio + slope * (rows - last.rows)});
  }
  state_.push_back(std::log(prior.seconds));
  for (const PassRatio& knot : shape) {
    rows_.push_back(knot.rows);
    ratios_.push_back(knot.ratio);
    if (rows_.size() > 1) state_.push_back(std::log(knot.ratio));
  }
  state_.resize(state_.size() + kNumFactors, 0.0);
  slope_.resize(state_.size());
  gain_.resize(state_.size());
  for (size_t row = 0; row < state_.size(); ++row) {
    for (size_t column = 0; column < state_.size(); ++column)
      prior_covariance_.push_back(PriorCovariance(row, column));
  }
  covariance_ = prior_covariance_;
}

// Shape and factors are random walks from what is fixed: knot 0, bucket 0.
double PassTimes::PriorCovariance(size_t row, size_t column) const {
  const size_t num_knots = rows_.size();
  const auto [first, second] = std::minmax(row, column);
  if (second == 0) return kScalePrior;
  if (first == 0) return 0.0;
  if (second < num_knots) return kShapeStep * std::log2(rows_[first]);
  if (first < num_knots) return 0.0;
  return kFactorStep * static_cast<double>(first - num_knots + 1);
}

PassTimes::Place PassTimes::Find(int32_t rows) const {
  rows = std::max(rows, 1);
  const size_t last = rows_.size() - 1;
  if (rows >= rows_[last])
    return {last - 1, 0.0, static_cast<double>(rows) / rows_[last]};
  const auto above = std::upper_bound(rows_.begin(), rows_.end(), rows);
  const size_t knot = static_cast<size_t>(above - rows_.begin()) - 1;
  const double part =
      static_cast<double>(rows - rows_[knot]) / (rows_[knot + 1] - rows_[knot]);
  return {knot, 1.0 - part, part};
}

double PassTimes::Ratio(const Place& place) const {
  return place.lower * ratios_[place.knot] +
         place.upper * ratios_[place.knot + 1];
}

double PassTimes::Attention(int32_t rows, int64_t context_tokens) const {
  return static_cast<double>(std::max<int64_t>(context_tokens, 0)) *
         (context_weight_ + row_context_weight_ * std::max(rows, 1));
}

// The index in the state, 0 for the first bucket, whose factor is 1.
size_t PassTimes::FactorOf(int64_t context_tokens) const {
  size_t bucket = 0;
  while (bucket < kNumFactors && context_tokens > (kFirstBucket << bucket))
    ++bucket;
  return bucket == 0 ? 0 : rows_.size() + bucket - 1;
}

double PassTimes::Predict(int32_t rows, int64_t context_tokens) const {
  const size_t factor = FactorOf(context_tokens);
  return std::exp(state_[0] + (factor == 0 ? 0.0 : state_[factor])) *
         (Ratio(Find(rows)) + Attention(rows, context_tokens));
}

void PassTimes::Record(int32_t rows, int64_t context_tokens, double seconds) {
  if (rows < 1 || context_tokens < 0 || !(seconds > 0.0) ||
      !std::isfinite(seconds)) {
    return;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  const Place place = Find(rows);
  const double cost = Ratio(place) + Attention(rows, context_tokens);
  std::fill(slope_.begin(), slope_.end(), 0.0);
  slope_[0] = 1.0;
  if (place.knot > 0)
    slope_[place.knot] = place.lower * ratios_[place.knot] / cost;
  slope_[place.knot + 1] = place.upper * ratios_[place.knot + 1] / cost;
  const size_t factor = FactorOf(context_tokens);
  if (factor != 0) slope_[factor] = 1.0;

  double surprise = std::log(seconds / Predict(rows, context_tokens));
  if (has_measured_)
    surprise = std::clamp(surprise, -kMaxSurprise, kMaxSurprise);
  Drift();
  Update(surprise);
  has_measured_ = true;
  ++num_recorded_;
}

void PassTimes::Drift() {
  const double scale_variance = covariance_[0];
  for (size_t entry = 0; entry < covariance_.size(); ++entry)
    covariance_[entry] +=
        kForget * (prior_covariance_[entry] - covariance_[entry]);
  covariance_[0] = scale_variance + kScaleDrift;
}

void PassTimes::Update(double surprise) {
  const size_t num_states = state_.size();
  double variance = kNoise;
  for (size_t row = 0; row < num_states; ++row) {
    gain_[row] = 0.0;
    for (size_t column = 0; column < num_states; ++column)
      gain_[row] += covariance(row, column) * slope_[column];
    variance += gain_[row] * slope_[row];
  }
  for (size_t row = 0; row < num_states; ++row) {
    state_[row] += gain_[row] * surprise / variance;
    for (size_t column = 0; column < num_states; ++column)
      covariance(row, column) -= gain_[row] * gain_[column] / variance;
  }
  for (size_t knot = 1; knot < ratios_.size(); ++knot)
    ratios_[knot] = std::exp(state_[knot]);
}

double PassTimes::Seconds(int32_t rows, int64_t context_tokens) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Predict(rows, context_tokens);
}

void PassTimes::FillConvex(int64_t context_tokens, int32_t max_rows,
                           absl::Span<double> out) const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (int32_t rows = 1; rows <= max_rows; ++rows)
      out[static_cast<size_t>(rows)] = Predict(rows, context_tokens);
  }
  out[0] = 0.0;
  const size_t last = static_cast<size_t>(max_rows);
  for (size_t rows = last; rows > 1; --rows)
    out[rows - 1] = std::min(out[rows - 1], out[rows]);
  // From corner to corner of the hull: to the point in the flattest direction.
  for (size_t corner = 1; corner < last;) {
    size_t next = corner + 1;
    double slope = out[next] - out[corner];
    for (size_t rows = next + 1; rows <= last; ++rows) {
      const double other =
          (out[rows] - out[corner]) / static_cast<double>(rows - corner);
      if (other <= slope) {
        slope = other;
        next = rows;
      }
    }
    for (size_t rows = corner + 1; rows < next; ++rows)
      out[rows] = out[corner] + slope * static_cast<double>(rows - corner);
    corner = next;
  }
}

bool PassTimes::has_measured() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return has_measured_;
}

uint64_t PassTimes::num_recorded() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return num_recorded_;
}

// "doubt": how uncertain each entry of the state is still, in parts of how
// uncertain it was at first; stands for the covariance. Ratios that no machine
// has are written as the nearest that can be read.
std::string PassTimes::ToJson() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<double> ratios, factors, doubt;
  for (size_t knot = 0; knot < ratios_.size(); ++knot) {
    ratios.push_back(std::clamp(ratios_[knot], 1.0 / kRatioLeeway,
                                kRatioLeeway * rows_[knot]));
  }
  for (size_t state = 1; state < state_.size(); ++state) {
    if (state >= rows_.size()) factors.push_back(std::exp(state_[state]));
    const size_t diagonal = state * state_.size() + state;
    doubt.push_back(std::clamp(
        std::sqrt(covariance_[diagonal] / prior_covariance_[diagonal]),
        kDoubtRange.least, kDoubtRange.greatest));
  }
  const Json document = {{"seconds", Json::array({std::exp(state_[0])})},
                         {"rows", rows_},
                         {"ratios", ratios},
                         {"factors", factors},
                         {"doubt", doubt}};
  return document.dump();
}

absl::Status PassTimes::FromJson(std::string_view text) {
  if (text.size() > kMaxJsonBytes) return Refuse("too long");
  const Json document = Json::parse(text.begin(), text.end(), nullptr,
                                    /*allow_exceptions=*/false);
  if (!document.is_object()) return Refuse("not a JSON object");
  std::vector<double> seconds, rows, ratios, factors, doubt;
  SPECINFER_RETURN_IF_ERROR(
      ReadNumbers(document, "seconds", 1, kSecondsRange, &seconds));
  SPECINFER_RETURN_IF_ERROR(
      ReadNumbers(document, "rows", rows_.size(), {1.0, 1e6}, &rows));
  if (!std::equal(rows.begin(), rows.end(), rows_.begin()))
    return Refuse("\"rows\" are another shape's");
  SPECINFER_RETURN_IF_ERROR(
      ReadNumbers(document, "ratios", rows_.size(),
                  {1.0 / kRatioLeeway, kRatioLeeway * rows_.back()}, &ratios));
  for (size_t knot = 0; knot < ratios.size(); ++knot) {
    if (ratios[knot] > kRatioLeeway * rows_[knot])
      return Refuse("a pass takes longer than its rows one by one");
  }
  if (ratios[0] != 1.0) return Refuse("\"ratios\" do not begin at 1");
  SPECINFER_RETURN_IF_ERROR(
      ReadNumbers(document, "factors", kNumFactors, kFactorRange, &factors));
  SPECINFER_RETURN_IF_ERROR(
      ReadNumbers(document, "doubt", state_.size() - 1, kDoubtRange, &doubt));

  const std::lock_guard<std::mutex> lock(mutex_);
  ratios_ = ratios;
  ratios.insert(ratios.end(), factors.begin(), factors.end());
  ratios[0] = seconds[0];
  std::transform(ratios.begin(), ratios.end(), state_.begin(),
                 [](double value) { return std::log(value); });
  doubt.insert(doubt.begin(), std::sqrt(kReadScaleVariance / kScalePrior));
  for (size_t row = 0; row < doubt.size(); ++row) {
    for (size_t column = 0; column < doubt.size(); ++column) {
      const size_t entry = row * doubt.size() + column;
      covariance_[entry] =
          prior_covariance_[entry] * doubt[row] * doubt[column];
    }
  }
  has_measured_ = true;
  return absl::OkStatus();
}

}  // namespace specinfer
