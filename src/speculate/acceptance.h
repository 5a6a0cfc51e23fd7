// What drafts are worth, learnt while running.
#ifndef SPECINFER_SRC_SPECULATE_ACCEPTANCE_H_
#define SPECINFER_SRC_SPECULATE_ACCEPTANCE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace specinfer {

// Both count only where the target's walk came to the parent: elsewhere nobody
// knows what the target would have chosen. What was seen fades with a half-life
// of 500 visits. Not thread-safe.

// From a drafter's confidence in a token, such as its probability there, to how
// often the target chooses that token. Begins as the identity, each of its bins
// worth some visits, and never falls as confidence grows.
class Calibration {
 public:
  Calibration();

  // A child of a reached node was drafted with `confidence`, and the target
  // chose it or did not. Ignores what is not above zero.
  void Record(double confidence, bool is_chosen);

  // In [0, 1]; 0 where `confidence` is not above zero.
  double Probability(double confidence) const;

 private:
  static constexpr size_t kNumBins = 12;

  // Between which centres: the part `upper` belongs to bin + 1.
  struct Place {
    size_t bin;
    double upper;
  };
  static double Centre(size_t bin);  // a logit
  static Place Find(double logit);

  // Bins lie evenly in log(q / (1 - q)); a visit counts for two by nearness.
  std::array<double, kNumBins> visits_{};
  std::array<double, kNumBins> excess_{};  // choices less confidence
  std::array<double, kNumBins> logits_;    // of the probability at the centres
};

// How often the target chooses the k-th child of a node by the children's
// depth, where drafts have no probabilities (Chen et al. 2024, Sequoia): a
// child's chance, not the chance given that those before it were refused.
class PositionalAcceptance {
 public:
  // Deeper children count as `max_depth`, the depth of the root's being 1;
  // later ones than `max_children` are not counted. REQUIRES: both at least 1.
  PositionalAcceptance(int32_t max_depth, int32_t max_children);

  // The walk came to a node whose `num_children` children are at `depth`, and
  // went on to the one of `order`; -1: to none of them.
  void Record(int32_t depth, int32_t num_children, int32_t order);

  // Forgets this part, of 1, of all that was seen.
  void Forget(double part);

  // Of the child of `order`, 0 the first; 0 beyond max_children. Never greater
  // for a later child.
  double Probability(int32_t depth, int32_t order) const;

 private:
  size_t Row(int32_t depth) const;
  void Estimate(size_t row);

  const int32_t max_depth_;
  const int32_t max_children_;
  std::vector<double> prior_;          // [order]
  std::vector<double> chosen_;         // [depth, order]
  std::vector<double> visits_;         // [depth, order]
  std::vector<double> probabilities_;  // [depth, order]
  std::vector<double> weights_;        // [order]
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_ACCEPTANCE_H_
