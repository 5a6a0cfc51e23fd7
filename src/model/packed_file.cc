#include "src/model/packed_file.h"

#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "flatbuffers/flatbuffers.h"

#include "src/base/status_macros.h"
#include "src/model/packed_model_generated.h"
#include "xxhash.h"

namespace specinfer {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr uint32_t kMaxFlatBufferTables = 1u << 20;
constexpr uint32_t kMaxFlatBufferDepth = 8;

std::string_view View(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view()
                         : std::string_view(text->data(), text->size());
}

class PackedReader {
 public:
  PackedReader(const FileMapping& file, ModelContents& contents)
      : file_(file), contents_(contents) {}

  absl::Status Read() {
    SPECINFER_RETURN_IF_ERROR(ReadPreamble());
    const packed::Model* const header = packed::GetModel(header_.data());
    contents_.packed_family.name = View(header->layout_family());
    contents_.packed_family.version = header->layout_version();
    if (contents_.packed_family.name.empty())
      return Invalid("names no layout of its tensors");
    if (header->entries() != nullptr) {
      for (const packed::Entry* entry : *header->entries())
        SPECINFER_RETURN_IF_ERROR(ReadEntry(*entry));
    }
    if (header->tensors() != nullptr) {
      for (const packed::Tensor* tensor : *header->tensors())
        SPECINFER_RETURN_IF_ERROR(ReadTensor(*tensor));
    }
    if (header->tables() != nullptr) {
      for (const packed::PackedTable* table : *header->tables())
        SPECINFER_RETURN_IF_ERROR(ReadTable(*table));
    }
    contents_.headers.push_back(file_.bytes().subspan(0, data_begin_));
    return absl::OkStatus();
  }

 private:
  template <typename... Parts>
  absl::Status Invalid(const Parts&... parts) const {
    return absl::InvalidArgumentError(ModelMessage(file_.path(), parts...));
  }
  template <typename... Parts>
  absl::Status Lost(const Parts&... parts) const {
    return absl::DataLossError(ModelMessage(file_.path(), parts...));
  }

  absl::Status ReadPreamble();
  absl::Status ReadEntry(const packed::Entry& entry);
  absl::StatusOr<MetadataValue> ReadValue(const packed::Entry& entry) const;
  absl::StatusOr<StringArray> ReadTexts(const packed::Entry& entry) const;
  absl::Status ReadTensor(const packed::Tensor& tensor);
  absl::Status ReadTable(const packed::PackedTable& table);
  // The bytes of the tensor or table that `what` names.
  absl::StatusOr<absl::Span<const uint8_t>> Place(std::string_view what,
                                                  uint64_t offset,
                                                  uint64_t num_bytes) const;

  const FileMapping& file_;
  ModelContents& contents_;
  absl::Span<const uint8_t> header_;
  size_t data_begin_ = 0;
};

absl::Status PackedReader::ReadPreamble() {
  const absl::Span<const uint8_t> bytes = file_.bytes();
  PackedPreamble preamble;
  if (bytes.size() < sizeof(preamble))
    return Lost("the packed model ends after ", bytes.size(), " bytes");
  std::memcpy(&preamble, bytes.data(), sizeof(preamble));
  if (preamble.version != kPackedFileVersion) {
    return absl::UnimplementedError(
        ModelMessage(file_.path(), "is a packed model of version ",
                     preamble.version, "; this library reads version ",
                     kPackedFileVersion, ": pack the model again"));
  }
  if (preamble.file_bytes != bytes.size()) {
    return Lost("has ", bytes.size(), " bytes, but was packed into ",
                preamble.file_bytes, "; it is cut short or damaged");
  }
  const uint64_t room = bytes.size() - sizeof(preamble);
  if (preamble.header_bytes < 16 || preamble.header_bytes > room ||
      preamble.header_bytes > kMaxPackedHeaderBytes) {
    return Lost("claims a header of ", preamble.header_bytes,
                " bytes; it is damaged");
  }
  header_ = bytes.subspan(sizeof(preamble), preamble.header_bytes);
  if (XXH3_64bits(header_.data(), header_.size()) != preamble.header_hash)
    return Lost("the header's hash does not fit; it is damaged");
  flatbuffers::Verifier verifier(header_.data(), header_.size(),
                                 kMaxFlatBufferDepth, kMaxFlatBufferTables);
  if (!packed::VerifyModelBuffer(verifier))
    return Invalid("the header is no valid FlatBuffer");
  data_begin_ = sizeof(preamble) + header_.size();
  return absl::OkStatus();
}

absl::Status PackedReader::ReadEntry(const packed::Entry& entry) {
  const std::string_view key = View(entry.key());
  if (key.empty()) return Invalid("a key has an empty name");
  SPECINFER_ASSIGN_OR_RETURN(const MetadataValue value, ReadValue(entry));
  return contents_.entries.Append({key, value});
}

absl::StatusOr<MetadataValue> PackedReader::ReadValue(
    const packed::Entry& entry) const {
  const uint64_t bits = entry.bits();
  switch (entry.kind()) {
    case packed::Kind_Bool:
      return MetadataValue(std::in_place_type<bool>, bits != 0);
    case packed::Kind_Int:
      return MetadataValue(std::in_place_type<int64_t>,
                           static_cast<int64_t>(bits));
    case packed::Kind_Uint:
      return MetadataValue(std::in_place_type<uint64_t>, bits);
    case packed::Kind_Float:
      return MetadataValue(std::in_place_type<double>,
                           std::bit_cast<double>(bits));
    case packed::Kind_Text:
      return MetadataValue(std::in_place_type<std::string_view>,
                           View(entry.text()));
    case packed::Kind_Numbers: {
      const size_t element_bytes = MetadataTypeBytes(entry.number_type());
      const size_t num_bytes = entry.array() ? entry.array()->size() : 0;
      if (element_bytes == 0 || num_bytes % element_bytes != 0) {
        return Invalid("key ", QuoteName(View(entry.key())), " has ", num_bytes,
                       " bytes of number type ", entry.number_type());
      }
      if (num_bytes == 0) return MetadataValue(NumberArray());
      return MetadataValue(
          NumberArray(static_cast<MetadataType>(entry.number_type()),
                      {entry.array()->data(), num_bytes}));
    }
    case packed::Kind_Texts: {
      SPECINFER_ASSIGN_OR_RETURN(const StringArray texts, ReadTexts(entry));
      return MetadataValue(texts);
    }
  }
  return Invalid("key ", QuoteName(View(entry.key())), " is of kind ",
                 static_cast<int>(entry.kind()), ", which does not exist");
}

absl::StatusOr<StringArray> PackedReader::ReadTexts(
    const packed::Entry& entry) const {
  if (entry.array() == nullptr) return StringArray();
  const absl::Span<const uint8_t> bytes(entry.array()->data(),
                                        entry.array()->size());
  size_t at = 0;
  uint64_t num_texts = 0;
  for (; at < bytes.size(); ++num_texts) {
    uint64_t length = 0;
    if (bytes.size() - at < sizeof(length)) break;
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    at += sizeof(length);
    if (length > bytes.size() - at) break;
    at += length;
  }
  if (at != bytes.size() || num_texts != entry.num_texts()) {
    return Invalid("key ", QuoteName(View(entry.key())), " does not hold ",
                   entry.num_texts(), " texts");
  }
  return StringArray(num_texts, bytes);
}

absl::StatusOr<absl::Span<const uint8_t>> PackedReader::Place(
    std::string_view what, uint64_t offset, uint64_t num_bytes) const {
  const absl::Span<const uint8_t> bytes = file_.bytes();
  if (offset % kPackedAlignment != 0) {
    return Invalid(what, " has offset ", offset, ", not a multiple of ",
                   kPackedAlignment);
  }
  if (offset < data_begin_ || offset > bytes.size() ||
      num_bytes > bytes.size() - offset || num_bytes == 0) {
    return Invalid(what, " with ", num_bytes, " bytes at offset ", offset,
                   " does not lie between the header's end at ", data_begin_,
                   " and the file's end at ", bytes.size());
  }
  return bytes.subspan(offset, num_bytes);
}

absl::Status PackedReader::ReadTensor(const packed::Tensor& tensor) {
  TensorRecord record;
  record.name = View(tensor.name());
  const std::string what = Cat("tensor ", QuoteName(record.name));
  if (record.name.empty() || record.name.size() > kMaxNameBytes) {
    return Invalid(what, " has a name of ", record.name.size(),
                   " bytes, must be from 1 to ", kMaxNameBytes);
  }
  record.is_packed = tensor.is_packed();
  record.dtype = static_cast<DType>(tensor.dtype());
  const bool is_int8 = record.is_packed && record.dtype == DType::kQ8_K;
  if (!is_int8 && FindDTypeTraits(tensor.dtype()) == nullptr) {
    return Invalid(what, " has element type ", tensor.dtype(),
                   ", which this library does not know");
  }
  const size_t rank = tensor.dims() == nullptr ? 0 : tensor.dims()->size();
  if (rank < 1 || rank > record.dims.size())
    return Invalid(what, " has rank ", rank, ", must be 1 to 4");
  record.rank = static_cast<int>(rank);
  for (uint32_t axis = 0; axis < rank; ++axis)
    record.dims[axis] = tensor.dims()->Get(axis);
  const absl::StatusOr<uint64_t> num_bytes = TensorBytes(record);
  if (!num_bytes.ok()) return Invalid(what, " ", num_bytes.status().message());
  if (!record.is_packed && tensor.num_bytes() != *num_bytes) {
    return Invalid(what, " has ", tensor.num_bytes(),
                   " bytes, its dimensions say ", *num_bytes);
  }
  SPECINFER_ASSIGN_OR_RETURN(record.bytes,
                             Place(what, tensor.offset(), tensor.num_bytes()));
  record.hash = tensor.hash();
  return contents_.tensors.Append(record);
}

absl::Status PackedReader::ReadTable(const packed::PackedTable& table) {
  TableRecord record;
  record.name = View(table.name());
  const std::string what = Cat("table ", QuoteName(record.name));
  if (record.name.empty()) return Invalid("a table has an empty name");
  SPECINFER_ASSIGN_OR_RETURN(record.bytes,
                             Place(what, table.offset(), table.num_bytes()));
  record.hash = table.hash();
  return contents_.tables.Append(record);
}

// Tables are laid among the tensors, so they are looked at together.
absl::Status RefuseSharedBytes(const ModelContents& contents,
                               std::string_view path, Memory& memory) {
  ArenaArray<TensorRecord> all(memory);
  for (const TensorRecord& tensor : contents.tensors.span())
    SPECINFER_RETURN_IF_ERROR(all.Append(tensor));
  for (const TableRecord& table : contents.tables.span()) {
    TensorRecord record;
    record.name = table.name;
    record.bytes = table.bytes;
    SPECINFER_RETURN_IF_ERROR(all.Append(record));
  }
  return RefuseOverlaps(path, all.span(), memory);
}

}  // namespace

bool IsPackedModel(absl::Span<const uint8_t> bytes) {
  return bytes.size() >= sizeof(kPackedMagic) &&
         std::memcmp(bytes.data(), kPackedMagic, sizeof(kPackedMagic)) == 0;
}

absl::StatusOr<ModelContents> ReadPackedModel(FileMapping file,
                                              Memory& memory) {
  ModelContents contents(memory);
  SPECINFER_RETURN_IF_ERROR(PackedReader(file, contents).Read());
  SPECINFER_RETURN_IF_ERROR(RefuseSharedBytes(contents, file.path(), memory));
  contents.files.push_back(std::move(file));
  return contents;
}

absl::StatusOr<uint64_t> VerifyHashes(
    const ModelFile& file, const std::function<bool(float)>& progress) {
  if (!file.is_packed()) return 0;
  uint64_t num_verified = 0;
  uint64_t num_bytes = 0;
  const auto check = [&](std::string_view kind, std::string_view name,
                         absl::Span<const uint8_t> bytes,
                         uint64_t hash) -> absl::Status {
    if (XXH3_64bits(bytes.data(), bytes.size()) != hash) {
      return absl::DataLossError(
          ModelMessage(file.path(), kind, " ", QuoteName(name),
                       " is damaged: its hash does not fit"));
    }
    ++num_verified;
    num_bytes += bytes.size();
    if (!progress || progress(static_cast<float>(num_bytes) /
                              static_cast<float>(file.file_bytes())))
      return absl::OkStatus();
    return absl::CancelledError(
        Cat("verifying \"", file.path(), "\" was cancelled"));
  };
  for (const TableRecord& table : file.tables()) {
    SPECINFER_RETURN_IF_ERROR(
        check("table", table.name, table.bytes, table.hash));
  }
  for (const TensorRecord& tensor : file.tensors()) {
    file.Prefetch(tensor);
    SPECINFER_RETURN_IF_ERROR(
        check("tensor", tensor.name, tensor.bytes, tensor.hash));
    file.Release(tensor);
  }
  return num_verified;
}

}  // namespace specinfer
