#include "src/text/ranked_merges.h"

#include <string>
#include <vector>

#include "src/base/status_macros.h"
#include "src/text/symbol_merger.h"
#include "src/text/utf8.h"

namespace specinfer {
namespace {

constexpr size_t kMaxTokenBytes = 1024;

}  // namespace

absl::Status AddRankedMerges(VocabularyBuilder& builder) {
  SymbolMerger merger;
  std::vector<Symbol> symbols;
  const Token num_tokens = static_cast<Token>(builder.num_tokens());
  for (Token token = 0; token < num_tokens; ++token) {
    const std::string_view text = builder.text(token);
    if (text.size() > kMaxTokenBytes ||
        builder.vocabulary().kinds[static_cast<size_t>(token)] !=
            TokenKind::kNormal)
      continue;
    symbols.clear();
    for (size_t begin = 0; begin < text.size();) {
      const size_t num_bytes = FirstUtf8Step(text.substr(begin)).num_bytes;
      symbols.push_back({static_cast<int32_t>(begin),
                         static_cast<int32_t>(begin + num_bytes), -1});
      begin += num_bytes;
    }
    merger.Merge(symbols, [&](const Symbol& left, const Symbol& right,
                              Token* merged) {
      *merged = builder.Find(
          text.substr(static_cast<size_t>(left.begin),
                      static_cast<size_t>(right.end - left.begin)));
      return *merged >= 0 && *merged < token ? static_cast<uint32_t>(*merged)
                                             : SymbolMerger::kNoMerge;
    });
    if (symbols.size() != 2) continue;
    const size_t middle = static_cast<size_t>(symbols[0].end);
    const std::string_view left = text.substr(0, middle);
    const std::string_view right = text.substr(middle);
    if (builder.Find(left) < 0 || builder.Find(right) < 0) continue;
    SPECINFER_RETURN_IF_ERROR(builder.AddMerge(left, right));
  }
  return absl::OkStatus();
}

}  // namespace specinfer
