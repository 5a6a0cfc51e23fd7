#include "src/speculate/acceptance.h"

#include <algorithm>
#include <cmath>

#include "src/speculate/isotonic.h"

namespace specinfer {
namespace {

// Of what was seen before, this part is forgotten at a visit.
constexpr double kForget = 0.00138533;  // 1 - 2^(-1/500)

// Logits of the outer bins: probabilities of 1/404 and 403/404.
constexpr double kLastCentre = 6.0;
constexpr double kCalibrationPrior = 8.0;  // visits to each bin

constexpr double kPositionalPrior = 20.0;  // visits to each child
constexpr double kFirstChances[] = {0.65, 0.2, 0.1, 0.05};

// Keeps logits finite.
constexpr double kLeastProbability = 1e-4;

double Logit(double probability) {
  return std::log(probability / (1.0 - probability));
}

double Logistic(double logit) { return 1.0 / (1.0 + std::exp(-logit)); }

// Of a confidence, within the centres.
double LogitWithin(double confidence) {
  return confidence < 1.0
             ? std::clamp(Logit(confidence), -kLastCentre, kLastCentre)
             : kLastCentre;
}

}  // namespace

Calibration::Calibration() {
  for (size_t bin = 0; bin < kNumBins; ++bin) logits_[bin] = Centre(bin);
}

double Calibration::Centre(size_t bin) {
  return kLastCentre * (2.0 * static_cast<double>(bin) / (kNumBins - 1) - 1.0);
}

Calibration::Place Calibration::Find(double logit) {
  const double place = 0.5 * (logit / kLastCentre + 1.0) * (kNumBins - 1);
  const size_t bin = std::min(static_cast<size_t>(place), kNumBins - 2);
  return {bin, place - static_cast<double>(bin)};
}

// The excess over the confidence, not the choices alone: a bin is wide, and the
// mean confidence of its visits need not be its centre's.
void Calibration::Record(double confidence, bool is_chosen) {
  if (!(confidence > 0.0)) return;
  const double logit = LogitWithin(confidence);
  const Place place = Find(logit);
  const double excess = (is_chosen ? 1.0 : 0.0) - Logistic(logit);
  for (const size_t bin : {place.bin, place.bin + 1}) {
    const double part = bin == place.bin ? 1.0 - place.upper : place.upper;
    const double kept = 1.0 - kForget * part;
    visits_[bin] = visits_[bin] * kept + part;
    excess_[bin] = excess_[bin] * kept + part * excess;
  }
  std::array<double, kNumBins> weights;
  std::array<double, kNumBins> probabilities;
  for (size_t bin = 0; bin < kNumBins; ++bin) {
    weights[bin] = visits_[bin] + kCalibrationPrior;
    probabilities[bin] = Logistic(Centre(bin)) + excess_[bin] / weights[bin];
  }
  MakeNonDecreasing(absl::MakeSpan(probabilities), weights);
  for (size_t bin = 0; bin < kNumBins; ++bin) {
    logits_[bin] = Logit(std::clamp(probabilities[bin], kLeastProbability,
                                    1.0 - kLeastProbability));
  }
}

double Calibration::Probability(double confidence) const {
  if (!(confidence > 0.0)) return 0.0;
  const Place place = Find(LogitWithin(confidence));
  const double probability = Logistic((1.0 - place.upper) * logits_[place.bin] +
                                      place.upper * logits_[place.bin + 1]);
  // Below the first centre in proportion, so that the least likely tokens of a
  // vocabulary stay apart; above the last as there.
  return probability * std::min(1.0, confidence / Logistic(-kLastCentre));
}

PositionalAcceptance::PositionalAcceptance(int32_t max_depth,
                                           int32_t max_children)
    : max_depth_(max_depth), max_children_(max_children) {
  const size_t num_children = static_cast<size_t>(max_children);
  for (size_t order = 0; order < num_children; ++order) {
    prior_.push_back(order < std::size(kFirstChances) ? kFirstChances[order]
                                                      : prior_.back() / 2.0);
  }
  for (int32_t depth = 1; depth <= max_depth; ++depth)
    probabilities_.insert(probabilities_.end(), prior_.begin(), prior_.end());
  chosen_.resize(probabilities_.size());
  visits_.resize(probabilities_.size());
  weights_.resize(num_children);
}

size_t PositionalAcceptance::Row(int32_t depth) const {
  return static_cast<size_t>(std::clamp(depth, 1, max_depth_) - 1) *
         prior_.size();
}

void PositionalAcceptance::Record(int32_t depth, int32_t num_children,
                                  int32_t order) {
  const size_t row = Row(depth);
  const size_t num_visited =
      static_cast<size_t>(std::clamp(num_children, 0, max_children_));
  for (size_t child = 0; child < num_visited; ++child) {
    const bool is_chosen = static_cast<int32_t>(child) == order;
    double& visits = visits_[row + child];
    double& chosen = chosen_[row + child];
    visits += 1.0 - kForget * visits;
    chosen += (is_chosen ? 1.0 : 0.0) - kForget * chosen;
  }
  Estimate(row);
}

void PositionalAcceptance::Forget(double part) {
  for (double& visits : visits_) visits *= 1.0 - part;
  for (double& chosen : chosen_) chosen *= 1.0 - part;
  for (int32_t depth = 1; depth <= max_depth_; ++depth) Estimate(Row(depth));
}

void PositionalAcceptance::Estimate(size_t row) {
  for (size_t child = 0; child < prior_.size(); ++child) {
    weights_[child] = visits_[row + child] + kPositionalPrior;
    probabilities_[row + child] =
        (chosen_[row + child] + kPositionalPrior * prior_[child]) /
        weights_[child];
  }
  MakeNonIncreasing(absl::MakeSpan(probabilities_).subspan(row, prior_.size()),
                    weights_);
}

double PositionalAcceptance::Probability(int32_t depth, int32_t order) const {
  if (order < 0 || order >= max_children_) return 0.0;
  return probabilities_[Row(depth) + static_cast<size_t>(order)];
}

}  // namespace specinfer
