// Writes a vocabulary as GGUF's keys say it, for containers that keep it in a
// form of their own.
#ifndef SPECINFER_SRC_MODEL_TOKEN_LIST_H_
#define SPECINFER_SRC_MODEL_TOKEN_LIST_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

#include "src/model/model_contents.h"

namespace specinfer {

// Byte-level BPE without a list of merges: they follow from the tokens' order,
// which is their rank.
class TokenList {
 public:
  size_t size() const { return size_; }

  // In GPT-2's spelling, in which every byte is a visible character.
  void Add(std::string_view spelling);
  // As bytes.
  void AddBytes(std::string_view bytes);

  // Appends tokenizer.ggml.{model,pre,tokens} and
  // specinfer.merges_follow_from_ranks.
  absl::Status PutKeys(ModelContents& contents) const;

 private:
  std::string texts_;  // each a 64-bit length and its bytes
  size_t size_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_TOKEN_LIST_H_
