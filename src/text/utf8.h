// Reading UTF-8 that may be ill-formed.
#ifndef SPECINFER_SRC_TEXT_UTF8_H_
#define SPECINFER_SRC_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace specinfer {

// The first step of a text. An ill-formed step is what U+FFFD stands for: the
// longest start of a sequence that could have been well-formed, at least one
// byte (Unicode 15, section 3.9, "maximal subpart").
struct Utf8Step {
  enum class Kind : uint8_t {
    kCharacter,
    kIllFormed,
    kTruncated
  };  // truncated: more bytes could make a character
  Kind kind;
  size_t num_bytes;
};

// REQUIRES: `text` is not empty.
Utf8Step FirstUtf8Step(std::string_view text);

// How many bytes at the start of `text` are whole characters.
size_t WellFormedUtf8Prefix(std::string_view text);

// The code point of one well-formed character.
char32_t DecodeUtf8Character(std::string_view character);

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_UTF8_H_
