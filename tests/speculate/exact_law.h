// The law of a node's token by exact enumeration: over every ordered draw of
// its children and every decision about them. No sampling.
#ifndef SPECINFER_TESTS_SPECULATE_EXACT_LAW_H_
#define SPECINFER_TESTS_SPECULATE_EXACT_LAW_H_

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "src/base/random.h"
#include "src/speculate/residual_law.h"

namespace specinfer {

using Law = std::vector<float>;
using Children = std::vector<Token>;

// The example of two laws whose acceptance is known: total variation 0.4.
inline const Law kTarget = {.30f, .25f, .20f, .15f, .10f};
inline const Law kDraft = {.10f, .15f, .40f, .05f, .30f};

inline std::vector<double> Normalised(const Law& law) {
  std::vector<double> out(law.begin(), law.end());
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& mass : out) mass /= sum;
  return out;
}

inline double TotalVariation(const std::vector<double>& a,
                             const std::vector<double>& b) {
  double distance = 0.0;
  for (size_t i = 0; i < a.size(); ++i) distance += std::fabs(a[i] - b[i]) / 2;
  return distance;
}

// Calls `visit` with every ordered draw of `num_children` tokens and its
// probability. Without replacement, a draw ends early with the support.
inline void ForEachDraw(
    const std::vector<double>& draft, size_t num_children, bool has_replacement,
    const std::function<void(const Children&, double)>& visit) {
  Children children;
  std::function<void(double)> extend = [&](double probability) {
    double left = 0.0;
    for (size_t i = 0; i < draft.size(); ++i) {
      if (has_replacement || std::count(children.begin(), children.end(),
                                        static_cast<Token>(i)) == 0)
        left += draft[i];
    }
    if (children.size() == num_children || left == 0.0) {
      visit(children, probability);
      return;
    }
    for (size_t i = 0; i < draft.size(); ++i) {
      const Token token = static_cast<Token>(i);
      if (draft[i] == 0.0 ||
          (!has_replacement &&
           std::count(children.begin(), children.end(), token) != 0))
        continue;
      children.push_back(token);
      extend(probability * draft[i] / left);
      children.pop_back();
    }
  };
  extend(1.0);
}

// What became of a node: which tokens it gave, and how often as a child of
// its.
struct Outcome {
  explicit Outcome(size_t vocabulary)
      : accepted(vocabulary, 0.0), corrected(vocabulary, 0.0) {}
  std::vector<double> accepted;
  std::vector<double> corrected;

  std::vector<double> law() const {
    std::vector<double> sum = accepted;
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += corrected[i];
    return sum;
  }
  double acceptance() const {
    return std::accumulate(accepted.begin(), accepted.end(), 0.0);
  }
};

// By ResidualLaw itself.
inline Outcome ExactOutcome(const Law& target, const Law& draft,
                            size_t num_children, ResidualLaw* residual) {
  Outcome outcome(target.size());
  ForEachDraw(Normalised(draft), num_children, /*has_replacement=*/false,
              [&](const Children& children, double reached) {
                if (!residual->Begin(target, draft).ok()) return;
                for (const Token token : children) {
                  const double accepts = residual->AcceptProbability(token);
                  outcome.accepted[static_cast<size_t>(token)] +=
                      reached * accepts;
                  reached *= 1.0 - accepts;
                  if (reached == 0.0 || !residual->Refuse(token)) break;
                }
                for (size_t i = 0; i < target.size(); ++i) {
                  outcome.corrected[i] +=
                      reached * residual->Probability(static_cast<Token>(i));
                }
              });
  return outcome;
}

// A law of `vocabulary` tokens, uneven; about one token in `zero_one_in` has
// none of it (0: all have some).
inline Law RandomLaw(size_t vocabulary, uint32_t salt,
                     uint32_t zero_one_in = 0) {
  Law law(vocabulary);
  for (size_t i = 0; i < vocabulary; ++i) {
    const auto bits = Philox(/*key=*/0x1a3, {static_cast<uint32_t>(i), salt});
    law[i] = std::exp(4.0f * static_cast<float>(bits[0]) * 0x1p-32f - 2.0f);
    if (zero_one_in != 0 && bits[1] % zero_one_in == 0) law[i] = 0.0f;
  }
  law[salt % vocabulary] += 0.25f;  // never empty
  const float sum = std::accumulate(law.begin(), law.end(), 0.0f);
  for (float& mass : law) mass /= sum;
  return law;
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPECULATE_EXACT_LAW_H_
