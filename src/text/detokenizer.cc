#include "src/text/detokenizer.h"

#include "src/text/utf8.h"

namespace specinfer {

void Detokenizer::Append(Token token, std::string* text) {
  AppendBytes(tokenizer_->TokenBytes(token, shows_special_), text);
}

void Detokenizer::AppendBytes(std::string_view bytes, std::string* text) {
  // Finish the character that is held back, byte by byte: a byte that does not
  // belong to it starts the next.
  while (!held_back_.empty() && !bytes.empty()) {
    held_back_.push_back(bytes[0]);
    const Utf8Step step = FirstUtf8Step(held_back_);
    if (step.kind == Utf8Step::Kind::kIllFormed) {
      text->append(kReplacementCharacter);
      held_back_.clear();
      break;
    }
    bytes.remove_prefix(1);
    if (step.kind == Utf8Step::Kind::kCharacter) {
      text->append(held_back_);
      held_back_.clear();
    }
  }
  while (!bytes.empty()) {
    const size_t num_bytes = WellFormedUtf8Prefix(bytes);
    text->append(bytes.substr(0, num_bytes));
    bytes.remove_prefix(num_bytes);
    if (bytes.empty()) return;
    const Utf8Step step = FirstUtf8Step(bytes);
    if (step.kind == Utf8Step::Kind::kTruncated) {
      held_back_.assign(bytes);
      return;
    }
    text->append(kReplacementCharacter);
    bytes.remove_prefix(step.num_bytes);
  }
}

void Detokenizer::Flush(std::string* text) {
  if (!held_back_.empty()) text->append(kReplacementCharacter);
  held_back_.clear();
}

}  // namespace specinfer
