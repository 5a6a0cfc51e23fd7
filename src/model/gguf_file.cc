#include "src/model/gguf_file.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "src/base/status_macros.h"
#include "src/model/byte_cursor.h"

namespace specinfer {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint64_t kMaxKeys = 1u << 16;
constexpr uint64_t kMaxTensors = 1u << 20;
constexpr size_t kMaxKeyBytes = 65535;
constexpr size_t kMaxTensorNameBytes = 64;
constexpr uint64_t kMaxAlignment = 1u << 16;
// The least that a key with a value, and a tensor, take in the file.
constexpr uint64_t kMinKeyBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

struct TypeName {
  uint32_t type;
  std::string_view name;
};

// GGUF's element types that no reader of ours exists for.
constexpr TypeName kUnreadTypes[] = {
    {4, "Q4_2, removed from GGUF"},
    {5, "Q4_3, removed from GGUF"},
    {9, "Q8_1"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {24, "I8"},
    {25, "I16"},
    {27, "I64"},
    {28, "F64"},
    {29, "IQ1_M"},
    {31, "Q4_0_4_4, removed from GGUF"},
    {32, "Q4_0_4_8, removed from GGUF"},
    {33, "Q4_0_8_8, removed from GGUF"},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {36, "IQ4_NL_4_4, removed from GGUF"},
    {37, "IQ4_NL_4_8, removed from GGUF"},
    {38, "IQ4_NL_8_8, removed from GGUF"},
    {39, "MXFP4"},
    {40, "NVFP4"},
};

std::string_view UnreadTypeName(uint32_t type) {
  for (const TypeName& entry : kUnreadTypes) {
    if (entry.type == type) return entry.name;
  }
  return "unknown";
}

// One file of a model.
class GgufPart {
 public:
  GgufPart(const FileMapping& file, Memory& memory)
      : file_(file), cursor_(file.bytes()), memory_(memory), keys_(memory) {}

  // Appends the part's tensors to `tensors`.
  absl::Status Read(ArenaArray<TensorRecord>& tensors);

  ArenaArray<MetadataEntry>& keys() { return keys_; }
  absl::Span<const uint8_t> header() const {
    return file_.bytes().subspan(0, header_bytes_);
  }
  // The unsigned integer under `key`; nothing where it is missing.
  absl::StatusOr<std::optional<uint64_t>> FindUint(std::string_view key) const;

  template <typename... Parts>
  absl::Status Invalid(const Parts&... parts) const {
    return absl::InvalidArgumentError(ModelMessage(file_.path(), parts...));
  }

 private:
  absl::Status ReadHeader();
  absl::Status ReadKeys();
  absl::StatusOr<MetadataValue> ReadValue(std::string_view key, uint32_t type);
  absl::StatusOr<MetadataValue> ReadArray(std::string_view key);
  template <typename T, typename Wide>
  absl::StatusOr<MetadataValue> ReadNumber(std::string_view key);
  absl::Status ReadTensors(ArenaArray<TensorRecord>& tensors);
  absl::Status ReadTensor(TensorRecord& tensor, uint64_t& offset);
  absl::Status PlaceTensors(absl::Span<TensorRecord> tensors);

  absl::Status Ends(std::string_view what) const {
    return Invalid("the file ends inside ", what, " at byte ", cursor_.offset(),
                   " of ", file_.bytes().size(),
                   "; it is cut short or damaged");
  }
  absl::Status EndsInKey(std::string_view key) const {
    return Ends(absl::StrCat("the value of key ", QuoteName(key)));
  }

  const FileMapping& file_;
  ByteCursor cursor_;
  Memory& memory_;
  uint64_t num_keys_ = 0;
  uint64_t num_tensors_ = 0;
  size_t header_bytes_ = 0;
  ArenaArray<MetadataEntry> keys_;
};

absl::Status GgufPart::Read(ArenaArray<TensorRecord>& tensors) {
  SPECINFER_RETURN_IF_ERROR(ReadHeader());
  SPECINFER_RETURN_IF_ERROR(ReadKeys());
  const size_t first = tensors.size();
  SPECINFER_RETURN_IF_ERROR(ReadTensors(tensors));
  header_bytes_ = cursor_.offset();
  return PlaceTensors(
      absl::MakeSpan(tensors.data() + first, tensors.size() - first));
}

absl::Status GgufPart::ReadHeader() {
  uint32_t magic = 0;
  uint32_t version = 0;
  if (!IsGguf(file_.bytes())) return Invalid("is not a GGUF file");
  if (!cursor_.Read(magic) || !cursor_.Read(version))
    return Ends("the version");
  if (version != 0 && (version & 0xffffu) == 0) {
    return absl::UnimplementedError(
        ModelMessage(file_.path(),
                     "is a big-endian GGUF file; convert it to little-endian, "
                     "which every GGUF tool reads"));
  }
  if (version == 1) {
    return absl::UnimplementedError(
        ModelMessage(file_.path(),
                     "has GGUF version 1, which no tool writes any more; "
                     "convert the model again"));
  }
  if (version != 2 && version != 3) {
    return absl::UnimplementedError(
        ModelMessage(file_.path(), "has GGUF version ", version,
                     "; this library reads 2 and 3"));
  }
  if (!cursor_.Read(num_tensors_) || !cursor_.Read(num_keys_))
    return Ends("the number of tensors and keys");
  if (num_tensors_ > kMaxTensors ||
      num_tensors_ > cursor_.left() / kMinTensorBytes) {
    return Invalid("the number of tensors is ", num_tensors_,
                   ", more than the file has room for");
  }
  if (num_keys_ > kMaxKeys || num_keys_ > cursor_.left() / kMinKeyBytes) {
    return Invalid("the number of keys is ", num_keys_,
                   ", more than the file has room for");
  }
  return absl::OkStatus();
}

absl::Status GgufPart::ReadKeys() {
  for (uint64_t index = 0; index < num_keys_; ++index) {
    MetadataEntry entry;
    uint32_t type = 0;
    if (!cursor_.ReadString<uint64_t>(entry.key))
      return Ends(absl::StrCat("the name of key number ", index));
    if (entry.key.empty())
      return Invalid("key number ", index, " has an empty name");
    if (entry.key.size() > kMaxKeyBytes) {
      return Invalid("key ", QuoteName(entry.key), " has a name of ",
                     entry.key.size(), " bytes, more than GGUF's 65535");
    }
    if (!cursor_.Read(type))
      return Ends(absl::StrCat("the type of key ", QuoteName(entry.key)));
    SPECINFER_ASSIGN_OR_RETURN(entry.value, ReadValue(entry.key, type));
    SPECINFER_RETURN_IF_ERROR(keys_.Append(entry));
  }
  return absl::OkStatus();
}

template <typename T, typename Wide>
absl::StatusOr<MetadataValue> GgufPart::ReadNumber(std::string_view key) {
  T value = 0;
  if (!cursor_.Read(value)) return EndsInKey(key);
  return MetadataValue(std::in_place_type<Wide>, static_cast<Wide>(value));
}

absl::StatusOr<MetadataValue> GgufPart::ReadValue(std::string_view key,
                                                  uint32_t type) {
  switch (static_cast<MetadataType>(type)) {
    case MetadataType::kUint8:
      return ReadNumber<uint8_t, uint64_t>(key);
    case MetadataType::kInt8:
      return ReadNumber<int8_t, int64_t>(key);
    case MetadataType::kUint16:
      return ReadNumber<uint16_t, uint64_t>(key);
    case MetadataType::kInt16:
      return ReadNumber<int16_t, int64_t>(key);
    case MetadataType::kUint32:
      return ReadNumber<uint32_t, uint64_t>(key);
    case MetadataType::kInt32:
      return ReadNumber<int32_t, int64_t>(key);
    case MetadataType::kUint64:
      return ReadNumber<uint64_t, uint64_t>(key);
    case MetadataType::kInt64:
      return ReadNumber<int64_t, int64_t>(key);
    case MetadataType::kFloat32:
      return ReadNumber<float, double>(key);
    case MetadataType::kFloat64:
      return ReadNumber<double, double>(key);
    case MetadataType::kBool: {
      uint8_t value = 0;
      if (!cursor_.Read(value)) return EndsInKey(key);
      if (value > 1)
        return Invalid("key ", QuoteName(key), " is the bool ", value,
                       ", must be 0 or 1");
      return MetadataValue(std::in_place_type<bool>, value == 1);
    }
    case MetadataType::kString: {
      std::string_view text;
      if (!cursor_.ReadString<uint64_t>(text)) return EndsInKey(key);
      return MetadataValue(std::in_place_type<std::string_view>, text);
    }
    case MetadataType::kArray:
      return ReadArray(key);
  }
  return Invalid("key ", QuoteName(key), " has value type ", type,
                 ", which GGUF does not define");
}

absl::StatusOr<MetadataValue> GgufPart::ReadArray(std::string_view key) {
  uint32_t type = 0;
  uint64_t count = 0;
  if (!cursor_.Read(type) || !cursor_.Read(count)) return EndsInKey(key);
  if (type == static_cast<uint32_t>(MetadataType::kArray)) {
    return Invalid("key ", QuoteName(key),
                   " is an array of arrays, which is not read");
  }
  const size_t element_bytes = MetadataTypeBytes(type);
  const bool is_strings = type == static_cast<uint32_t>(MetadataType::kString);
  if (element_bytes == 0 && !is_strings) {
    return Invalid("key ", QuoteName(key), " is an array of value type ", type,
                   ", which GGUF does not define");
  }
  if (count >
      cursor_.left() / (is_strings ? sizeof(uint64_t) : element_bytes)) {
    return Invalid("key ", QuoteName(key), " claims an array of ", count,
                   " values, more than the file has room for");
  }
  const size_t start = cursor_.offset();
  if (!is_strings) {
    absl::Span<const uint8_t> bytes;
    if (!cursor_.ReadBytes(count * element_bytes, bytes)) return EndsInKey(key);
    return MetadataValue(NumberArray(static_cast<MetadataType>(type), bytes));
  }
  for (uint64_t index = 0; index < count; ++index) {
    std::string_view text;
    if (!cursor_.ReadString<uint64_t>(text))
      return Ends(absl::StrCat("string ", index, " of key ", QuoteName(key)));
  }
  return MetadataValue(StringArray(count, cursor_.Since(start)));
}

// The offset in the data section stands in for the bytes until the section's
// start is known.
absl::Status GgufPart::ReadTensors(ArenaArray<TensorRecord>& tensors) {
  for (uint64_t index = 0; index < num_tensors_; ++index) {
    TensorRecord tensor;
    uint64_t offset = 0;
    if (!cursor_.ReadString<uint64_t>(tensor.name))
      return Ends(absl::StrCat("the name of tensor number ", index));
    if (tensor.name.empty())
      return Invalid("tensor number ", index, " has an empty name");
    if (tensor.name.size() > kMaxTensorNameBytes) {
      return Invalid("tensor ", QuoteName(tensor.name), " has a name of ",
                     tensor.name.size(), " bytes, more than GGUF's 64");
    }
    SPECINFER_RETURN_IF_ERROR(ReadTensor(tensor, offset));
    SPECINFER_ASSIGN_OR_RETURN(
        const uint64_t num_bytes, [&]() -> absl::StatusOr<uint64_t> {
          absl::StatusOr<uint64_t> result = TensorBytes(tensor);
          if (!result.ok())
            return Invalid("tensor ", QuoteName(tensor.name), " ",
                           result.status().message());
          return result;
        }());
    const size_t file_bytes = file_.bytes().size();
    if (offset > file_bytes || num_bytes > file_bytes - offset) {
      return Invalid("tensor ", QuoteName(tensor.name), " with ", num_bytes,
                     " bytes at offset ", offset, " ends behind the file's ",
                     file_bytes, " bytes; the file is cut short or damaged");
    }
    tensor.bytes = file_.bytes().subspan(offset, num_bytes);
    SPECINFER_RETURN_IF_ERROR(tensors.Append(tensor));
  }
  return absl::OkStatus();
}

absl::Status GgufPart::ReadTensor(TensorRecord& tensor, uint64_t& offset) {
  const std::string name = QuoteName(tensor.name);
  uint32_t rank = 0;
  if (!cursor_.Read(rank))
    return Ends(absl::StrCat("the rank of tensor ", name));
  if (rank < 1 || rank > tensor.dims.size())
    return Invalid("tensor ", name, " has rank ", rank, ", must be 1 to 4");
  tensor.rank = static_cast<int>(rank);
  for (uint32_t axis = 0; axis < rank; ++axis) {
    if (!cursor_.Read(tensor.dims[axis]))
      return Ends(absl::StrCat("the dimensions of tensor ", name));
  }
  uint32_t type = 0;
  if (!cursor_.Read(type))
    return Ends(absl::StrCat("the element type of tensor ", name));
  if (FindDTypeTraits(type) == nullptr) {
    return absl::UnimplementedError(
        ModelMessage(file_.path(), "tensor ", name, " has element type ", type,
                     " (", UnreadTypeName(type),
                     "), which this library does not read; use a file in F16, "
                     "Q8_0, Q4_K_M or another common type"));
  }
  tensor.dtype = static_cast<DType>(type);
  if (!cursor_.Read(offset))
    return Ends(absl::StrCat("the offset of tensor ", name));
  return absl::OkStatus();
}

absl::Status GgufPart::PlaceTensors(absl::Span<TensorRecord> tensors) {
  SPECINFER_ASSIGN_OR_RETURN(const std::optional<uint64_t> stored,
                             FindUint("general.alignment"));
  const uint64_t alignment = stored.value_or(32);
  if (alignment < 8 || alignment > kMaxAlignment ||
      (alignment & (alignment - 1)) != 0) {
    return Invalid("key \"general.alignment\" is ", alignment,
                   ", must be a power of two from 8 to ", kMaxAlignment);
  }
  if (tensors.empty()) return absl::OkStatus();
  const absl::Span<const uint8_t> file = file_.bytes();
  const size_t start = (header_bytes_ + alignment - 1) / alignment * alignment;
  for (TensorRecord& tensor : tensors) {
    const size_t offset =
        static_cast<size_t>(tensor.bytes.data() - file.data());
    if (offset % alignment != 0) {
      return Invalid("tensor ", QuoteName(tensor.name), " has offset ", offset,
                     ", not a multiple of the alignment ", alignment);
    }
    if (start > file.size() || tensor.bytes.size() > file.size() - start ||
        offset > file.size() - start - tensor.bytes.size()) {
      return Invalid("tensor ", QuoteName(tensor.name), " with ",
                     tensor.bytes.size(), " bytes at offset ", offset,
                     " of the data section at byte ", start,
                     " ends behind the file's ", file.size(),
                     " bytes; the file is cut short or damaged");
    }
    tensor.bytes = file.subspan(start + offset, tensor.bytes.size());
  }
  return RefuseOverlaps(file_.path(), tensors, memory_);
}

absl::StatusOr<std::optional<uint64_t>> GgufPart::FindUint(
    std::string_view key) const {
  for (const MetadataEntry& entry : keys_.span()) {
    if (entry.key != key) continue;
    if (const uint64_t* value = std::get_if<uint64_t>(&entry.value))
      return *value;
    const int64_t* value = std::get_if<int64_t>(&entry.value);
    if (value != nullptr && *value >= 0) return static_cast<uint64_t>(*value);
    return Invalid("key ", QuoteName(key), " is ",
                   MetadataKindName(entry.value),
                   ", must be an unsigned integer");
  }
  return std::nullopt;
}

std::string PartSuffix(uint64_t number, uint64_t count) {
  return absl::StrFormat("-%05d-of-%05d.gguf", number, count);
}

// Reads the files after the first. `stem`: the path without its suffix.
absl::Status ReadOtherParts(std::string_view stem, uint64_t count,
                            const FileReader& reader, Memory& memory,
                            ModelContents& contents) {
  for (uint64_t number = 2; number <= count; ++number) {
    const std::string path =
        absl::StrCat(std::string(stem), PartSuffix(number, count));
    absl::StatusOr<FileMapping> file = FileMapping::Open(path, reader, memory);
    if (absl::IsNotFound(file.status())) {
      return absl::NotFoundError(
          ModelMessage(path, "part ", number, " of ", count,
                       " is missing; all parts must lie in one folder"));
    }
    if (!file.ok()) return file.status();
    GgufPart part(*file, memory);
    SPECINFER_RETURN_IF_ERROR(part.Read(contents.tensors));
    SPECINFER_ASSIGN_OR_RETURN(const std::optional<uint64_t> stored_count,
                               part.FindUint("split.count"));
    SPECINFER_ASSIGN_OR_RETURN(const std::optional<uint64_t> stored_number,
                               part.FindUint("split.no"));
    if (stored_count != count || stored_number != number - 1) {
      return part.Invalid(
          "keys \"split.no\" and \"split.count\" do not say that it is part ",
          number, " of ", count);
    }
    contents.headers.push_back(part.header());
    contents.files.push_back(*std::move(file));
  }
  return absl::OkStatus();
}

absl::Status ReadSplit(const GgufPart& first, const std::string& path,
                       uint64_t count, const FileReader& reader, Memory& memory,
                       ModelContents& contents) {
  SPECINFER_ASSIGN_OR_RETURN(const std::optional<uint64_t> number,
                             first.FindUint("split.no"));
  const std::string suffix = PartSuffix(number.value_or(0) + 1, count);
  if (count > 99999 || number.value_or(0) >= count ||
      !absl::EndsWith(path, suffix)) {
    return first.Invalid("keys \"split.no\" and \"split.count\" say part ",
                         number.value_or(0) + 1, " of ", count,
                         ", but the file's name does not end in that part's \"",
                         suffix, "\"");
  }
  const std::string stem = path.substr(0, path.size() - suffix.size());
  if (number.value_or(0) != 0) {
    return first.Invalid("is part ", *number + 1, " of ", count,
                         "; open part 1, \"", stem, PartSuffix(1, count), "\"");
  }
  SPECINFER_RETURN_IF_ERROR(
      ReadOtherParts(stem, count, reader, memory, contents));
  SPECINFER_ASSIGN_OR_RETURN(const std::optional<uint64_t> num_tensors,
                             first.FindUint("split.tensors.count"));
  if (num_tensors.has_value() && *num_tensors != contents.tensors.size()) {
    return first.Invalid("key \"split.tensors.count\" is ", *num_tensors,
                         ", but the parts hold ", contents.tensors.size(),
                         " tensors");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsGguf(absl::Span<const uint8_t> bytes) {
  return bytes.size() >= kMagic.size() &&
         std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
}

absl::StatusOr<ModelContents> ReadGguf(FileMapping first,
                                       const FileReader& reader,
                                       Memory& memory) {
  ModelContents contents(memory);
  GgufPart part(first, memory);
  SPECINFER_RETURN_IF_ERROR(part.Read(contents.tensors));
  SPECINFER_ASSIGN_OR_RETURN(const std::optional<uint64_t> count,
                             part.FindUint("split.count"));
  contents.headers.push_back(part.header());
  if (count.value_or(1) > 1) {
    SPECINFER_RETURN_IF_ERROR(
        ReadSplit(part, first.path(), *count, reader, memory, contents));
  }
  contents.entries = std::move(part.keys());
  contents.files.insert(contents.files.begin(), std::move(first));
  return contents;
}

}  // namespace specinfer
