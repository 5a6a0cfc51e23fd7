// GPT-2 spells every byte as a visible character: 0x21-0x7E, 0xA1-0xAC and
// 0xAE-0xFF as themselves, the others as U+0100 and on, in order.
#ifndef SPECINFER_SRC_MODEL_BYTE_SPELLING_H_
#define SPECINFER_SRC_MODEL_BYTE_SPELLING_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace specinfer {

// Every character of the spelling is below this.
inline constexpr size_t kByteSpellingEnd = 0x144;

// The character that spells each byte.
constexpr std::array<uint16_t, 256> MakeByteSpelling() {
  std::array<uint16_t, 256> spelling{};
  uint16_t next = 0x100;
  for (uint16_t byte = 0; byte < 256; ++byte) {
    const bool is_visible =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    spelling[byte] = is_visible ? byte : next++;
  }
  return spelling;
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_BYTE_SPELLING_H_
