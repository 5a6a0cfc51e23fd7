#define PCRE2_CODE_UNIT_WIDTH 8
#include "src/text/pre_tokenizer.h"

#include <pcre2.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"

namespace specinfer {
namespace {

// The inside of a character class. PCRE2's own \s also holds U+180E, which
// Unicode no longer calls white space.
#define SPECINFER_SPACE                                                       \
  "\\t-\\r "                                                                  \
  "\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{" \
  "205F}\\x{3000}"

// \s*[\r\n]+ and \s+(?!\S)|\s+, written so that a run of blanks is looked at a
// few times, not once per blank.
#define SPECINFER_LINE_ENDS "[" SPECINFER_SPACE "]*[\\r\\n]"
#define SPECINFER_SPACES(not_space) \
  "[" SPECINFER_SPACE "]+(?!" not_space ")|[" SPECINFER_SPACE "]++"
#define SPECINFER_NOT_SPACE "[^" SPECINFER_SPACE "]"

#define SPECINFER_CONTRACTION "'(?:[stmd]|re|ve|ll)"
#define SPECINFER_ANY_CASE_CONTRACTION \
  "'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])"

#define SPECINFER_GPT2                          \
  SPECINFER_CONTRACTION                         \
  "| ?\\p{L}++| ?\\p{N}++| ?[^" SPECINFER_SPACE \
  "\\p{L}\\p{N}]++|" SPECINFER_SPACES(SPECINFER_NOT_SPACE)

// The same after every digit was cut out alone: there, a digit ends the text.
#define SPECINFER_SMOLLM                    \
  SPECINFER_CONTRACTION                     \
  "|\\p{N}| ?\\p{L}++| ?[^" SPECINFER_SPACE \
  "\\p{L}\\p{N}]++|" SPECINFER_SPACES("[^" SPECINFER_SPACE "\\p{N}]")

#define SPECINFER_LLAMA3(letters, digits)                                      \
  SPECINFER_ANY_CASE_CONTRACTION "|[^\\r\\n\\p{L}\\p{N}]?[" letters            \
                                 "]++|" digits "| ?[^" SPECINFER_SPACE letters \
                                 "\\p{N}]++[\\r\\n]*+|" SPECINFER_LINE_ENDS    \
                                 "|" SPECINFER_SPACES(SPECINFER_NOT_SPACE)

absl::Span<const char* const> Expressions(PreTokenizerKind kind) {
  static constexpr const char* kDefault[] = {
      "[\\p{P}$+<=>^~|]++", SPECINFER_GPT2, "\\p{N}++", "[0-9][0-9][0-9]"};
  static constexpr const char* kGpt2[] = {SPECINFER_GPT2};
  static constexpr const char* kSmollm[] = {SPECINFER_SMOLLM};
  static constexpr const char* kLlama3[] = {
      SPECINFER_LLAMA3("\\p{L}", "\\p{N}{1,3}+")};
  static constexpr const char* kQwen2[] = {
      SPECINFER_LLAMA3("\\p{L}", "\\p{N}")};
  static constexpr const char* kQwen35[] = {
      SPECINFER_LLAMA3("\\p{L}\\p{M}", "\\p{N}")};
  switch (kind) {
    case PreTokenizerKind::kDefault:
      return kDefault;
    case PreTokenizerKind::kGpt2:
      return kGpt2;
    case PreTokenizerKind::kSmollm:
      return kSmollm;
    case PreTokenizerKind::kLlama3:
      return kLlama3;
    case PreTokenizerKind::kQwen2:
      return kQwen2;
    case PreTokenizerKind::kQwen35:
      return kQwen35;
  }
  return {};
}

struct NamedRule {
  std::string_view name;
  PreTokenizerRule rule;
};

constexpr PreTokenizerRule kGpt2Rule{PreTokenizerKind::kGpt2, false, false};
constexpr PreTokenizerRule kSmollmRule{PreTokenizerKind::kSmollm, false, false};
constexpr PreTokenizerRule kLlama3Rule{PreTokenizerKind::kLlama3, true, true};
constexpr PreTokenizerRule kDbrxRule{PreTokenizerKind::kLlama3, false, false};
constexpr PreTokenizerRule kGlmRule{PreTokenizerKind::kLlama3, true, false};
constexpr PreTokenizerRule kQwen2Rule{PreTokenizerKind::kQwen2, false, false};
constexpr PreTokenizerRule kQwen35Rule{PreTokenizerKind::kQwen35, false, false};

constexpr NamedRule kRules[] = {
    {"default", {}},
    {"gpt-2", kGpt2Rule},
    {"gpt2", kGpt2Rule},
    {"phi-2", kGpt2Rule},
    {"mpt", kGpt2Rule},
    {"olmo", kGpt2Rule},
    {"jais", kGpt2Rule},
    {"trillion", kGpt2Rule},
    {"granite-docling", kGpt2Rule},
    {"modern-bert", kGpt2Rule},
    {"gigachat", kGpt2Rule},
    {"a.x-4.0", kGpt2Rule},
    {"mellum", kGpt2Rule},
    {"exaone4", kGpt2Rule},
    {"smollm", kSmollmRule},
    {"starcoder", kSmollmRule},
    {"refact", kSmollmRule},
    {"command-r", kSmollmRule},
    {"codeshell", kSmollmRule},
    {"exaone", kSmollmRule},
    {"minerva-7b", kSmollmRule},
    {"mellum2", kSmollmRule},
    {"llama-bpe", kLlama3Rule},
    {"llama3", kLlama3Rule},
    {"llama-v3", kLlama3Rule},
    {"falcon3", kLlama3Rule},
    {"falcon-h1", kLlama3Rule},
    {"pixtral", kLlama3Rule},
    {"midm-2.0", kLlama3Rule},
    {"lfm2", kLlama3Rule},
    {"jina-v5-nano", kLlama3Rule},
    {"dbrx", kDbrxRule},
    {"smaug-bpe", kDbrxRule},
    {"chatglm-bpe", kDbrxRule},
    {"glm4", kGlmRule},
    {"glm5", kGlmRule},
    {"qwen2", kQwen2Rule},
    {"deepseek-r1-qwen", kQwen2Rule},
    {"kormo", kQwen2Rule},
    {"f2llmv2", kQwen2Rule},
    {"megrez", kQwen2Rule},
    {"stablelm2", kQwen2Rule},
    {"hunyuan", kQwen2Rule},
    {"solar-open", kQwen2Rule},
    {"grok-2", kQwen2Rule},
    {"qwen35", kQwen35Rule},
};

struct KnownRegex {
  std::string_view regex;
  PreTokenizerKind kind;
};

#define SPECINFER_HF_TAIL "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
constexpr KnownRegex kRegexes[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| "
     "?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     PreTokenizerKind::kGpt2},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+" SPECINFER_HF_TAIL,
     PreTokenizerKind::kLlama3},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
     "?[^\\s\\p{L}\\p{N}]+" SPECINFER_HF_TAIL,
     PreTokenizerKind::kQwen2},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
     "| "
     "?[^\\s\\p{L}\\p{M}\\p{N}]+" SPECINFER_HF_TAIL,
     PreTokenizerKind::kQwen35},
};

}  // namespace

absl::StatusOr<PreTokenizerRule> FindPreTokenizerRule(std::string_view name) {
  if (name.empty()) return PreTokenizerRule{};
  for (const NamedRule& known : kRules) {
    if (known.name == name) return known.rule;
  }
  return absl::UnimplementedError(
      absl::StrCat("pre-tokenizer \"", ToAbsl(name), "\" is not supported"));
}

absl::StatusOr<PreTokenizerKind> FindPreTokenizerByRegex(
    std::string_view regex) {
  for (const KnownRegex& known : kRegexes) {
    if (known.regex == regex) return known.kind;
  }
  return absl::UnimplementedError(absl::StrCat(
      "pre-tokenizer expression ", ToAbsl(regex), " is not supported"));
}

void PreTokenizer::FreeLimits::operator()(
    pcre2_real_match_context_8* limits) const {
  pcre2_match_context_free(limits);
}

void PreTokenizer::FreeCode::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

absl::StatusOr<PreTokenizer> PreTokenizer::Create(PreTokenizerKind kind,
                                                  bool use_jit) {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.limits_.reset(pcre2_match_context_create(nullptr));
  if (pre_tokenizer.limits_ == nullptr)
    return absl::ResourceExhaustedError("no memory for a pre-tokenizer");
  // The limit counts steps, not depth, and steps are linear in the text.
  pcre2_set_match_limit(pre_tokenizer.limits_.get(), UINT32_MAX);
  for (const char* expression : Expressions(kind)) {
    int error = 0;
    PCRE2_SIZE error_offset = 0;
    Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression),
                            PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP,
                            &error, &error_offset, nullptr));
    if (code == nullptr) {
      return absl::InternalError(absl::StrCat(
          "pre-tokenizer expression ", expression,
          " was refused by PCRE2 at offset ", error_offset, ", error ", error));
    }
    // Where this fails, pcre2_match interprets.
    if (use_jit) pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
    pre_tokenizer.stages_.push_back(std::move(code));
  }
  return pre_tokenizer;
}

absl::Status PreTokenizer::Split(
    std::string_view text,
    absl::FunctionRef<void(std::string_view)> take) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>
      match(pcre2_match_data_create(/*ovecsize=*/1, nullptr),
            &pcre2_match_data_free);
  if (match == nullptr)
    return absl::ResourceExhaustedError(
        "no memory to match a pre-tokenizer expression");
  return SplitFrom(/*stage=*/0, text, match.get(), take);
}

absl::Status PreTokenizer::SplitFrom(
    size_t stage, std::string_view text, pcre2_real_match_data_8* match,
    absl::FunctionRef<void(std::string_view)> take) const {
  if (text.empty()) return absl::OkStatus();
  if (stage == stages_.size()) {
    take(text);
    return absl::OkStatus();
  }
  size_t position = 0;
  while (position < text.size()) {
    const int result = pcre2_match(
        stages_[stage].get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
        text.size(), position, PCRE2_NO_UTF_CHECK, match, limits_.get());
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      return absl::InternalError(absl::StrCat(
          "a pre-tokenizer expression failed with PCRE2 error ", result));
    }
    const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(match);
    const size_t begin = bounds[0], end = bounds[1];
    SPECINFER_RETURN_IF_ERROR(SplitFrom(
        stage + 1, text.substr(position, begin - position), match, take));
    SPECINFER_RETURN_IF_ERROR(
        SplitFrom(stage + 1, text.substr(begin, end - begin), match, take));
    position = end;
  }
  return SplitFrom(stage + 1, text.substr(position), match, take);
}

}  // namespace specinfer
