#include "src/model/token_list.h"

#include <cstring>
#include <utility>

#include "src/base/status_macros.h"
#include "src/model/byte_spelling.h"

namespace specinfer {
namespace {

constexpr std::array<uint16_t, 256> kByteSpelling = MakeByteSpelling();

absl::Status PutKey(ModelContents& contents, std::string_view key,
                    MetadataValue value) {
  return contents.entries.Append({key, value});
}

}  // namespace

void TokenList::Add(std::string_view spelling) {
  const uint64_t length = spelling.size();
  char prefix[sizeof(length)];
  std::memcpy(prefix, &length, sizeof(length));
  texts_.append(prefix, sizeof(length)).append(spelling);
  ++size_;
}

void TokenList::AddBytes(std::string_view bytes) {
  std::string spelling;
  spelling.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    const uint16_t character = kByteSpelling[static_cast<uint8_t>(byte)];
    if (character < 0x80) {
      spelling.push_back(static_cast<char>(character));
    } else {
      spelling.push_back(static_cast<char>(0xC0 | (character >> 6)));
      spelling.push_back(static_cast<char>(0x80 | (character & 0x3F)));
    }
  }
  Add(spelling);
}

absl::Status TokenList::PutKeys(ModelContents& contents) const {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view kept,
                             contents.texts.Add(texts_));
  const StringArray tokens(
      size_, {reinterpret_cast<const uint8_t*>(kept.data()), kept.size()});
  SPECINFER_RETURN_IF_ERROR(PutKey(contents, "tokenizer.ggml.model",
                                   MetadataValue(std::string_view("gpt2"))));
  SPECINFER_RETURN_IF_ERROR(PutKey(contents, "tokenizer.ggml.pre",
                                   MetadataValue(std::string_view("gpt-2"))));
  SPECINFER_RETURN_IF_ERROR(PutKey(contents, "tokenizer.ggml.tokens", tokens));
  return PutKey(contents, "specinfer.merges_follow_from_ranks",
                MetadataValue(std::in_place_type<bool>, true));
}

}  // namespace specinfer
