// One model, whatever its container: keys and tensors under their GGUF names.
// Reads headers only; weights stay mapped.
#ifndef SPECINFER_SRC_MODEL_MODEL_FILE_H_
#define SPECINFER_SRC_MODEL_MODEL_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/file_mapping.h"
#include "src/base/memory.h"
#include "src/model/arena_array.h"
#include "src/model/metadata.h"
#include "src/model/model_contents.h"

namespace specinfer {

// How a packed model's bytes come into memory.
enum class PackedBytes : uint8_t { kMapped, kCopied };

// Immutable and thread-safe. Every view it gives out lives as long as it does.
//
// A safetensors model answers under the same keys as a GGUF file, with three
// more that say how its weights differ:
//   specinfer.rope_halves    true: q and k rotate pairs (i, i + half), whatever
//                            the architecture does in GGUF
//   specinfer.norm_plus_one  true: norm weights hold w and mean 1 + w
//   <arch>.rope.scaling.type "llama3" with .low_freq_factor and
//                            .high_freq_factor stands for the tensor rope_freqs
class ModelFile {
 public:
  // `path`: a .gguf file (of a split model the first), a .safetensors file, the
  // index of a sharded safetensors model, a CTranslate2 model.bin, the folder
  // of any of these, or a packed model. Contents decide, not endings.
  // Everything in the files is checked before it is believed. Errors: those of
  // FileMapping::Open; INVALID_ARGUMENT (a broken file, naming the field);
  // UNIMPLEMENTED (a version, element type or architecture that this library
  // does not read); RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<ModelFile>> Open(
      const std::string& path, const FileReader& reader, Memory& memory,
      PackedBytes packed_bytes = PackedBytes::kMapped);

  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t file_bytes() const;  // of all files that hold tensors

  // Keys in file order; Find is null where there is no such key.
  absl::Span<const MetadataEntry> metadata() const {
    return contents_.entries.span();
  }
  const MetadataValue* Find(std::string_view key) const;

  // The value under `key`, converted where nothing is lost (an int to an
  // unsigned, any number to a float).
  // Errors: NOT_FOUND (except the ...Or forms), INVALID_ARGUMENT (of another
  // kind); both name file and key.
  absl::StatusOr<std::string_view> GetString(std::string_view key) const;
  absl::StatusOr<uint64_t> GetUint(std::string_view key) const;
  absl::StatusOr<double> GetFloat(std::string_view key) const;
  absl::StatusOr<bool> GetBool(std::string_view key) const;
  absl::StatusOr<StringArray> GetStrings(std::string_view key) const;
  absl::StatusOr<NumberArray> GetNumbers(std::string_view key) const;
  absl::StatusOr<std::string_view> GetStringOr(std::string_view key,
                                               std::string_view absent) const;
  absl::StatusOr<uint64_t> GetUintOr(std::string_view key,
                                     uint64_t absent) const;
  absl::StatusOr<double> GetFloatOr(std::string_view key, double absent) const;
  absl::StatusOr<bool> GetBoolOr(std::string_view key, bool absent) const;
  // One number for each of `num_layers` layers: the file has one for all or an
  // array of at least that many.
  absl::StatusOr<std::vector<uint64_t>> GetUintPerLayer(
      std::string_view key, size_t num_layers) const;

  // Tensors in file order; FindTensor is null where there is no such tensor.
  absl::Span<const TensorRecord> tensors() const {
    return contents_.tensors.span();
  }
  const TensorRecord* FindTensor(std::string_view name) const;

  // Tells the system that the tensor's bytes will be read soon.
  void Prefetch(const TensorRecord& tensor) const;
  // Tells the system that the tensor's bytes will not be read again soon; they
  // stay readable.
  void Release(const TensorRecord& tensor) const;

  // Of a packed model, whose tensors are in a backend's own layout.
  bool is_packed() const { return !contents_.packed_family.name.empty(); }
  PackedFamily packed_family() const { return contents_.packed_family; }
  // All of its bytes: those of every tensor and table lie within.
  absl::Span<const uint8_t> packed_bytes() const {
    return contents_.files.front().bytes();
  }
  // True where the bytes are the file's own pages.
  bool is_mapped() const { return contents_.files.front().is_mapped(); }
  absl::Span<const TableRecord> tables() const {
    return contents_.tables.span();
  }
  // Empty where there is no such table.
  absl::Span<const uint8_t> FindTable(std::string_view name) const;

  // True where `path` is one of the model's files.
  bool Holds(const std::string& path) const;

  // The text of tokenizer.json; empty for GGUF, whose vocabulary is in its
  // keys.
  std::string_view tokenizer_json() const { return contents_.tokenizer_json; }

  // A hash of keys, tensor directory and samples of the weights, for caches and
  // saved sessions. Reads a few dozen pages.
  uint64_t Fingerprint() const;

 private:
  ModelFile(std::string path, ModelContents contents, Memory& memory);
  // The file that holds the tensor, and where in it.
  const FileMapping* FindFile(const TensorRecord& tensor, size_t* offset) const;
  // Sorts names for look-up and refuses doubles.
  absl::Status Index();

  std::string path_;
  ModelContents contents_;
  ArenaArray<uint32_t> entry_order_;   // indices into entries, by key
  ArenaArray<uint32_t> tensor_order_;  // indices into tensors, by name
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_MODEL_FILE_H_
