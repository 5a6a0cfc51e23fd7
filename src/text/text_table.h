// Finds tokens by text: the same bytes on every machine, so that a packed model
// can keep it.
#ifndef SPECINFER_SRC_TEXT_TEXT_TABLE_H_
#define SPECINFER_SRC_TEXT_TEXT_TABLE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

#include "src/text/token_texts.h"

namespace specinfer {

struct TextSlot {
  uint32_t token_plus_one;  // 0: empty
  uint32_t tag;             // of the text's hash
};

// Immutable and thread-safe once filled. The texts must outlive it and stay
// where they are.
class TextTable {
 public:
  // A text whose place is further off is left out: only in a vocabulary made
  // for that. It bounds what a hostile one costs.
  static constexpr uint32_t kMaxProbes = 256;

  explicit TextTable(const TokenTexts& texts) : texts_(&texts) {}

  // Makes room for `num_tokens`. REQUIRES: still empty.
  void Reserve(size_t num_tokens);
  // Of two tokens with one text the first counts. REQUIRES: reserved for.
  void Add(Token token);
  // What the accessors of another gave; the slots must outlive this.
  // REQUIRES: a power of two of them; tokens below texts.size().
  void Adopt(absl::Span<const TextSlot> slots, uint32_t max_probes);

  // -1 where there is none.
  Token Find(std::string_view text) const;

  absl::Span<const TextSlot> slots() const { return slots_; }
  uint32_t max_probes() const { return max_probes_; }

 private:
  const TokenTexts* texts_;
  std::vector<TextSlot> own_slots_;
  absl::Span<const TextSlot> slots_;
  uint32_t max_probes_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_TEXT_TABLE_H_
