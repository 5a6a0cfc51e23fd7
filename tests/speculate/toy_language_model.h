// A language of a few tokens whose laws are known, and what is counted of its
// texts.
#ifndef SPECINFER_TESTS_SPECULATE_TOY_LANGUAGE_MODEL_H_
#define SPECINFER_TESTS_SPECULATE_TOY_LANGUAGE_MODEL_H_

#include <cstdint>
#include <functional>
#include <iostream>
#include <vector>

#include "gtest/gtest.h"

#include "src/speculate/token_tree.h"
#include "tests/speculate/exact_law.h"
#include "tests/speculate/goodness_of_fit.h"

namespace specinfer {

using Text = std::vector<Token>;

// A token's law depends on the two before it.
class ToyLanguageModel {
 public:
  // `salt` names the table; see RandomLaw for `zero_one_in`.
  ToyLanguageModel(size_t vocabulary, uint32_t salt, uint32_t zero_one_in = 0)
      : vocabulary_(vocabulary) {
    for (uint32_t i = 0; i < vocabulary * vocabulary; ++i)
      laws_.push_back(RandomLaw(vocabulary, salt * 1000 + i, zero_one_in));
  }

  size_t vocabulary() const { return vocabulary_; }
  Law& law(Token before_last, Token last) {
    return laws_[static_cast<size_t>(before_last) * vocabulary_ +
                 static_cast<size_t>(last)];
  }
  const Law& law(const Text& text) const {
    const size_t n = text.size();
    return laws_[static_cast<size_t>(text[n - 2]) * vocabulary_ +
                 static_cast<size_t>(text[n - 1])];
  }
  // After `text`, whose last token is the tree's root, and the path to `node`.
  const Law& law(const Text& text, const TokenTree& tree, int32_t node) const {
    if (node == 0) return law(text);
    return laws_[static_cast<size_t>(tree.token(tree.parent(node))) *
                     vocabulary_ +
                 static_cast<size_t>(tree.token(node))];
  }

  // The law of the next `num_tokens` tokens together; the first is the most
  // significant digit of a cell.
  std::vector<double> JointLaw(const Text& text, int num_tokens) const {
    if (num_tokens == 0) return {1.0};
    const std::vector<double> next = Normalised(law(text));
    std::vector<double> joint;
    for (size_t token = 0; token < vocabulary_; ++token) {
      Text longer = text;
      longer.push_back(static_cast<Token>(token));
      for (const double below : JointLaw(longer, num_tokens - 1))
        joint.push_back(next[token] * below);
    }
    return joint;
  }

 private:
  const size_t vocabulary_;
  std::vector<Law> laws_;
};

// What every text starts with.
inline const Text kPrompt = {1, 0, 2};

// How the first token and the first three tokens after the prompt deviate from
// the model's law, in many texts.
struct TextDeviation {
  double first = 0.0;
  double joint = 0.0;
};

// `decode` gives a text of at least three tokens after the prompt, the
// `stream`th.
inline TextDeviation MeasureTexts(
    const ToyLanguageModel& model, int num_texts,
    const std::function<Text(uint64_t stream)>& decode) {
  const size_t width = model.vocabulary();
  std::vector<int64_t> first(width), joint(width * width * width);
  for (int i = 0; i < num_texts; ++i) {
    const Text text = decode(static_cast<uint64_t>(i));
    size_t cell = 0;
    for (size_t t = 0; t < 3; ++t)
      cell = cell * width + static_cast<size_t>(text[kPrompt.size() + t]);
    ++joint[cell];
    ++first[static_cast<size_t>(text[kPrompt.size()])];
  }
  return {.first = Deviation(first, model.JointLaw(kPrompt, 1)),
          .joint = Deviation(joint, model.JointLaw(kPrompt, 3))};
}

// A right decoder's texts, beside texts drawn from the law itself.
inline void ExpectTheModelsLaw(
    const ToyLanguageModel& model, int num_texts,
    const std::function<Text(uint64_t stream)>& decode) {
  const TextDeviation deviation = MeasureTexts(model, num_texts, decode);
  EXPECT_LT(deviation.first, kFiveSigma);
  EXPECT_LT(deviation.joint, kFiveSigma);
  const double floor_of_first =
      DeviationOfTheLawItself(model.JointLaw(kPrompt, 1), num_texts);
  const double floor_of_joint =
      DeviationOfTheLawItself(model.JointLaw(kPrompt, 3), num_texts);
  EXPECT_LT(floor_of_first, kFiveSigma);
  EXPECT_LT(floor_of_joint, kFiveSigma);
  std::cout << "deviation of the first token " << deviation.first << " (floor "
            << floor_of_first << "), of three " << deviation.joint << " (floor "
            << floor_of_joint << ")\n";
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPECULATE_TOY_LANGUAGE_MODEL_H_
