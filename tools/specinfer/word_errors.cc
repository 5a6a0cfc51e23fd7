#include "word_errors.h"

#include <algorithm>
#include <vector>

namespace specinfer_cli {

double WordErrors::rate() const {
  return static_cast<double>(total()) /
         static_cast<double>(std::max<int64_t>(num_reference_words, 1));
}

WordErrors CountWordErrors(std::span<const std::string> reference,
                           std::span<const std::string> hypothesis) {
  // The best way from a prefix of the reference to a prefix of the hypothesis.
  const auto better = [](const WordErrors& a, const WordErrors& b) {
    return b.total() < a.total() ? b : a;
  };
  std::vector<WordErrors> row(hypothesis.size() + 1);
  for (size_t j = 1; j < row.size(); ++j)
    row[j].insertions = static_cast<int64_t>(j);
  for (size_t i = 0; i < reference.size(); ++i) {
    WordErrors diagonal = row[0];
    ++row[0].deletions;
    for (size_t j = 0; j < hypothesis.size(); ++j) {
      WordErrors best = diagonal;
      best.substitutions += reference[i] == hypothesis[j] ? 0 : 1;
      diagonal = row[j + 1];
      WordErrors deletion = diagonal, insertion = row[j];
      ++deletion.deletions;
      ++insertion.insertions;
      row[j + 1] = better(better(best, deletion), insertion);
    }
  }
  row.back().num_reference_words = static_cast<int64_t>(reference.size());
  return row.back();
}

}  // namespace specinfer_cli
