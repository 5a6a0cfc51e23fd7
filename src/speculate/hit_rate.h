// How often something was right of late.
#ifndef SPECINFER_SRC_SPECULATE_HIT_RATE_H_
#define SPECINFER_SRC_SPECULATE_HIT_RATE_H_

namespace specinfer {

// The mean of a Beta law whose counts decay.
class HitRate {
 public:
  void Record(bool is_hit) {
    hits_ = hits_ * kDecay + (is_hit ? 1.0f : 0.0f);
    visits_ = visits_ * kDecay + 1.0f;
  }
  // `prior` counts as much as `prior_visits` visits.
  float Mean(float prior, float prior_visits) const {
    return (hits_ + prior * prior_visits) / (visits_ + prior_visits);
  }

 private:
  static constexpr float kDecay = 0.998614667f;  // 2^(-1/500): half-life 500

  float hits_ = 0.0f;
  float visits_ = 0.0f;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_HIT_RATE_H_
