// A tokenizer's tables as a packed model keeps them: ready for use, so that
// opening builds no map of the vocabulary.
#ifndef SPECINFER_SRC_TEXT_TOKENIZER_TABLES_H_
#define SPECINFER_SRC_TEXT_TOKENIZER_TABLES_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/text/byte_pair.h"
#include "src/text/text_table.h"
#include "src/text/vocabulary.h"

namespace specinfer {

struct TokenizerTables {
  Vocabulary vocabulary;  // without merges
  // Views of the bytes that were read.
  absl::Span<const uint32_t> merge_starts;
  absl::Span<const RankedMerge> merges;
  absl::Span<const TextSlot> text_slots;
  uint32_t max_probes = 0;
  absl::Span<const uint64_t> inner_pairs;
};

// `tables` without its vocabulary.
std::vector<uint8_t> WriteTokenizerTables(const Vocabulary& vocabulary,
                                          const TokenizerTables& tables);

// Checks that no value leads out of a table; `bytes` must outlive the result.
// `path` is the model's, for messages.
// Errors: INVALID_ARGUMENT, UNIMPLEMENTED (another version).
absl::StatusOr<TokenizerTables> ReadTokenizerTables(
    absl::Span<const uint8_t> bytes, std::string_view path);

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_TOKENIZER_TABLES_H_
