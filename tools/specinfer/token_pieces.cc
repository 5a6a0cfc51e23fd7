#include "token_pieces.h"

#include <cstdint>
#include <cstdio>

#include "handles.h"

namespace specinfer_cli {
namespace {

// Bytes that a character with this first byte takes; 0: no character begins so.
size_t CharacterBytes(char first) {
  const auto byte = static_cast<uint8_t>(first);
  if (byte < 0x80) return 1;
  if (byte >= 0xC2 && byte < 0xE0) return 2;
  if (byte >= 0xE0 && byte < 0xF0) return 3;
  if (byte >= 0xF0 && byte < 0xF5) return 4;
  return 0;
}

bool IsContinuation(char byte) {
  return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

// Bytes of the character at the front; 0: there is none, or it is cut short.
size_t FirstCharacter(std::string_view bytes) {
  const size_t length = CharacterBytes(bytes.front());
  if (length == 0 || length > bytes.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(bytes[i])) return 0;
  }
  return length;
}

std::string ShowBytes(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t length = FirstCharacter(bytes);
    if (length > 0) {
      text += bytes.substr(0, length);
    } else {
      char code[8];
      std::snprintf(code, sizeof(code), "<%02X>",
                    static_cast<uint8_t>(bytes.front()));
      text += code;
    }
    bytes.remove_prefix(length > 0 ? length : 1);
  }
  return text;
}

}  // namespace

size_t TokenPieces::IndexOf(specinfer_token token) {
  const auto [found, is_new] = indices_of_tokens_.try_emplace(token, 0);
  if (is_new) found->second = IndexOf(ShowBytes(BytesOf(token)));
  return found->second;
}

size_t TokenPieces::IndexOf(const std::string& text) {
  const auto [found, is_new] = indices_.try_emplace(text, texts_.size());
  if (is_new) texts_.push_back(text);
  return found->second;
}

std::string TokenPieces::BytesOf(specinfer_token token) const {
  return Detokenize(model_, {token}, SPECINFER_TEXT_SHOW_SPECIAL);
}

size_t WholeCharacters(std::string_view bytes) {
  constexpr size_t kLongest = 4;
  for (size_t back = 1; back < kLongest && back <= bytes.size(); ++back) {
    const size_t place = bytes.size() - back;
    if (IsContinuation(bytes[place])) continue;
    return CharacterBytes(bytes[place]) > back ? place : bytes.size();
  }
  return bytes.size();
}

}  // namespace specinfer_cli
