#include "src/text/text_table.h"

#include <algorithm>

#include "xxhash.h"

namespace specinfer {

void TextTable::Reserve(size_t num_tokens) {
  size_t num_slots = 4;
  while (num_slots < num_tokens * 2) num_slots *= 2;
  own_slots_.resize(num_slots);
  slots_ = own_slots_;
}

void TextTable::Add(Token token) {
  const std::string_view text = (*texts_)[token];
  const uint64_t hash = XXH3_64bits(text.data(), text.size());
  const uint32_t tag = static_cast<uint32_t>(hash >> 32);
  for (uint32_t probe = 0; probe < kMaxProbes; ++probe) {
    TextSlot& slot = own_slots_[(hash + probe) & (own_slots_.size() - 1)];
    if (slot.token_plus_one == 0) {
      slot = {static_cast<uint32_t>(token) + 1, tag};
      max_probes_ = std::max(max_probes_, probe + 1);
      return;
    }
    if (slot.tag == tag &&
        (*texts_)[static_cast<Token>(slot.token_plus_one - 1)] == text)
      return;
  }
}

void TextTable::Adopt(absl::Span<const TextSlot> slots, uint32_t max_probes) {
  slots_ = slots;
  max_probes_ = max_probes;
}

Token TextTable::Find(std::string_view text) const {
  const uint64_t hash = XXH3_64bits(text.data(), text.size());
  const uint32_t tag = static_cast<uint32_t>(hash >> 32);
  for (uint32_t probe = 0; probe < max_probes_; ++probe) {
    const TextSlot& slot = slots_[(hash + probe) & (slots_.size() - 1)];
    if (slot.token_plus_one == 0) return -1;
    const Token token = static_cast<Token>(slot.token_plus_one - 1);
    if (slot.tag == tag && (*texts_)[token] == text) return token;
  }
  return -1;
}

}  // namespace specinfer
