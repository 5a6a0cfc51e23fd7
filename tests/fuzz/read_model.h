// Opens a model from bytes and reads everything it offers, as a loader would.
#ifndef SPECINFER_TESTS_FUZZ_READ_MODEL_H_
#define SPECINFER_TESTS_FUZZ_READ_MODEL_H_

#include <cstdint>
#include <string>
#include <variant>

#include "src/base/memory.h"
#include "src/model/model_file.h"
#include "tests/model/memory_files.h"

namespace specinfer {

// A sum over every key and tensor byte, so that no read can be left out; an
// error where the file is refused.
inline absl::StatusOr<uint64_t> ReadEverything(const std::string& path,
                                               const FileReader& reader,
                                               Memory& memory) {
  const auto model = ModelFile::Open(path, reader, memory);
  if (!model.ok()) return model.status();
  uint64_t sum = (*model)->Fingerprint();
  for (const MetadataEntry& entry : (*model)->metadata()) {
    for (const char letter : entry.key) sum += static_cast<uint8_t>(letter);
    if ((*model)->Find(entry.key) != &entry.value)
      return absl::InternalError("a key is not found under its name");
    if (const auto* text = std::get_if<std::string_view>(&entry.value)) {
      for (const char letter : *text) sum += static_cast<uint8_t>(letter);
    }
    if (const auto* texts = std::get_if<StringArray>(&entry.value)) {
      for (const std::string_view text : *texts) {
        for (const char letter : text) sum += static_cast<uint8_t>(letter);
      }
    }
    if (const auto* numbers = std::get_if<NumberArray>(&entry.value)) {
      for (size_t index = 0; index < numbers->size(); ++index) {
        sum += static_cast<uint64_t>(numbers->Int(index)) +
               (numbers->Float(index) > 0 ? 1 : 0);
      }
    }
  }
  for (const TensorRecord& tensor : (*model)->tensors()) {
    if ((*model)->FindTensor(tensor.name) != &tensor)
      return absl::InternalError("a tensor is not found under its name");
    for (const uint8_t byte : tensor.bytes) sum += byte;
  }
  return sum;
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_FUZZ_READ_MODEL_H_
