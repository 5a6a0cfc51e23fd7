// Word error rate: how far a transcript is from what was said.
#ifndef SPECINFER_TOOLS_SPECINFER_WORD_ERRORS_H_
#define SPECINFER_TOOLS_SPECINFER_WORD_ERRORS_H_

#include <cstdint>
#include <span>
#include <string>

namespace specinfer_cli {

// Of a shortest way from the reference to the hypothesis.
struct WordErrors {
  int64_t substitutions = 0;
  int64_t deletions = 0;
  int64_t insertions = 0;
  int64_t num_reference_words = 0;

  int64_t total() const { return substitutions + deletions + insertions; }
  // Errors per word of the reference; without any, one per inserted word.
  double rate() const;
};

// Words are equal where their bytes are. Takes time and memory in the product
// of both lengths.
WordErrors CountWordErrors(std::span<const std::string> reference,
                           std::span<const std::string> hypothesis);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_WORD_ERRORS_H_
