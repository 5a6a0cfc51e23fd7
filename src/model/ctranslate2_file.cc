#include "src/model/ctranslate2_file.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/model/byte_cursor.h"
#include "src/model/ctranslate2_documents.h"
#include "src/model/ctranslate2_names.h"
#include "src/model/whisper_contents.h"

namespace specinfer {
namespace {

constexpr uint32_t kVersion = 6;
constexpr uint32_t kRevision = 3;
constexpr std::string_view kSpec = "WhisperSpec";
// CTranslate2's word for the GELU with the error function.
constexpr int64_t kGelu = 3;
// The least that a variable and an alias take in the file.
constexpr uint64_t kMinVariableBytes = 2 + 1 + 1 + 1 + 4;
constexpr uint64_t kMinAliasBytes = 2 + 1 + 2 + 1;
constexpr uint64_t kMaxVariables = 1u << 16;

struct ElementType {
  std::string_view name;
  size_t num_bytes;
  std::optional<DType> dtype;  // none: not read as weights
};
// By number.
constexpr ElementType kElementTypes[] = {
    {"float32", 4, DType::kF32}, {"int8", 1, std::nullopt},
    {"int16", 2, std::nullopt},  {"int32", 4, std::nullopt},
    {"float16", 2, DType::kF16}, {"bfloat16", 2, DType::kBF16}};

struct Variable {
  std::string_view name;
  uint8_t rank = 0;
  uint8_t type = 0;
  std::array<int64_t, 4> dims = {1, 1, 1, 1};  // slowest first
  absl::Span<const uint8_t> bytes;

  int64_t num_values() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
};

// What a scalar must be for a network to be Whisper's; others are not looked
// at.
struct FixedScalar {
  std::string_view name;
  int64_t value;
};
constexpr FixedScalar kFixedScalars[] = {
    {"decoder/activation", kGelu},
    {"decoder/alibi", 0},
    {"decoder/pre_norm", 1},
    {"decoder/scale_embeddings", 0},
    {"decoder/start_from_zero_embedding", 0}};

// The number of layers that "blk.12.attn_norm.weight" shows there are, at
// least; 0 for other names.
uint64_t LayersShownBy(std::string_view name, std::string_view prefix) {
  if (name.substr(0, prefix.size()) != prefix) return 0;
  name.remove_prefix(prefix.size());
  uint64_t layer = 0;
  return absl::SimpleAtoi(ToAbsl(name.substr(0, name.find('.'))), &layer)
             ? layer + 1
             : 0;
}

void MeasureTensors(absl::Span<const TensorRecord> tensors,
                    WhisperSizes& sizes) {
  struct Measure {
    std::string_view tensor;
    size_t axis;
    uint64_t* size;
  };
  const Measure measures[] = {
      {"token_embd.weight", 0, &sizes.hidden_size},
      {"token_embd.weight", 1, &sizes.vocabulary_size},
      {"position_embd.weight", 1, &sizes.text_context},
      {"enc.position_embd.weight", 1, &sizes.audio_context},
      {"enc.conv1.weight", 1, &sizes.mel_bins},
      {"blk.0.ffn_up.weight", 1, &sizes.feed_forward_size}};
  sizes.audio_context = 1500;  // where the file has no table
  for (const TensorRecord& tensor : tensors) {
    for (const Measure& measure : measures) {
      if (tensor.name == measure.tensor)
        *measure.size = static_cast<uint64_t>(tensor.dims[measure.axis]);
    }
    sizes.text_layers =
        std::max(sizes.text_layers, LayersShownBy(tensor.name, "blk."));
    sizes.audio_layers =
        std::max(sizes.audio_layers, LayersShownBy(tensor.name, "enc.blk."));
  }
}

class Ctranslate2Reader {
 public:
  Ctranslate2Reader(const FileMapping& file, Memory& memory)
      : file_(file), cursor_(file.bytes()), variables_(memory) {}

  // Reads everything in the file; `headers` get what is not values.
  absl::Status Read(std::vector<absl::Span<const uint8_t>>& headers);
  // Appends the tensors, and says what the variables tell about the network.
  absl::StatusOr<WhisperFacts> TakeTensors(ModelContents& contents) const;

 private:
  absl::Status ReadHeader(uint32_t& num_variables);
  absl::Status ReadVariable(uint32_t index);
  absl::Status ReadAliases();
  absl::Status Sort();
  absl::Status CheckScalars() const;
  absl::Status AppendTensors(const Variable& variable,
                             ModelContents& contents) const;
  // Among the first `count`, which must be sorted; null where there is none.
  const Variable* FindAmong(size_t count, std::string_view name) const;
  const Variable* Find(std::string_view name) const {
    return FindAmong(variables_.size(), name);
  }
  absl::StatusOr<int64_t> Scalar(const Variable& variable) const;

  // A length that counts the NUL at the end, then the text.
  bool ReadName(std::string_view& name) {
    if (!cursor_.ReadString<uint16_t>(name) || name.empty() ||
        name.back() != '\0')
      return false;
    name.remove_suffix(1);
    return true;
  }
  template <typename... Parts>
  absl::Status Invalid(const Parts&... parts) const {
    return absl::InvalidArgumentError(ModelMessage(file_.path(), parts...));
  }
  template <typename... Parts>
  absl::Status Unimplemented(const Parts&... parts) const {
    return absl::UnimplementedError(ModelMessage(file_.path(), parts...));
  }
  absl::Status Ends(std::string_view what) const {
    return Invalid("the file ends inside ", what, " at byte ", cursor_.offset(),
                   " of ", file_.bytes().size(),
                   ", or is wrong there; it is cut short or damaged");
  }

  const FileMapping& file_;
  ByteCursor cursor_;
  ArenaArray<Variable> variables_;
};

absl::Status Ctranslate2Reader::Read(
    std::vector<absl::Span<const uint8_t>>& headers) {
  uint32_t num_variables = 0;
  SPECINFER_RETURN_IF_ERROR(ReadHeader(num_variables));
  for (uint32_t index = 0; index < num_variables; ++index) {
    const size_t start = cursor_.offset();
    SPECINFER_RETURN_IF_ERROR(ReadVariable(index));
    const size_t num_values = variables_[index].bytes.size();
    // Of scalars the value too: it says what the tensors mean.
    headers.push_back(cursor_.Since(start).subspan(
        0, cursor_.offset() - start -
               (variables_[index].rank > 0 ? num_values : 0)));
  }
  SPECINFER_RETURN_IF_ERROR(Sort());
  const size_t start = cursor_.offset();
  SPECINFER_RETURN_IF_ERROR(ReadAliases());
  headers.push_back(cursor_.Since(start));
  if (cursor_.left() > 0) {
    return Invalid("has ", cursor_.left(),
                   " bytes behind its end; it is damaged");
  }
  SPECINFER_RETURN_IF_ERROR(Sort());
  return CheckScalars();
}

absl::Status Ctranslate2Reader::ReadHeader(uint32_t& num_variables) {
  uint32_t version = 0;
  uint32_t revision = 0;
  std::string_view spec;
  if (!cursor_.Read(version)) return Ends("the version");
  if (version != kVersion) {
    return Unimplemented("has CTranslate2 version ", version,
                         "; this library reads ", kVersion,
                         ", convert the model with CTranslate2 4");
  }
  if (!ReadName(spec)) return Ends("the name of the network");
  if (spec != kSpec) {
    return Unimplemented("is a CTranslate2 model of kind ", QuoteName(spec),
                         "; this library reads ", kSpec,
                         ", other networks from GGUF or safetensors");
  }
  if (!cursor_.Read(revision)) return Ends("the revision");
  if (revision != kRevision) {
    return Unimplemented("has revision ", revision, " of ", kSpec,
                         "; this library reads ", kRevision,
                         ", convert the model with CTranslate2 4");
  }
  if (!cursor_.Read(num_variables)) return Ends("the number of variables");
  if (num_variables > kMaxVariables ||
      num_variables > cursor_.left() / kMinVariableBytes) {
    return Invalid("the number of variables is ", num_variables,
                   ", more than the file has room for");
  }
  return absl::OkStatus();
}

absl::Status Ctranslate2Reader::ReadVariable(uint32_t index) {
  Variable variable;
  if (!ReadName(variable.name))
    return Ends(absl::StrCat("the name of variable number ", index));
  const std::string name = QuoteName(variable.name);
  if (!cursor_.Read(variable.rank)) return Ends(Cat("variable ", name));
  if (variable.rank > 3)
    return Invalid("variable ", name, " has rank ",
                   static_cast<int>(variable.rank), ", must be 0 to 3");
  uint64_t num_values = 1;
  for (size_t axis = 0; axis < variable.rank; ++axis) {
    uint32_t dim = 0;
    if (!cursor_.Read(dim)) return Ends(Cat("variable ", name));
    // Below 2^32 before each product, so that none overflows.
    num_values *= dim;
    if (dim == 0 || num_values > UINT32_MAX) {
      return Invalid("variable ", name,
                     " has no values, or more than the file has room for");
    }
    variable.dims[axis] = dim;
  }
  uint32_t num_bytes = 0;
  if (!cursor_.Read(variable.type) || !cursor_.Read(num_bytes))
    return Ends(Cat("variable ", name));
  if (variable.type >= std::size(kElementTypes)) {
    return Unimplemented("variable ", name, " has element type ",
                         static_cast<int>(variable.type),
                         ", which CTranslate2 4 does not define");
  }
  const uint64_t wanted = num_values * kElementTypes[variable.type].num_bytes;
  if (num_bytes != wanted) {
    return Invalid("variable ", name, " takes ", num_bytes,
                   " bytes, but its shape needs ", wanted);
  }
  if (!cursor_.ReadBytes(num_bytes, variable.bytes))
    return Ends(Cat("the values of variable ", name));
  return variables_.Append(variable);
}

// An alias is one more name of a variable that stands before it, so that none
// can lead in a circle.
absl::Status Ctranslate2Reader::ReadAliases() {
  uint32_t num_aliases = 0;
  if (!cursor_.Read(num_aliases)) return Ends("the number of aliases");
  if (num_aliases > kMaxVariables ||
      num_aliases > cursor_.left() / kMinAliasBytes) {
    return Invalid("the number of aliases is ", num_aliases,
                   ", more than the file has room for");
  }
  const size_t num_variables = variables_.size();
  for (uint32_t index = 0; index < num_aliases; ++index) {
    std::string_view name, target;
    if (!ReadName(name) || !ReadName(target))
      return Ends(absl::StrCat("alias number ", index));
    const Variable* found = FindAmong(num_variables, target);
    if (found == nullptr) {
      return Invalid("alias ", QuoteName(name), " stands for ",
                     QuoteName(target), ", which is no variable");
    }
    Variable alias = *found;
    alias.name = name;
    SPECINFER_RETURN_IF_ERROR(variables_.Append(alias));
  }
  return absl::OkStatus();
}

absl::Status Ctranslate2Reader::Sort() {
  Variable* data = variables_.data();
  std::sort(
      data, data + variables_.size(),
      [](const Variable& a, const Variable& b) { return a.name < b.name; });
  for (size_t place = 1; place < variables_.size(); ++place) {
    if (data[place].name == data[place - 1].name)
      return Invalid("variable ", QuoteName(data[place].name), " occurs twice");
  }
  return absl::OkStatus();
}

const Variable* Ctranslate2Reader::FindAmong(size_t count,
                                             std::string_view name) const {
  const Variable* const end = variables_.data() + count;
  const Variable* const found = std::lower_bound(
      variables_.data(), end, name,
      [](const Variable& a, std::string_view b) { return a.name < b; });
  return found == end || found->name != name ? nullptr : found;
}

absl::StatusOr<int64_t> Ctranslate2Reader::Scalar(
    const Variable& variable) const {
  int8_t i8 = 0;
  int16_t i16 = 0;
  int32_t i32 = 0;
  const uint8_t* bytes = variable.bytes.data();
  if (variable.num_values() == 1 && variable.type == 1) {
    std::memcpy(&i8, bytes, sizeof(i8));
    return i8;
  }
  if (variable.num_values() == 1 && variable.type == 2) {
    std::memcpy(&i16, bytes, sizeof(i16));
    return i16;
  }
  if (variable.num_values() == 1 && variable.type == 3) {
    std::memcpy(&i32, bytes, sizeof(i32));
    return i32;
  }
  return Invalid("variable ", QuoteName(variable.name), " is no integer");
}

absl::Status Ctranslate2Reader::CheckScalars() const {
  for (const FixedScalar& fixed : kFixedScalars) {
    const Variable* variable = Find(fixed.name);
    if (variable == nullptr) continue;
    SPECINFER_ASSIGN_OR_RETURN(const int64_t value, Scalar(*variable));
    if (value == fixed.value) continue;
    return Unimplemented("variable ", QuoteName(fixed.name), " is ", value,
                         ", must be ", fixed.value, " in a Whisper model");
  }
  const Variable* head = Find("decoder/projection/weight");
  const Variable* embedding = Find("decoder/embeddings/weight");
  if (head != nullptr && embedding != nullptr &&
      head->bytes.data() != embedding->bytes.data()) {
    return Unimplemented(
        "has a head of its own; a Whisper model's is its token embedding");
  }
  return absl::OkStatus();
}

absl::Status Ctranslate2Reader::AppendTensors(const Variable& variable,
                                              ModelContents& contents) const {
  const std::string name = QuoteName(variable.name);
  const ElementType& type = kElementTypes[variable.type];
  if (!type.dtype.has_value()) {
    return Unimplemented("is quantised (variable ", name, " is of type ",
                         type.name,
                         "); use the float16 model, ct2-transformers"
                         "-converter --quantization float16");
  }
  const std::vector<std::string> parts = FindCtranslate2Parts(variable.name);
  if (parts.empty()) {
    return Unimplemented("variable ", name,
                         " has no place in a Whisper model "
                         "as this library knows it");
  }
  const size_t num_parts = parts.size();
  if (static_cast<size_t>(variable.dims[0]) % num_parts != 0) {
    return Invalid("variable ", name, " has ", variable.dims[0],
                   " rows, which are not ", num_parts, " equal parts");
  }
  TensorRecord tensor;
  tensor.dtype = *type.dtype;
  tensor.rank = variable.rank;
  for (int axis = 0; axis < variable.rank; ++axis) {
    tensor.dims[static_cast<size_t>(axis)] =
        variable.dims[static_cast<size_t>(variable.rank - 1 - axis)];
  }
  tensor.dims[static_cast<size_t>(variable.rank - 1)] /=
      static_cast<int64_t>(num_parts);
  const size_t part_bytes = variable.bytes.size() / num_parts;
  for (size_t part = 0; part < num_parts; ++part) {
    if (parts[part].empty()) continue;
    SPECINFER_ASSIGN_OR_RETURN(tensor.name, contents.texts.Add(parts[part]));
    tensor.bytes = variable.bytes.subspan(part * part_bytes, part_bytes);
    SPECINFER_RETURN_IF_ERROR(contents.tensors.Append(tensor));
  }
  return absl::OkStatus();
}

absl::StatusOr<WhisperFacts> Ctranslate2Reader::TakeTensors(
    ModelContents& contents) const {
  WhisperFacts facts;
  WhisperSizes& sizes = facts.sizes;
  for (const Variable& variable : variables_.span()) {
    if (variable.rank == 0 || variable.name == "decoder/projection/weight")
      continue;
    SPECINFER_RETURN_IF_ERROR(AppendTensors(variable, contents));
  }
  // In the order of the file.
  std::sort(contents.tensors.data(),
            contents.tensors.data() + contents.tensors.size(),
            [](const TensorRecord& a, const TensorRecord& b) {
              return a.bytes.data() != b.bytes.data()
                         ? a.bytes.data() < b.bytes.data()
                         : a.name < b.name;
            });
  const std::pair<std::string_view, uint64_t*> heads[] = {
      {"encoder/num_heads", &sizes.audio_heads},
      {"decoder/num_heads", &sizes.text_heads}};
  for (const auto& [name, size] : heads) {
    const Variable* variable = Find(name);
    if (variable == nullptr)
      return Invalid("variable ", QuoteName(name), " is missing");
    SPECINFER_ASSIGN_OR_RETURN(const int64_t value, Scalar(*variable));
    *size = value > 0 ? static_cast<uint64_t>(value) : 0;
  }
  MeasureTensors(contents.tensors.span(), sizes);
  return facts;
}

}  // namespace

bool IsCtranslate2(absl::Span<const uint8_t> bytes) {
  ByteCursor cursor(bytes);
  uint32_t version = 0;
  std::string_view name;
  if (!cursor.Read(version) || version == 0 || version > 64 ||
      !cursor.ReadString<uint16_t>(name) || name.size() < 5 ||
      name.size() > 256 || name.back() != '\0')
    return false;
  name.remove_suffix(1);
  return name.substr(name.size() - 4) == "Spec";
}

absl::StatusOr<ModelContents> ReadCtranslate2(FileMapping file,
                                              const FileReader& reader,
                                              Memory& memory) {
  const std::string path = file.path();
  const std::string folder = path.substr(0, path.find_last_of("/\\") + 1);
  ModelContents contents(memory);
  Ctranslate2Reader model(file, memory);
  SPECINFER_RETURN_IF_ERROR(model.Read(contents.headers));
  SPECINFER_ASSIGN_OR_RETURN(WhisperFacts facts, model.TakeTensors(contents));
  SPECINFER_ASSIGN_OR_RETURN(
      facts.alignment_heads,
      ReadCtranslate2Documents(folder, facts.sizes.vocabulary_size, reader,
                               memory, contents));
  SPECINFER_RETURN_IF_ERROR(FinishWhisper(path, facts, contents));
  contents.files.push_back(std::move(file));
  return contents;
}

}  // namespace specinfer
