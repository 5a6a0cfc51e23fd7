#include "src/model/packed_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "flatbuffers/flatbuffers.h"

#include "src/base/file_writer.h"
#include "src/base/status_macros.h"
#include "src/model/packed_file.h"
#include "src/model/packed_model_generated.h"
#include "src/model/placements.h"
#include "xxhash.h"

namespace specinfer {
namespace {

// Said by the tokenizer's table, by the tensors themselves, or only of the file
// that is read.
constexpr std::string_view kOmittedKeys[] = {"tokenizer.ggml.tokens",
                                             "tokenizer.ggml.token_type",
                                             "tokenizer.ggml.scores",
                                             "tokenizer.ggml.merges",
                                             "specinfer.norm_plus_one",
                                             "general.alignment",
                                             "split.no",
                                             "split.count",
                                             "split.tensors.count"};

uint64_t AlignUp(uint64_t num_bytes) {
  return (num_bytes + kPackedAlignment - 1) / kPackedAlignment *
         kPackedAlignment;
}

// What is written behind the header, in order.
struct Piece {
  std::string name;
  const TensorRecord* tensor = nullptr;  // null: a table
  const Placement* place = nullptr;      // null: a tensor kept as it is
  absl::Span<const uint8_t> bytes;       // of what is kept as it is
  DType dtype = DType::kF32;
  uint64_t num_bytes = 0;
  uint64_t offset = 0;
  uint64_t hash = 0;
};

class HeaderBuilder {
 public:
  // A header's size depends on nothing that is known only later: offsets and
  // hashes take their room whatever they are.
  HeaderBuilder() { builder_.ForceDefaults(true); }

  absl::Span<const uint8_t> Build(const ModelFile& file,
                                  const PackedFamily& family,
                                  const std::vector<Piece>& pieces) {
    std::vector<flatbuffers::Offset<packed::Entry>> entries;
    for (const MetadataEntry& entry : file.metadata()) {
      if (std::find(std::begin(kOmittedKeys), std::end(kOmittedKeys),
                    entry.key) == std::end(kOmittedKeys))
        entries.push_back(PutEntry(entry));
    }
    std::vector<flatbuffers::Offset<packed::Tensor>> tensors;
    std::vector<flatbuffers::Offset<packed::PackedTable>> tables;
    for (const Piece& piece : pieces) {
      if (piece.tensor != nullptr) {
        tensors.push_back(PutTensor(piece));
      } else {
        tables.push_back(
            packed::CreatePackedTable(builder_, Text(piece.name), piece.offset,
                                      piece.num_bytes, piece.hash));
      }
    }
    const auto name = Text(family.name);
    const auto entry_vector = builder_.CreateVector(entries);
    const auto tensor_vector = builder_.CreateVector(tensors);
    const auto table_vector = builder_.CreateVector(tables);
    packed::FinishModelBuffer(
        builder_,
        packed::CreateModel(builder_, name, family.version, entry_vector,
                            tensor_vector, table_vector));
    return {builder_.GetBufferPointer(), builder_.GetSize()};
  }

 private:
  flatbuffers::Offset<flatbuffers::String> Text(std::string_view text) {
    return builder_.CreateString(text.data(), text.size());
  }
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> Bytes(
      absl::Span<const uint8_t> bytes) {
    return builder_.CreateVector(bytes.data(), bytes.size());
  }

  flatbuffers::Offset<packed::Entry> PutEntry(const MetadataEntry& entry) {
    packed::Kind kind = packed::Kind_Bool;
    uint64_t bits = 0;
    uint64_t num_texts = 0;
    uint32_t number_type = 0;
    flatbuffers::Offset<flatbuffers::String> text;
    flatbuffers::Offset<flatbuffers::Vector<uint8_t>> array;
    if (const bool* truth = std::get_if<bool>(&entry.value)) {
      bits = *truth ? 1 : 0;
    } else if (const auto* integer = std::get_if<int64_t>(&entry.value)) {
      kind = packed::Kind_Int;
      bits = static_cast<uint64_t>(*integer);
    } else if (const auto* whole = std::get_if<uint64_t>(&entry.value)) {
      kind = packed::Kind_Uint;
      bits = *whole;
    } else if (const auto* number = std::get_if<double>(&entry.value)) {
      kind = packed::Kind_Float;
      bits = std::bit_cast<uint64_t>(*number);
    } else if (const auto* view = std::get_if<std::string_view>(&entry.value)) {
      kind = packed::Kind_Text;
      text = Text(*view);
    } else if (const auto* numbers = std::get_if<NumberArray>(&entry.value)) {
      kind = packed::Kind_Numbers;
      number_type = static_cast<uint32_t>(numbers->type());
      array = Bytes(numbers->bytes());
    } else if (const auto* texts = std::get_if<StringArray>(&entry.value)) {
      kind = packed::Kind_Texts;
      num_texts = texts->size();
      array = Bytes(texts->bytes());
    }
    const auto key = Text(entry.key);
    return packed::CreateEntry(builder_, key, kind, bits, text, number_type,
                               num_texts, array);
  }

  flatbuffers::Offset<packed::Tensor> PutTensor(const Piece& piece) {
    const auto name = Text(piece.name);
    const bool is_packed =
        piece.place != nullptr && piece.place->weight != nullptr;
    const std::array<int64_t, 4>& filed = piece.tensor->dims;
    std::vector<int64_t> extents(filed.begin(),
                                 filed.begin() + piece.tensor->rank);
    // A packed convolution is a matrix.
    if (is_packed) extents = {piece.place->inputs, piece.place->outputs};
    const auto dims = builder_.CreateVector(extents);
    return packed::CreateTensor(
        builder_, name, static_cast<uint32_t>(piece.dtype), dims, is_packed,
        piece.offset, piece.num_bytes, piece.hash);
  }

  flatbuffers::FlatBufferBuilder builder_;
};

class PackedWriter {
 public:
  PackedWriter(const ModelFile& file, const Architecture& architecture,
               Backend& backend, WeightForm form)
      : file_(file),
        architecture_(architecture),
        backend_(backend),
        form_(form) {}

  absl::Status Plan(absl::Span<const PackedTableSource> tables);
  absl::Status Write(const std::string& path,
                     const std::function<bool(float)>& progress);

 private:
  absl::Status PlanTensors();
  absl::Status WritePiece(Piece& piece, FileWriter& writer);
  absl::Status WriteHeader(FileWriter& writer);

  const ModelFile& file_;
  const Architecture& architecture_;
  Backend& backend_;
  const WeightForm form_;
  Weights unused_;  // what the placements point to
  std::vector<Placement> placements_;
  std::vector<Piece> pieces_;
  uint64_t header_bytes_ = 0;
  uint64_t file_bytes_ = 0;
};

absl::Status PackedWriter::PlanTensors() {
  placements_ = ListPlacements(architecture_, &unused_);
  SPECINFER_RETURN_IF_ERROR(CheckAllPlaced(file_, placements_));
  // A tied embedding is read last, as the head.
  if (file_.FindTensor("output.weight") == nullptr) {
    const auto embedding = std::find_if(
        placements_.begin(), placements_.end(), [](const Placement& place) {
          return place.name == "token_embd.weight";
        });
    if (embedding != placements_.end())
      std::rotate(embedding, embedding + 1, placements_.end());
  }
  for (const Placement& place : placements_) {
    SPECINFER_ASSIGN_OR_RETURN(const TensorRecord* tensor,
                               FindPlaced(file_, place));
    if (tensor == nullptr) continue;
    Piece piece = {.name = place.name, .tensor = tensor, .place = &place};
    if (place.weight != nullptr) {
      piece.dtype = PackedTypeOf(file_, place, *tensor, form_);
      piece.num_bytes =
          backend_.PackedBytes(piece.dtype, place.outputs, place.inputs);
      if (piece.num_bytes == 0) {
        return absl::UnimplementedError(ModelMessage(
            file_.path(), "tensor \"", place.name, "\" of type ",
            GetDTypeTraits(tensor->dtype).name, " cannot be packed"));
      }
    } else {
      piece.num_bytes =
          static_cast<uint64_t>(place.rows * place.inputs) * sizeof(float);
    }
    pieces_.push_back(std::move(piece));
  }
  return absl::OkStatus();
}

absl::Status PackedWriter::Plan(absl::Span<const PackedTableSource> tables) {
  for (const PackedTableSource& table : tables) {
    pieces_.push_back({.name = std::string(table.name),
                       .bytes = table.bytes,
                       .num_bytes = table.bytes.size()});
  }
  // The architecture reads it, and no placement does.
  if (const TensorRecord* factors = file_.FindTensor("rope_freqs.weight")) {
    pieces_.push_back({.name = std::string(factors->name),
                       .tensor = factors,
                       .bytes = factors->bytes,
                       .dtype = factors->dtype,
                       .num_bytes = factors->bytes.size()});
  }
  SPECINFER_RETURN_IF_ERROR(PlanTensors());
  header_bytes_ =
      HeaderBuilder().Build(file_, backend_.packed_family(), pieces_).size();
  if (header_bytes_ > kMaxPackedHeaderBytes) {
    return absl::InvalidArgumentError(
        ModelMessage(file_.path(), "the keys take ", header_bytes_,
                     " bytes, more than a packed model may have"));
  }
  file_bytes_ = sizeof(PackedPreamble) + header_bytes_;
  for (Piece& piece : pieces_) {
    piece.offset = AlignUp(file_bytes_);
    file_bytes_ = piece.offset + piece.num_bytes;
  }
  return absl::OkStatus();
}

absl::Status PackedWriter::WritePiece(Piece& piece, FileWriter& writer) {
  std::unique_ptr<Weight> weight;
  std::vector<float> vector;
  absl::Span<const uint8_t> bytes = piece.bytes;
  if (piece.place != nullptr && piece.place->weight != nullptr) {
    SPECINFER_ASSIGN_OR_RETURN(weight,
                               backend_.Pack({.dtype = piece.tensor->dtype,
                                              .outputs = piece.place->outputs,
                                              .inputs = piece.place->inputs,
                                              .bytes = piece.tensor->bytes,
                                              .name = piece.name,
                                              .packed_as = piece.dtype}));
    bytes = weight->bytes();
  } else if (piece.place != nullptr) {
    vector = ReadVector(architecture_, *piece.place, *piece.tensor);
    bytes = {reinterpret_cast<const uint8_t*>(vector.data()),
             vector.size() * sizeof(float)};
  }
  if (bytes.size() != piece.num_bytes) {
    return absl::InternalError(
        ModelMessage(file_.path(), "tensor \"", piece.name, "\" packed into ",
                     bytes.size(), " bytes, planned ", piece.num_bytes));
  }
  piece.hash = XXH3_64bits(bytes.data(), bytes.size());
  SPECINFER_RETURN_IF_ERROR(writer.WriteAt(piece.offset, bytes));
  if (piece.tensor != nullptr) file_.Release(*piece.tensor);
  return absl::OkStatus();
}

absl::Status PackedWriter::WriteHeader(FileWriter& writer) {
  HeaderBuilder builder;
  const absl::Span<const uint8_t> header =
      builder.Build(file_, backend_.packed_family(), pieces_);
  if (header.size() != header_bytes_) {
    return absl::InternalError(
        ModelMessage(file_.path(), "the packed header has ", header.size(),
                     " bytes, planned ", header_bytes_));
  }
  PackedPreamble preamble = {};
  std::memcpy(preamble.magic, kPackedMagic, sizeof(kPackedMagic));
  preamble.version = kPackedFileVersion;
  preamble.header_bytes = header.size();
  preamble.header_hash = XXH3_64bits(header.data(), header.size());
  preamble.file_bytes = file_bytes_;
  SPECINFER_RETURN_IF_ERROR(writer.WriteAt(
      0, {reinterpret_cast<const uint8_t*>(&preamble), sizeof(preamble)}));
  return writer.WriteAt(sizeof(preamble), header);
}

absl::Status PackedWriter::Write(const std::string& path,
                                 const std::function<bool(float)>& progress) {
  const auto report = [&](double fraction) -> absl::Status {
    if (!progress || progress(static_cast<float>(fraction)))
      return absl::OkStatus();
    return absl::CancelledError(
        Cat("packing \"", file_.path(), "\" was cancelled"));
  };
  SPECINFER_RETURN_IF_ERROR(report(0.0));
  SPECINFER_ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Create(path));
  for (Piece& piece : pieces_) {
    SPECINFER_RETURN_IF_ERROR(WritePiece(piece, writer));
    SPECINFER_RETURN_IF_ERROR(
        report(static_cast<double>(piece.offset + piece.num_bytes) /
               static_cast<double>(file_bytes_)));
  }
  SPECINFER_RETURN_IF_ERROR(WriteHeader(writer));
  return writer.Commit();
}

}  // namespace

absl::Status WritePackedModel(const ModelFile& file,
                              const Architecture& architecture,
                              Backend& backend, WeightForm form,
                              absl::Span<const PackedTableSource> tables,
                              const std::string& path,
                              const std::function<bool(float)>& progress) {
  if (file.is_packed()) {
    return absl::FailedPreconditionError(
        ModelMessage(file.path(), "is packed already"));
  }
  if (backend.packed_family().name.empty()) {
    return absl::UnimplementedError(
        ModelMessage(file.path(), "cannot be packed for backend \"",
                     backend.name(), "\", which has no layout of its own"));
  }
  PackedWriter writer(file, architecture, backend, form);
  SPECINFER_RETURN_IF_ERROR(writer.Plan(tables));
  return writer.Write(path, progress);
}

}  // namespace specinfer
