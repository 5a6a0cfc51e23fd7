// Cuts text into the pieces that byte-pair merging may not cross.
#ifndef SPECINFER_SRC_TEXT_PRE_TOKENIZER_H_
#define SPECINFER_SRC_TEXT_PRE_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;
struct pcre2_real_match_data_8;

namespace specinfer {

// Each kind is a list of regular expressions; each cuts the pieces that the one
// before it left, and what lies between matches is a piece too.
enum class PreTokenizerKind : uint8_t {
  kDefault,  // files without a rule of their own: punctuation, then GPT-2, then
             // digits in threes
  kGpt2,
  kSmollm,  // GPT-2 with every digit alone
  kLlama3,  // contractions in any case, digits in threes, line ends with what
            // comes before
  kQwen2,   // Llama 3 with every digit alone
  kQwen35,  // Qwen 2 with combining marks as letters
};

// What the `tokenizer.ggml.pre` key of a GGUF file says about its tokenizer.
struct PreTokenizerRule {
  PreTokenizerKind kind = PreTokenizerKind::kDefault;
  bool ignores_merges =
      false;              // a piece that is a token as a whole is taken whole
  bool adds_bos = false;  // unless the file says otherwise
};

// Errors: UNIMPLEMENTED, naming the rule.
absl::StatusOr<PreTokenizerRule> FindPreTokenizerRule(std::string_view name);

// The kind whose expressions these are, as tokenizer.json spells them,
// whitespace rule included.
// Errors: UNIMPLEMENTED, quoting the expression.
absl::StatusOr<PreTokenizerKind> FindPreTokenizerByRegex(
    std::string_view regex);

// Immutable and thread-safe. Time is linear in the text: no expression
// backtracks further than one character.
class PreTokenizer {
 public:
  // Without the JIT, or where there is none, the expressions are interpreted.
  static absl::StatusOr<PreTokenizer> Create(PreTokenizerKind kind,
                                             bool use_jit = true);

  // Calls `take` with each piece of `text`, in order; none is empty, and
  // together they are `text`.
  // REQUIRES: `text` is well-formed UTF-8.
  absl::Status Split(
      std::string_view text,
      absl::FunctionRef<void(std::string_view piece)> take) const;

 private:
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };
  struct FreeLimits {
    void operator()(pcre2_real_match_context_8* limits) const;
  };
  using Code = std::unique_ptr<pcre2_real_code_8, FreeCode>;

  absl::Status SplitFrom(
      size_t stage, std::string_view text, pcre2_real_match_data_8* match,
      absl::FunctionRef<void(std::string_view piece)> take) const;

  std::vector<Code> stages_;
  std::unique_ptr<pcre2_real_match_context_8, FreeLimits> limits_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_PRE_TOKENIZER_H_
