// What the English normaliser knows of spellings and of characters beyond
// ASCII.
#ifndef SPECINFER_TOOLS_SPECINFER_ENGLISH_TABLES_H_
#define SPECINFER_TOOLS_SPECINFER_ENGLISH_TABLES_H_

#include <span>
#include <string_view>

namespace specinfer_cli {

struct CodePointRange {
  char32_t first, last;
};

// Ascending. Become a space; vanish.
std::span<const CodePointRange> Symbols();
std::span<const CodePointRange> Marks();

// "É:e|…": Latin letters of either case, and compatibility characters, in plain
// lower case.
std::string_view PlainLetters();

// "accessorise:accessorize|…"
std::string_view AmericanSpellings();

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_ENGLISH_TABLES_H_
