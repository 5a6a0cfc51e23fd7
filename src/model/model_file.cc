#include "src/model/model_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "src/base/file_writer.h"
#include "src/base/status_macros.h"
#include "src/model/ctranslate2_file.h"
#include "src/model/ggml_file.h"
#include "src/model/gguf_file.h"
#include "src/model/packed_file.h"
#include "src/model/safetensors_file.h"

namespace specinfer {
namespace {

constexpr size_t kFingerprintSamples = 64;
constexpr size_t kFingerprintSampleBytes = 64;

// What else people open by mistake.
struct Lookalike {
  std::string_view beginning;
  std::string_view what;
};
constexpr Lookalike kLookalikes[] = {
    {"version https://git-lfs",
     "is a Git LFS pointer, not the file itself; download it with git lfs "
     "pull"},
    {"<!DOCTYPE", "is a web page; download the file itself"},
    {"<html", "is a web page; download the file itself"},
    {"PK\x03\x04",
     "is a zip or PyTorch file; convert it to GGUF or safetensors"},
    {"lmgg", "is a ggml file from before GGUF; convert the model again"},
    {"fmgg", "is a ggml file from before GGUF; convert the model again"},
    {"tjgg", "is a ggml file from before GGUF; convert the model again"},
};

// Opens `path`, or where that is a folder the file in it to begin with.
absl::StatusOr<FileMapping> OpenFileOrFolder(const std::string& path,
                                             const FileReader& reader,
                                             Memory& memory) {
  absl::StatusOr<FileMapping> file = FileMapping::Open(path, reader, memory);
  if (file.ok() || absl::IsResourceExhausted(file.status()) ||
      absl::IsPermissionDenied(file.status()))
    return file;
  absl::StatusOr<FileMapping> inside =
      OpenSafetensorsFolder(path, reader, memory);
  if (!absl::IsNotFound(inside.status())) return inside;
  const std::string prefix =
      path.empty() || path.back() == '/' ? path : path + "/";
  inside = FileMapping::Open(prefix + "model.bin", reader, memory);
  if (!absl::IsNotFound(inside.status())) return inside;
  if (absl::IsNotFound(file.status())) return file;
  return absl::InvalidArgumentError(
      absl::StrCat(file.status().message(),
                   " (a folder must hold model.safetensors, "
                   "model.safetensors.index.json or model.bin)"));
}

absl::StatusOr<ModelContents> ReadContents(const std::string& path,
                                           const FileReader& reader,
                                           Memory& memory,
                                           PackedBytes packed_bytes) {
  SPECINFER_ASSIGN_OR_RETURN(FileMapping file,
                             OpenFileOrFolder(path, reader, memory));
  const absl::Span<const uint8_t> bytes = file.bytes();
  if (IsGguf(bytes)) return ReadGguf(std::move(file), reader, memory);
  if (IsPackedModel(bytes)) {
    if (packed_bytes == PackedBytes::kCopied && file.is_mapped())
      SPECINFER_RETURN_IF_ERROR(file.CopyToMemory(memory));
    return ReadPackedModel(std::move(file), memory);
  }
  if (IsSafetensors(bytes) || IsSafetensorsIndex(bytes))
    return ReadSafetensors(std::move(file), reader, memory);
  if (IsGgmlWhisper(bytes)) return ReadGgmlWhisper(std::move(file), memory);
  if (IsCtranslate2(bytes))
    return ReadCtranslate2(std::move(file), reader, memory);
  const absl::string_view text(reinterpret_cast<const char*>(bytes.data()),
                               std::min<size_t>(bytes.size(), 64));
  for (const Lookalike& lookalike : kLookalikes) {
    if (absl::StartsWith(text, absl::string_view(lookalike.beginning.data(),
                                                 lookalike.beginning.size()))) {
      return absl::InvalidArgumentError(ModelMessage(path, lookalike.what));
    }
  }
  return absl::InvalidArgumentError(ModelMessage(
      path, "is no GGUF, safetensors, CTranslate2 or packed file"));
}

absl::Status AppendOrder(size_t count, ArenaArray<uint32_t>& order) {
  for (size_t index = 0; index < count; ++index) {
    SPECINFER_RETURN_IF_ERROR(order.Append(static_cast<uint32_t>(index)));
  }
  return absl::OkStatus();
}

// The element of `records` whose name, told by `name_of`, is `name`.
template <typename Record, typename NameOf>
const Record* FindByName(const ArenaArray<Record>& records,
                         const ArenaArray<uint32_t>& order,
                         std::string_view name, NameOf name_of) {
  const absl::Span<const uint32_t> indices = order.span();
  const auto found =
      std::lower_bound(indices.begin(), indices.end(), name,
                       [&](uint32_t index, std::string_view wanted) {
                         return name_of(records[index]) < wanted;
                       });
  if (found == indices.end() || name_of(records[*found]) != name)
    return nullptr;
  return &records[*found];
}

std::string_view KeyOf(const MetadataEntry& entry) { return entry.key; }
std::string_view NameOf(const TensorRecord& tensor) { return tensor.name; }

absl::Status NotFound(const std::string& path, std::string_view key) {
  return absl::NotFoundError(
      ModelMessage(path, "key ", QuoteName(key), " is missing"));
}

absl::Status WrongKind(const std::string& path, std::string_view key,
                       const MetadataValue& value, std::string_view wanted) {
  return absl::InvalidArgumentError(
      ModelMessage(path, "key ", QuoteName(key), " is ",
                   MetadataKindName(value), ", must be ", wanted));
}

}  // namespace

ModelFile::ModelFile(std::string path, ModelContents contents, Memory& memory)
    : path_(std::move(path)),
      contents_(std::move(contents)),
      entry_order_(memory),
      tensor_order_(memory) {}

absl::StatusOr<std::unique_ptr<ModelFile>> ModelFile::Open(
    const std::string& path, const FileReader& reader, Memory& memory,
    PackedBytes packed_bytes) {
  SPECINFER_ASSIGN_OR_RETURN(ModelContents contents,
                             ReadContents(path, reader, memory, packed_bytes));
  std::unique_ptr<ModelFile> file(
      new ModelFile(path, std::move(contents), memory));
  SPECINFER_RETURN_IF_ERROR(file->Index());
  return file;
}

absl::Status ModelFile::Index() {
  SPECINFER_RETURN_IF_ERROR(
      AppendOrder(contents_.entries.size(), entry_order_));
  SPECINFER_RETURN_IF_ERROR(
      AppendOrder(contents_.tensors.size(), tensor_order_));
  uint32_t* keys = entry_order_.data();
  std::sort(keys, keys + entry_order_.size(), [this](uint32_t a, uint32_t b) {
    return contents_.entries[a].key < contents_.entries[b].key;
  });
  for (size_t place = 1; place < entry_order_.size(); ++place) {
    const std::string_view key = contents_.entries[keys[place]].key;
    if (key == contents_.entries[keys[place - 1]].key) {
      return absl::InvalidArgumentError(
          ModelMessage(path_, "key ", QuoteName(key), " occurs twice"));
    }
  }
  uint32_t* names = tensor_order_.data();
  std::sort(names, names + tensor_order_.size(),
            [this](uint32_t a, uint32_t b) {
              return contents_.tensors[a].name < contents_.tensors[b].name;
            });
  for (size_t place = 1; place < tensor_order_.size(); ++place) {
    const std::string_view name = contents_.tensors[names[place]].name;
    if (name == contents_.tensors[names[place - 1]].name) {
      return absl::InvalidArgumentError(
          ModelMessage(path_, "tensor ", QuoteName(name), " occurs twice"));
    }
  }
  return absl::OkStatus();
}

uint64_t ModelFile::file_bytes() const {
  uint64_t num_bytes = 0;
  for (const FileMapping& file : contents_.files)
    num_bytes += file.bytes().size();
  return num_bytes;
}

const MetadataValue* ModelFile::Find(std::string_view key) const {
  const MetadataEntry* entry =
      FindByName(contents_.entries, entry_order_, key, KeyOf);
  return entry == nullptr ? nullptr : &entry->value;
}

const TensorRecord* ModelFile::FindTensor(std::string_view name) const {
  return FindByName(contents_.tensors, tensor_order_, name, NameOf);
}

absl::StatusOr<std::string_view> ModelFile::GetString(
    std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return NotFound(path_, key);
  if (const std::string_view* text = std::get_if<std::string_view>(value))
    return *text;
  return WrongKind(path_, key, *value, "a string");
}

absl::StatusOr<uint64_t> ModelFile::GetUint(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return NotFound(path_, key);
  if (const uint64_t* number = std::get_if<uint64_t>(value)) return *number;
  const int64_t* number = std::get_if<int64_t>(value);
  if (number == nullptr)
    return WrongKind(path_, key, *value, "an unsigned integer");
  if (*number >= 0) return static_cast<uint64_t>(*number);
  return absl::InvalidArgumentError(ModelMessage(path_, "key ", QuoteName(key),
                                                 " is ", *number,
                                                 ", must not be negative"));
}

absl::StatusOr<double> ModelFile::GetFloat(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return NotFound(path_, key);
  if (const uint64_t* number = std::get_if<uint64_t>(value))
    return static_cast<double>(*number);
  if (const int64_t* number = std::get_if<int64_t>(value))
    return static_cast<double>(*number);
  const double* number = std::get_if<double>(value);
  if (number == nullptr) return WrongKind(path_, key, *value, "a number");
  if (std::isfinite(*number)) return *number;
  return absl::InvalidArgumentError(ModelMessage(
      path_, "key ", QuoteName(key), " is ", *number, ", must be finite"));
}

absl::StatusOr<bool> ModelFile::GetBool(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return NotFound(path_, key);
  if (const bool* truth = std::get_if<bool>(value)) return *truth;
  return WrongKind(path_, key, *value, "a bool");
}

absl::StatusOr<StringArray> ModelFile::GetStrings(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return NotFound(path_, key);
  if (const StringArray* strings = std::get_if<StringArray>(value))
    return *strings;
  return WrongKind(path_, key, *value, "an array of strings");
}

absl::StatusOr<NumberArray> ModelFile::GetNumbers(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return NotFound(path_, key);
  if (const NumberArray* numbers = std::get_if<NumberArray>(value))
    return *numbers;
  return WrongKind(path_, key, *value, "an array of numbers");
}

absl::StatusOr<std::string_view> ModelFile::GetStringOr(
    std::string_view key, std::string_view absent) const {
  return Find(key) == nullptr ? absent : GetString(key);
}

absl::StatusOr<uint64_t> ModelFile::GetUintOr(std::string_view key,
                                              uint64_t absent) const {
  return Find(key) == nullptr ? absent : GetUint(key);
}

absl::StatusOr<double> ModelFile::GetFloatOr(std::string_view key,
                                             double absent) const {
  return Find(key) == nullptr ? absent : GetFloat(key);
}

absl::StatusOr<bool> ModelFile::GetBoolOr(std::string_view key,
                                          bool absent) const {
  return Find(key) == nullptr ? absent : GetBool(key);
}

absl::StatusOr<std::vector<uint64_t>> ModelFile::GetUintPerLayer(
    std::string_view key, size_t num_layers) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return NotFound(path_, key);
  const NumberArray* numbers = std::get_if<NumberArray>(value);
  if (numbers == nullptr) {
    SPECINFER_ASSIGN_OR_RETURN(const uint64_t number, GetUint(key));
    return std::vector<uint64_t>(num_layers, number);
  }
  if (numbers->is_floating())
    return WrongKind(path_, key, *value, "an integer or an array of integers");
  if (numbers->size() < num_layers) {
    return absl::InvalidArgumentError(
        ModelMessage(path_, "key ", QuoteName(key), " has ", numbers->size(),
                     " values, but the model has ", num_layers, " layers"));
  }
  std::vector<uint64_t> layers(num_layers);
  for (size_t layer = 0; layer < num_layers; ++layer) {
    const int64_t number = numbers->Int(layer);
    if (number < 0) {
      return absl::InvalidArgumentError(
          ModelMessage(path_, "key ", QuoteName(key), " is ", number,
                       " for layer ", layer, ", must not be negative"));
    }
    layers[layer] = static_cast<uint64_t>(number);
  }
  return layers;
}

const FileMapping* ModelFile::FindFile(const TensorRecord& tensor,
                                       size_t* offset) const {
  for (const FileMapping& file : contents_.files) {
    const uint8_t* begin = file.bytes().data();
    if (tensor.bytes.data() < begin ||
        tensor.bytes.data() >= begin + file.bytes().size())
      continue;
    *offset = static_cast<size_t>(tensor.bytes.data() - begin);
    return &file;
  }
  return nullptr;
}

void ModelFile::Prefetch(const TensorRecord& tensor) const {
  size_t offset = 0;
  if (const FileMapping* file = FindFile(tensor, &offset))
    file->Prefetch(offset, tensor.bytes.size());
}

void ModelFile::Release(const TensorRecord& tensor) const {
  size_t offset = 0;
  if (const FileMapping* file = FindFile(tensor, &offset))
    file->Release(offset, tensor.bytes.size());
}

absl::Span<const uint8_t> ModelFile::FindTable(std::string_view name) const {
  for (const TableRecord& table : tables()) {
    if (table.name == name) return table.bytes;
  }
  return {};
}

bool ModelFile::Holds(const std::string& path) const {
  const auto is_same = [&](const FileMapping& file) {
    return IsSameFile(file.path(), path);
  };
  return std::any_of(contents_.files.begin(), contents_.files.end(), is_same) ||
         std::any_of(contents_.documents.begin(), contents_.documents.end(),
                     is_same);
}

uint64_t ModelFile::Fingerprint() const {
  XXH64_hash_t hash = file_bytes();
  for (const absl::Span<const uint8_t> header : contents_.headers) {
    hash = XXH3_64bits_withSeed(header.data(), header.size(), hash);
  }
  const size_t num_tensors = contents_.tensors.size();
  const size_t step = num_tensors / kFingerprintSamples + 1;
  for (size_t index = 0; index < num_tensors; index += step) {
    const absl::Span<const uint8_t> bytes = contents_.tensors[index].bytes;
    const size_t middle = bytes.size() / 2;
    hash = XXH3_64bits_withSeed(
        bytes.data() + middle,
        std::min(kFingerprintSampleBytes, bytes.size() - middle), hash);
  }
  return hash;
}

}  // namespace specinfer
