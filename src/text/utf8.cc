#include "src/text/utf8.h"

#include <cstring>

namespace specinfer {
namespace {

// What may follow a lead byte: Unicode 15, table 3-7.
struct Lead {
  size_t num_bytes;  // 0: not a lead byte
  uint8_t second_min, second_max;
};

Lead ReadLead(uint8_t byte) {
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Utf8Step FirstUtf8Step(std::string_view text) {
  const uint8_t first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return {Utf8Step::Kind::kCharacter, 1};
  const Lead lead = ReadLead(first);
  if (lead.num_bytes == 0) return {Utf8Step::Kind::kIllFormed, 1};
  for (size_t i = 1; i < lead.num_bytes; ++i) {
    if (i == text.size()) return {Utf8Step::Kind::kTruncated, i};
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    const bool continues =
        i == 1 ? byte >= lead.second_min && byte <= lead.second_max
               : (byte & 0xC0) == 0x80;
    if (!continues) return {Utf8Step::Kind::kIllFormed, i};
  }
  return {Utf8Step::Kind::kCharacter, lead.num_bytes};
}

size_t WellFormedUtf8Prefix(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    uint64_t block;
    if (position + sizeof(block) <= text.size()) {
      std::memcpy(&block, text.data() + position, sizeof(block));
      if ((block & 0x8080808080808080u) == 0) {
        position += sizeof(block);
        continue;
      }
    }
    const Utf8Step step = FirstUtf8Step(text.substr(position));
    if (step.kind != Utf8Step::Kind::kCharacter) break;
    position += step.num_bytes;
  }
  return position;
}

char32_t DecodeUtf8Character(std::string_view character) {
  const auto bits = [&](size_t i) {
    return static_cast<char32_t>(static_cast<uint8_t>(character[i]) & 0x3F);
  };
  const char32_t first = static_cast<uint8_t>(character[0]);
  switch (character.size()) {
    case 1:
      return first;
    case 2:
      return (first & 0x1F) << 6 | bits(1);
    case 3:
      return (first & 0x0F) << 12 | bits(1) << 6 | bits(2);
    default:
      return (first & 0x07) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3);
  }
}

}  // namespace specinfer
