// libFuzzer entry. The first byte chooses: a tokenizer.json, a GGUF file, or
// text for one of two fixed tokenizers. Tokens of any text must give its bytes
// back, and what is shown of them must be well-formed.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/text/detokenizer.h"
#include "src/text/tokenizer.h"
#include "src/text/tokenizer_json.h"
#include "src/text/utf8.h"
#include "src/text/vocabulary_builder.h"
#include "tests/model/memory_files.h"

namespace specinfer {
namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

std::string Utf8OfByte(unsigned character) {
  if (character < 0x80) return std::string(1, static_cast<char>(character));
  return {static_cast<char>(0xC0 | character >> 6),
          static_cast<char>(0x80 | (character & 0x3F))};
}

// Every byte, some merges, a control and a user-defined token.
std::unique_ptr<Tokenizer> MakeBytePair(PreTokenizerKind kind) {
  VocabularyBuilder builder(TokenizerModel::kBytePair, 300, "");
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool is_visible =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    Check(builder
              .AddToken(Utf8OfByte(is_visible ? byte : next++),
                        TokenKind::kNormal)
              .ok());
  }
  const std::string blank = Utf8OfByte(0x120);
  const std::vector<std::pair<std::string, std::string>> merges = {
      {"a", "a"},
      {"aa", "aa"},
      {"a", "b"},
      {blank, blank},
      {blank + blank, blank + blank},
      {blank, "a"},
      {"1", "1"}};
  for (const auto& [left, right] : merges)
    Check(builder.AddToken(left + right, TokenKind::kNormal).ok());
  for (const auto& [left, right] : merges)
    Check(builder.AddMerge(left, right).ok());
  Check(builder.AddToken("<s>", TokenKind::kControl).ok());
  Check(builder.AddToken("<t>", TokenKind::kUserDefined).ok());
  builder.vocabulary().pre_tokenizer = kind;
  auto vocabulary = builder.Finish();
  Check(vocabulary.ok());
  auto tokenizer = Tokenizer::Create(*std::move(vocabulary));
  Check(tokenizer.ok());
  return *std::move(tokenizer);
}

void TokenizeAndBack(const Tokenizer& tokenizer, std::string_view text,
                     bool gives_bytes_back) {
  std::vector<Token> tokens;
  Check(tokenizer.Tokenize(text, /*parse_special=*/false, &tokens).ok());
  std::string bytes, shown;
  Detokenizer detokenizer(tokenizer, /*shows_special=*/true);
  for (const Token token : tokens) {
    bytes.append(tokenizer.TokenBytes(token, /*show_special=*/true));
    Check(!gives_bytes_back || !tokenizer.IsControl(token));
    detokenizer.Append(token, &shown);
  }
  detokenizer.Flush(&shown);
  Check(!gives_bytes_back || bytes == text);
  Check(WellFormedUtf8Prefix(shown) == shown.size());
  tokens.clear();
  Check(tokenizer.Tokenize(text, /*parse_special=*/true, &tokens).ok());
}

void LoadJson(std::string_view text) {
  auto builder = ParseTokenizerJson(text, "");
  if (!builder.ok()) return;
  auto vocabulary = (*builder)->Finish();
  if (!vocabulary.ok()) return;
  auto tokenizer = Tokenizer::Create(*std::move(vocabulary));
  if (tokenizer.ok())
    TokenizeAndBack(**tokenizer, text.substr(0, 1000),
                    /*gives_bytes_back=*/false);
}

void LoadGguf(std::string_view bytes) {
  MemoryFiles files;
  files.Put("x.gguf", std::string(bytes));
  Memory memory(/*budget_bytes=*/uint64_t{1} << 28);
  auto file = ModelFile::Open("x.gguf", files.reader(), memory);
  if (!file.ok()) return;
  auto tokenizer = Tokenizer::Create(**file);
  if (tokenizer.ok())
    TokenizeAndBack(**tokenizer, bytes.substr(0, 1000),
                    /*gives_bytes_back=*/false);
}

}  // namespace
}  // namespace specinfer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  using specinfer::PreTokenizerKind;
  static const auto gpt2 = specinfer::MakeBytePair(PreTokenizerKind::kGpt2);
  static const auto qwen2 = specinfer::MakeBytePair(PreTokenizerKind::kQwen2);
  if (num_bytes == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1,
                              num_bytes - 1);
  switch (data[0] % 4) {
    case 0:
      specinfer::LoadJson(rest);
      break;
    case 1:
      specinfer::LoadGguf(rest);
      break;
    case 2:
      specinfer::TokenizeAndBack(*gpt2, rest, /*gives_bytes_back=*/true);
      break;
    default:
      specinfer::TokenizeAndBack(*qwen2, rest, /*gives_bytes_back=*/true);
  }
  return 0;
}
