#include "src/model/safetensors_file.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/model/huggingface_config.h"
#include "src/model/huggingface_whisper.h"
#include "src/model/json_document.h"
#include "src/model/whisper_contents.h"

namespace specinfer {
namespace {

using nlohmann::json;

constexpr uint64_t kLengthBytes = 8;

struct ElementType {
  std::string_view name;
  DType dtype;
};
constexpr ElementType kElementTypes[] = {
    {"F32", DType::kF32}, {"F16", DType::kF16}, {"BF16", DType::kBF16}};

std::string_view TextOf(absl::Span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of("/\\");
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

// Whether `name` ends like a shard's: "-00001-of-00002.safetensors".
bool IsShardName(std::string_view name) {
  constexpr std::string_view kPattern = "-#####-of-#####.safetensors";
  if (name.size() < kPattern.size()) return false;
  name.remove_prefix(name.size() - kPattern.size());
  for (size_t index = 0; index < kPattern.size(); ++index) {
    const bool is_digit = name[index] >= '0' && name[index] <= '9';
    if (kPattern[index] == '#' ? !is_digit : name[index] != kPattern[index])
      return false;
  }
  return true;
}

// Both functions' errors end a sentence that begins with the tensor's name.
absl::Status ReadTypeAndShape(const json& entry, TensorRecord& tensor) {
  const json* type = FindMember(entry, "dtype");
  const std::string* type_name =
      type == nullptr ? nullptr : type->get_ptr<const std::string*>();
  if (type_name == nullptr)
    return absl::InvalidArgumentError("has no \"dtype\"");
  const ElementType* found =
      std::find_if(std::begin(kElementTypes), std::end(kElementTypes),
                   [&](const ElementType& candidate) {
                     return candidate.name == *type_name;
                   });
  if (found == std::end(kElementTypes)) {
    return absl::UnimplementedError(
        absl::StrCat("has element type ", QuoteName(*type_name),
                     "; F32, F16 and BF16 are read"));
  }
  tensor.dtype = found->dtype;
  const json* shape = FindMember(entry, "shape");
  if (shape == nullptr || !shape->is_array() || shape->empty() ||
      shape->size() > tensor.dims.size()) {
    return absl::InvalidArgumentError("has no \"shape\" of 1 to 4 dimensions");
  }
  tensor.rank = static_cast<int>(shape->size());
  for (size_t axis = 0; axis < shape->size(); ++axis) {
    const json& dim = (*shape)[shape->size() - 1 - axis];
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > INT64_MAX) {
      return absl::InvalidArgumentError("has a \"shape\" that is not one");
    }
    tensor.dims[axis] = dim.get<int64_t>();
  }
  return absl::OkStatus();
}

absl::Status ReadOffsets(const json& entry, absl::Span<const uint8_t> data,
                         TensorRecord& tensor) {
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t num_bytes, TensorBytes(tensor));
  const json* offsets = FindMember(entry, "data_offsets");
  if (offsets == nullptr || !offsets->is_array() || offsets->size() != 2 ||
      !(*offsets)[0].is_number_unsigned() ||
      !(*offsets)[1].is_number_unsigned()) {
    return absl::InvalidArgumentError("has no \"data_offsets\" of two numbers");
  }
  const uint64_t begin = (*offsets)[0].get<uint64_t>();
  const uint64_t end = (*offsets)[1].get<uint64_t>();
  if (begin > end || end > data.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has \"data_offsets\" ", begin, " to ", end, ", outside the file's ",
        data.size(), " bytes of data; the file is cut short or damaged"));
  }
  if (end - begin != num_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "takes ", end - begin, " bytes, but its shape needs ", num_bytes));
  }
  tensor.bytes = data.subspan(begin, num_bytes);
  return absl::OkStatus();
}

// Reads a model's files, all in one folder.
class SafetensorsReader {
 public:
  SafetensorsReader(std::string folder, const FileReader& reader,
                    Memory& memory)
      : folder_(std::move(folder)),
        reader_(reader),
        memory_(memory),
        contents_(memory) {}

  // Tensors keep their names, of whatever network they are.
  void KeepNames() { keeps_names_ = true; }
  // Reads config.json and what lies beside it.
  absl::Status ReadDocuments();
  // Reads one file of tensors; with `weight_map` it must hold what that says.
  absl::Status ReadShard(FileMapping file, const json* weight_map);
  absl::Status ReadIndexed(FileMapping index);
  // After all tensors: checks them as a whole.
  absl::Status Finish(const std::string& path);

  absl::StatusOr<FileMapping> OpenBeside(const std::string& name) {
    return FileMapping::Open(folder_ + name, reader_, memory_);
  }
  ModelContents TakeContents() { return std::move(contents_); }

 private:
  // The text of a file that may be missing; it stays open with the model.
  absl::StatusOr<std::string_view> ReadText(const std::string& name);
  absl::StatusOr<json> ReadOptionalJson(const std::string& name);
  absl::Status ReadTensor(const FileMapping& file, size_t data_start,
                          const std::string& name, const json& entry);

  const std::string folder_;
  const FileReader& reader_;
  Memory& memory_;
  ModelContents contents_;
  HuggingfaceNaming naming_;
  bool keeps_names_ = false;
  WhisperFacts whisper_;  // of a Whisper model
};

absl::StatusOr<std::string_view> SafetensorsReader::ReadText(
    const std::string& name) {
  absl::StatusOr<FileMapping> file = OpenBeside(name);
  if (absl::IsNotFound(file.status())) return std::string_view();
  if (!file.ok()) return file.status();
  contents_.headers.push_back(file->bytes());
  contents_.documents.push_back(*std::move(file));
  return TextOf(contents_.headers.back());
}

absl::StatusOr<json> SafetensorsReader::ReadOptionalJson(
    const std::string& name) {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view text, ReadText(name));
  if (text.empty()) return json();
  return ParseJsonObject(folder_ + name, text);
}

absl::Status SafetensorsReader::ReadDocuments() {
  HuggingfaceDocuments documents;
  documents.config_path = folder_ + "config.json";
  SPECINFER_ASSIGN_OR_RETURN(documents.config, ReadOptionalJson("config.json"));
  SPECINFER_ASSIGN_OR_RETURN(documents.generation_config,
                             ReadOptionalJson("generation_config.json"));
  SPECINFER_ASSIGN_OR_RETURN(documents.tokenizer_config,
                             ReadOptionalJson("tokenizer_config.json"));
  SPECINFER_ASSIGN_OR_RETURN(documents.chat_template,
                             ReadText("chat_template.jinja"));
  SPECINFER_ASSIGN_OR_RETURN(contents_.tokenizer_json,
                             ReadText("tokenizer.json"));
  if (documents.config.is_null()) {
    return absl::NotFoundError(ModelMessage(
        documents.config_path,
        "is missing; a safetensors model needs it beside its weights"));
  }
  if (contents_.tokenizer_json.empty()) {
    return absl::NotFoundError(ModelMessage(
        folder_ + "tokenizer.json",
        "is missing; a safetensors model needs it beside its weights"));
  }
  if (IsHuggingfaceWhisper(documents.config)) {
    naming_ = {"whisper", /*is_tied=*/true};
    SPECINFER_ASSIGN_OR_RETURN(whisper_, ReadHuggingfaceWhisper(documents));
    return absl::OkStatus();
  }
  SPECINFER_ASSIGN_OR_RETURN(naming_,
                             AppendHuggingfaceKeys(documents, contents_));
  return absl::OkStatus();
}

absl::Status SafetensorsReader::ReadShard(FileMapping file,
                                          const json* weight_map) {
  const absl::Span<const uint8_t> bytes = file.bytes();
  uint64_t header_bytes = 0;
  if (bytes.size() >= kLengthBytes)
    std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  if (header_bytes < 2 ||
      header_bytes >
          bytes.size() - std::min<size_t>(bytes.size(), kLengthBytes)) {
    return absl::InvalidArgumentError(
        ModelMessage(file.path(), "the length of the header is ", header_bytes,
                     " bytes, but the file has ", bytes.size(),
                     "; it is cut short or no safetensors file"));
  }
  const absl::Span<const uint8_t> header =
      bytes.subspan(kLengthBytes, header_bytes);
  SPECINFER_ASSIGN_OR_RETURN(const json tensors,
                             ParseJsonObject(file.path(), TextOf(header)));
  const size_t first = contents_.tensors.size();
  for (const auto& [name, entry] : tensors.items()) {
    if (name == "__metadata__") continue;
    SPECINFER_RETURN_IF_ERROR(
        ReadTensor(file, kLengthBytes + header_bytes, name, entry));
  }
  TensorRecord* records = contents_.tensors.data() + first;
  const size_t num_records = contents_.tensors.size() - first;
  // JSON objects are read in the order of their keys; weights are loaded in the
  // order of the file.
  std::sort(records, records + num_records,
            [](const TensorRecord& a, const TensorRecord& b) {
              return a.bytes.data() < b.bytes.data();
            });
  SPECINFER_RETURN_IF_ERROR(
      RefuseOverlaps(file.path(), {records, num_records}, memory_));
  if (weight_map != nullptr) {
    const std::string shard = file.path().substr(folder_.size());
    for (const auto& [name, place] : weight_map->items()) {
      if (place == shard && !tensors.contains(name)) {
        return absl::InvalidArgumentError(
            ModelMessage(file.path(), "tensor ", QuoteName(name),
                         " is missing; the model's index says it is here"));
      }
    }
  }
  contents_.headers.push_back(header);
  contents_.files.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status SafetensorsReader::ReadTensor(const FileMapping& file,
                                           size_t data_start,
                                           const std::string& name,
                                           const json& entry) {
  const TensorPlace place =
      keeps_names_ ? TensorPlace{true, name} : FindTensorPlace(naming_, name);
  if (!place.is_known) {
    return absl::UnimplementedError(ModelMessage(
        file.path(), "tensor ", QuoteName(name), " has no place in a ",
        naming_.architecture, " model as this library knows it"));
  }
  if (place.name.empty()) return absl::OkStatus();
  TensorRecord tensor;
  SPECINFER_ASSIGN_OR_RETURN(tensor.name, contents_.texts.Add(place.name));
  absl::Status status = ReadTypeAndShape(entry, tensor);
  if (status.ok())
    status = ReadOffsets(entry, file.bytes().subspan(data_start), tensor);
  if (!status.ok()) {
    return absl::Status(status.code(),
                        ModelMessage(file.path(), "tensor ", QuoteName(name),
                                     " ", std::string(status.message())));
  }
  return contents_.tensors.Append(tensor);
}

absl::Status SafetensorsReader::ReadIndexed(FileMapping index) {
  contents_.headers.push_back(index.bytes());
  SPECINFER_ASSIGN_OR_RETURN(
      const json document,
      ParseJsonObject(index.path(), TextOf(index.bytes())));
  const json* weight_map = FindMember(document, "weight_map");
  if (weight_map == nullptr || !weight_map->is_object() ||
      weight_map->empty()) {
    return absl::InvalidArgumentError(
        ModelMessage(index.path(),
                     "has no \"weight_map\"; open a model's folder, its "
                     "safetensors file or its index"));
  }
  std::set<std::string> shards;
  for (const auto& [name, place] : weight_map->items()) {
    const std::string* shard = place.get_ptr<const std::string*>();
    // A name that leads elsewhere would let a downloaded model read any file.
    if (shard == nullptr || shard->empty() ||
        shard->find_first_of(std::string_view("/\\:\0", 4)) !=
            std::string::npos) {
      return absl::InvalidArgumentError(ModelMessage(
          index.path(), "the \"weight_map\" gives tensor ", QuoteName(name),
          " a place that is not a file beside it"));
    }
    shards.insert(*shard);
  }
  for (const std::string& shard : shards) {
    absl::StatusOr<FileMapping> file = OpenBeside(shard);
    if (absl::IsNotFound(file.status())) {
      return absl::NotFoundError(ModelMessage(
          folder_ + shard, "is missing; all shards must lie in one folder"));
    }
    if (!file.ok()) return file.status();
    SPECINFER_RETURN_IF_ERROR(ReadShard(*std::move(file), weight_map));
  }
  contents_.documents.push_back(std::move(index));
  return absl::OkStatus();
}

absl::Status SafetensorsReader::Finish(const std::string& path) {
  if (naming_.architecture == "whisper")
    return FinishWhisper(path, whisper_, contents_);
  if (naming_.is_tied) return absl::OkStatus();
  for (const TensorRecord& tensor : contents_.tensors.span()) {
    if (tensor.name == "output.weight") return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      ModelMessage(path,
                   "tensor \"lm_head.weight\" is missing, and "
                   "\"tie_word_embeddings\" is not true"));
}

}  // namespace

bool IsSafetensors(absl::Span<const uint8_t> bytes) {
  // The header's length is far below 2^48.
  return bytes.size() > kLengthBytes && bytes[6] == 0 && bytes[7] == 0 &&
         bytes[8] == '{';
}

bool IsSafetensorsIndex(absl::Span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes.subspan(0, 64)) {
    if (byte == '{') return true;
    if (byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t')
      return false;
  }
  return false;
}

absl::StatusOr<ModelContents> ReadSafetensors(FileMapping file,
                                              const FileReader& reader,
                                              Memory& memory) {
  const std::string path = file.path();
  SafetensorsReader model(FolderOf(path), reader, memory);
  if (!IsSafetensors(file.bytes())) {
    SPECINFER_RETURN_IF_ERROR(model.ReadDocuments());
    SPECINFER_RETURN_IF_ERROR(model.ReadIndexed(std::move(file)));
  } else {
    if (IsShardName(path)) {
      return absl::InvalidArgumentError(ModelMessage(
          path, "is one shard of a model; open the folder it lies in"));
    }
    SPECINFER_RETURN_IF_ERROR(model.ReadDocuments());
    SPECINFER_RETURN_IF_ERROR(
        model.ReadShard(std::move(file), /*weight_map=*/nullptr));
  }
  SPECINFER_RETURN_IF_ERROR(model.Finish(path));
  return model.TakeContents();
}

absl::StatusOr<ModelContents> ReadSafetensorsAlone(FileMapping file,
                                                   Memory& memory) {
  const FileReader unused;
  SafetensorsReader tensors(FolderOf(file.path()), unused, memory);
  tensors.KeepNames();
  SPECINFER_RETURN_IF_ERROR(
      tensors.ReadShard(std::move(file), /*weight_map=*/nullptr));
  return tensors.TakeContents();
}

absl::StatusOr<FileMapping> OpenSafetensorsFolder(const std::string& folder,
                                                  const FileReader& reader,
                                                  Memory& memory) {
  const std::string prefix =
      folder.empty() || folder.back() == '/' ? folder : folder + "/";
  absl::StatusOr<FileMapping> index = FileMapping::Open(
      prefix + "model.safetensors.index.json", reader, memory);
  if (!absl::IsNotFound(index.status())) return index;
  return FileMapping::Open(prefix + "model.safetensors", reader, memory);
}

}  // namespace specinfer
