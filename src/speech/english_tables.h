// What the English normaliser knows of spellings and of characters beyond
// ASCII.
#ifndef SPECINFER_SRC_SPEECH_ENGLISH_TABLES_H_
#define SPECINFER_SRC_SPEECH_ENGLISH_TABLES_H_

#include <string_view>

#include "absl/types/span.h"

namespace specinfer {

struct CodePointRange {
  char32_t first, last;
};

// Ascending. Become a space; vanish.
absl::Span<const CodePointRange> Symbols();
absl::Span<const CodePointRange> Marks();

// "É:e|…": Latin letters of either case, and compatibility characters, in plain
// lower case.
std::string_view PlainLetters();

// "accessorise:accessorize|…"
std::string_view AmericanSpellings();

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_ENGLISH_TABLES_H_
