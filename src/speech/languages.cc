#include "src/speech/languages.h"

#include <string>

#include "absl/strings/ascii.h"

#include "src/base/text.h"

namespace specinfer {
namespace {

constexpr Language kLanguages[] = {
    {"en", "english"},     {"zh", "chinese"},    {"de", "german"},
    {"es", "spanish"},     {"ru", "russian"},    {"ko", "korean"},
    {"fr", "french"},      {"ja", "japanese"},   {"pt", "portuguese"},
    {"tr", "turkish"},     {"pl", "polish"},     {"ca", "catalan"},
    {"nl", "dutch"},       {"ar", "arabic"},     {"sv", "swedish"},
    {"it", "italian"},     {"id", "indonesian"}, {"hi", "hindi"},
    {"fi", "finnish"},     {"vi", "vietnamese"}, {"he", "hebrew"},
    {"uk", "ukrainian"},   {"el", "greek"},      {"ms", "malay"},
    {"cs", "czech"},       {"ro", "romanian"},   {"da", "danish"},
    {"hu", "hungarian"},   {"ta", "tamil"},      {"no", "norwegian"},
    {"th", "thai"},        {"ur", "urdu"},       {"hr", "croatian"},
    {"bg", "bulgarian"},   {"lt", "lithuanian"}, {"la", "latin"},
    {"mi", "maori"},       {"ml", "malayalam"},  {"cy", "welsh"},
    {"sk", "slovak"},      {"te", "telugu"},     {"fa", "persian"},
    {"lv", "latvian"},     {"bn", "bengali"},    {"sr", "serbian"},
    {"az", "azerbaijani"}, {"sl", "slovenian"},  {"kn", "kannada"},
    {"et", "estonian"},    {"mk", "macedonian"}, {"br", "breton"},
    {"eu", "basque"},      {"is", "icelandic"},  {"hy", "armenian"},
    {"ne", "nepali"},      {"mn", "mongolian"},  {"bs", "bosnian"},
    {"kk", "kazakh"},      {"sq", "albanian"},   {"sw", "swahili"},
    {"gl", "galician"},    {"mr", "marathi"},    {"pa", "punjabi"},
    {"si", "sinhala"},     {"km", "khmer"},      {"sn", "shona"},
    {"yo", "yoruba"},      {"so", "somali"},     {"af", "afrikaans"},
    {"oc", "occitan"},     {"ka", "georgian"},   {"be", "belarusian"},
    {"tg", "tajik"},       {"sd", "sindhi"},     {"gu", "gujarati"},
    {"am", "amharic"},     {"yi", "yiddish"},    {"lo", "lao"},
    {"uz", "uzbek"},       {"fo", "faroese"},    {"ht", "haitian creole"},
    {"ps", "pashto"},      {"tk", "turkmen"},    {"nn", "nynorsk"},
    {"mt", "maltese"},     {"sa", "sanskrit"},   {"lb", "luxembourgish"},
    {"my", "myanmar"},     {"bo", "tibetan"},    {"tl", "tagalog"},
    {"mg", "malagasy"},    {"as", "assamese"},   {"tt", "tatar"},
    {"haw", "hawaiian"},   {"ln", "lingala"},    {"ha", "hausa"},
    {"ba", "bashkir"},     {"jw", "javanese"},   {"su", "sundanese"},
    {"yue", "cantonese"},
};

constexpr Language kOtherNames[] = {
    {"my", "burmese"},   {"ca", "valencian"},     {"nl", "flemish"},
    {"ht", "haitian"},   {"lb", "letzeburgesch"}, {"ps", "pushto"},
    {"pa", "panjabi"},   {"ro", "moldavian"},     {"ro", "moldovan"},
    {"si", "sinhalese"}, {"es", "castilian"},     {"zh", "mandarin"},
};

}  // namespace

absl::Span<const Language> Languages() { return kLanguages; }

const Language* FindLanguage(std::string_view code_or_name) {
  const std::string wanted = absl::AsciiStrToLower(ToAbsl(code_or_name));
  for (const Language& language : kLanguages) {
    if (language.code == wanted || language.name == wanted) return &language;
  }
  for (const Language& other : kOtherNames) {
    if (other.name == wanted) return FindLanguage(other.code);
  }
  return nullptr;
}

bool IsWrittenWithoutSpaces(std::string_view code) {
  for (const std::string_view other : {"zh", "ja", "th", "lo", "my", "yue"}) {
    if (code == other) return true;
  }
  return false;
}

}  // namespace specinfer
