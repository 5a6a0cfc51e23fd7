#include "english_normalizer.h"

#include <algorithm>

#include "english_characters.h"
#include "english_tables.h"

namespace specinfer_cli {
namespace {

constexpr std::string_view kKeptSymbols[] = {".", "%", "$", "¢", "€", "£"};

// In this order. A text that begins with a letter begins a word; every one ends
// a word.
struct Contraction {
  std::string_view text, replacement;
};
constexpr Contraction kContractions[] = {
    {"won't", "will not"},
    {"can't", "can not"},
    {"let's", "let us"},
    {"ain't", "aint"},
    {"y'all", "you all"},
    {"wanna", "want to"},
    {"gotta", "got to"},
    {"gonna", "going to"},
    {"i'ma", "i am going to"},
    {"imma", "i am going to"},
    {"woulda", "would have"},
    {"coulda", "could have"},
    {"shoulda", "should have"},
    {"ma'am", "madam"},
    {"mr", "mister "},
    {"mrs", "missus "},
    {"st", "saint "},
    {"dr", "doctor "},
    {"prof", "professor "},
    {"capt", "captain "},
    {"gov", "governor "},
    {"ald", "alderman "},
    {"gen", "general "},
    {"sen", "senator "},
    {"rep", "representative "},
    {"pres", "president "},
    {"rev", "reverend "},
    {"hon", "honorable "},
    {"asst", "assistant "},
    {"assoc", "associate "},
    {"lt", "lieutenant "},
    {"col", "colonel "},
    {"jr", "junior "},
    {"sr", "senior "},
    {"esq", "esquire "},
    {"'d been", " had been"},
    {"'s been", " has been"},
    {"'d gone", " had gone"},
    {"'s gone", " has gone"},
    {"'d done", " had done"},
    {"'s got", " has got"},
    {"n't", " not"},
    {"'re", " are"},
    {"'s", " is"},
    {"'d", " would"},
    {"'ll", " will"},
    {"'t", " not"},
    {"'ve", " have"},
    {"'m", " am"},
};

constexpr std::string_view kFillers[] = {"hmm", "mm", "mhm", "mmm", "uh", "um"};

void Replace(const Contraction& contraction, std::string* text) {
  const std::string_view wanted = contraction.text;
  if (text->find(wanted) == std::string::npos) return;
  // "n't" follows a letter.
  const bool begins_word = wanted[0] != '\'' && wanted != "n't";
  std::string out;
  size_t place = 0;
  for (size_t next; (next = text->find(wanted, place)) != std::string::npos;) {
    const size_t end = next + wanted.size();
    const bool is_there = IsWordBoundary(*text, end) &&
                          (!begins_word || IsWordBoundary(*text, next));
    out.append(*text, place, next - place);
    out.append(is_there ? contraction.replacement : wanted.substr(0, 1));
    place = is_there ? end : next + 1;
  }
  out.append(*text, place);
  *text = std::move(out);
}

// Without [these], <these> and (these).
std::string WithoutBrackets(std::string_view text) {
  std::string kept;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<' || text[i] == '[') {
      const size_t end = text.find_first_of(">]", i + 1);
      if (end != std::string_view::npos) {
        i = end;
        continue;
      }
    }
    kept.push_back(text[i]);
  }
  std::string outside;
  for (size_t i = 0; i < kept.size(); ++i) {
    const size_t end =
        kept[i] == '(' ? kept.find(')', i + 1) : std::string::npos;
    if (end != std::string::npos && end > i + 1) {
      i = end;
    } else {
      outside.push_back(kept[i]);
    }
  }
  return outside;
}

std::string WithoutFillers(std::string_view text) {
  std::string kept;
  for (size_t i = 0; i < text.size();) {
    size_t num_bytes = 0;
    if (IsWordBoundary(text, i)) {
      for (const std::string_view filler : kFillers) {
        if (text.substr(i, filler.size()) == filler &&
            IsWordBoundary(text, i + filler.size()))
          num_bytes = filler.size();
      }
    }
    if (num_bytes == 0) kept.push_back(text[i++]);
    i += num_bytes;
  }
  return kept;
}

// Without spaces before an apostrophe.
std::string JoinApostrophes(std::string_view text) {
  std::string joined;
  for (const char c : text) {
    if (c == '\'') {
      while (!joined.empty() && IsAsciiSpace(joined.back())) joined.pop_back();
    }
    joined.push_back(c);
  }
  return joined;
}

// Commas between digits go, and so do periods that no digit follows. Each
// pattern takes the character after it, which begins no other.
std::string TidyPoints(std::string_view text) {
  std::string joined;
  for (size_t i = 0; i < text.size(); ++i) {
    joined.push_back(text[i]);
    if (IsDigit(text[i]) && i + 2 < text.size() && text[i + 1] == ',' &&
        IsDigit(text[i + 2])) {
      joined.push_back(text[i + 2]);
      i += 2;
    }
  }
  std::string out;
  for (size_t i = 0; i < joined.size();) {
    const bool is_end = i + 1 == joined.size();
    if (joined[i] != '.' || (!is_end && IsDigit(joined[i + 1]))) {
      out.push_back(joined[i++]);
      continue;
    }
    out.push_back(' ');
    const size_t num_bytes = is_end ? 0 : CharacterBytes(joined, i + 1);
    out.append(joined, i + 1, num_bytes);
    i += 1 + num_bytes;
  }
  return out;
}

// Bytes of one of .$¢€£ at `place`, else 0.
size_t PrefixBytes(std::string_view text, size_t place) {
  for (const std::string_view symbol : {".", "$", "¢", "€", "£"}) {
    if (text.substr(place, symbol.size()) == symbol) return symbol.size();
  }
  return 0;
}

// Symbols that no number follows, or precedes, become spaces.
std::string WithoutLoneSymbols(std::string_view text) {
  std::string prefixed;
  for (size_t i = 0; i < text.size();) {
    const size_t symbol = PrefixBytes(text, i);
    const size_t next = i + symbol;
    if (symbol == 0 || next >= text.size() || IsDigit(text[next])) {
      prefixed.push_back(text[i++]);
      continue;
    }
    const size_t num_bytes = CharacterBytes(text, next);
    prefixed.append(" ").append(text.substr(next, num_bytes));
    i = next + num_bytes;
  }
  std::string out;
  for (size_t i = 0; i < prefixed.size();) {
    const size_t num_bytes = CharacterBytes(prefixed, i);
    const size_t next = i + num_bytes;
    const bool is_before_percent = !IsDigit(prefixed[i]) &&
                                   next < prefixed.size() &&
                                   prefixed[next] == '%';
    out.append(prefixed, i, num_bytes);
    if (is_before_percent) out.push_back(' ');
    i = next + (is_before_percent ? 1 : 0);
  }
  return out;
}

std::string WithSingleSpaces(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsAsciiSpace(text[i])) {
      out.push_back(text[i]);
    } else if (i == 0 || !IsAsciiSpace(text[i - 1])) {
      out.push_back(' ');
    }
  }
  return out;
}

// Reads "key:value|…".
void FillMap(std::string_view table,
             std::unordered_map<std::string_view, std::string_view>* map) {
  while (!table.empty()) {
    const size_t colon = table.find(':');
    const size_t bar = table.find('|', colon);
    map->emplace(table.substr(0, colon),
                 table.substr(colon + 1, bar - colon - 1));
    table.remove_prefix(bar + 1);
  }
}

}  // namespace

EnglishNormalizer::EnglishNormalizer() {
  FillMap(PlainLetters(), &letters_);
  FillMap(AmericanSpellings(), &spellings_);
}

std::string EnglishNormalizer::Normalize(std::string_view text) const {
  std::string words(text);
  for (char& c : words) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  words = WithoutBrackets(words);
  words = WithoutFillers(words);
  words = JoinApostrophes(words);
  for (const Contraction& contraction : kContractions)
    Replace(contraction, &words);
  words = WithoutSymbols(TidyPoints(words));
  words = AmericanSpelling(numbers_.Digits(words));
  return WithSingleSpaces(WithoutLoneSymbols(words));
}

std::vector<std::string> EnglishNormalizer::Words(std::string_view text) const {
  const std::string normalized = Normalize(text);
  const std::vector<std::string_view> words = SplitAtSpaces(normalized);
  return {words.begin(), words.end()};
}

std::string EnglishNormalizer::WithoutSymbols(std::string_view text) const {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const std::string_view character = text.substr(i, CharacterBytes(text, i));
    i += character.size();
    if (std::find(std::begin(kKeptSymbols), std::end(kKeptSymbols),
                  character) != std::end(kKeptSymbols)) {
      out.append(character);
    } else if (const auto letter = letters_.find(character);
               letter != letters_.end()) {
      out.append(letter->second);
    } else {
      out.append(PlainCharacter(character));
    }
  }
  return out;
}

std::string EnglishNormalizer::AmericanSpelling(std::string_view text) const {
  std::string out;
  for (const std::string_view word : SplitAtSpaces(text)) {
    if (!out.empty()) out.push_back(' ');
    const auto spelling = spellings_.find(word);
    out.append(spelling == spellings_.end() ? word : spelling->second);
  }
  return out;
}

}  // namespace specinfer_cli
