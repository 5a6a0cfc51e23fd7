// One probability from two that were found in different ways.
#ifndef SPECINFER_SRC_SPECULATE_MIXER_H_
#define SPECINFER_SRC_SPECULATE_MIXER_H_

namespace specinfer {

// Logistic mixing: the weighted sum of both logits, the weights learnt by
// gradient descent on coding cost (Mahoney 2005, PAQ). Not thread-safe.
class Mixer {
 public:
  double Mix(double first, double second) const;
  // What was mixed came true, or not.
  void Learn(double first, double second, bool is_true);

 private:
  // Two that agree are a little surer together than each alone.
  double first_weight_ = 0.6;
  double second_weight_ = 0.6;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_MIXER_H_
