#include "src/model/ggml_file.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/model/byte_cursor.h"
#include "src/model/token_list.h"
#include "src/model/whisper_contents.h"

namespace specinfer {
namespace {

constexpr uint32_t kMagic = 0x67676d6c;
// ggml counts changes of its quantised layouts in thousands of the file type:
// 2 is the one that GGUF keeps, 0 that of files without quantised tensors.
constexpr int32_t kLayoutFactor = 1000;
constexpr int32_t kQuantisedLayout = 2;
constexpr int32_t kMaxNameBytes = 256;
// The vocabularies whose special tokens are known.
constexpr int32_t kMinTokens = 51864;
constexpr int32_t kMaxTokens = 51866;

// As they stand behind the magic number.
struct Header {
  int32_t num_tokens, audio_context, audio_state, audio_heads, audio_layers,
      text_context, text_state, text_heads, text_layers, mel_bins, file_type;
};
static_assert(sizeof(Header) == 11 * sizeof(int32_t));

struct Renaming {
  std::string_view from, to;
};
constexpr Renaming kOuterNames[] = {
    {"encoder.conv1", "enc.conv1"},
    {"encoder.conv2", "enc.conv2"},
    {"encoder.ln_post", "enc.output_norm"},
    {"decoder.token_embedding", "token_embd"},
    {"decoder.ln", "output_norm"},
};
constexpr Renaming kLayerNames[] = {
    {"attn_ln", "attn_norm"},
    {"attn.query", "attn_q"},
    {"attn.key", "attn_k"},
    {"attn.value", "attn_v"},
    {"attn.out", "attn_output"},
    {"cross_attn_ln", "cross_attn_norm"},
    {"cross_attn.query", "cross_attn_q"},
    {"cross_attn.key", "cross_attn_k"},
    {"cross_attn.value", "cross_attn_v"},
    {"cross_attn.out", "cross_attn_output"},
    {"mlp_ln", "ffn_norm"},
    {"mlp.0", "ffn_up"},
    {"mlp.2", "ffn_down"},
};

bool Skip(std::string_view& text, std::string_view beginning) {
  if (text.substr(0, beginning.size()) != beginning) return false;
  text.remove_prefix(beginning.size());
  return true;
}

// Empty: no Whisper model has such a tensor.
std::string FindName(std::string_view name) {
  if (name == "encoder.positional_embedding") return "enc.position_embd.weight";
  if (name == "decoder.positional_embedding") return "position_embd.weight";
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return "";
  const std::string_view ending = name.substr(dot);
  if (ending != ".weight" && ending != ".bias") return "";
  name = name.substr(0, dot);
  for (const Renaming& renaming : kOuterNames) {
    if (renaming.from == name) return Cat(renaming.to, ending);
  }
  const bool is_encoder = Skip(name, "encoder.blocks.");
  if (!is_encoder && !Skip(name, "decoder.blocks.")) return "";
  const size_t end = name.find('.');
  if (end == 0 || end == std::string_view::npos || end > 4) return "";
  const std::string_view layer = name.substr(0, end);
  if (layer.find_first_not_of("0123456789") != std::string_view::npos)
    return "";
  name.remove_prefix(end + 1);
  for (const Renaming& renaming : kLayerNames) {
    if (renaming.from == name)
      return Cat(is_encoder ? "enc.blk." : "blk.", layer, ".", renaming.to,
                 ending);
  }
  return "";
}

class GgmlReader {
 public:
  GgmlReader(const FileMapping& file, ModelContents& contents)
      : file_(file), cursor_(file.bytes()), contents_(contents) {}

  absl::Status Read();

 private:
  absl::Status ReadHeader();
  absl::Status SkipFilters();
  absl::Status ReadVocabulary();
  absl::Status ReadTensor();
  absl::StatusOr<WhisperFacts> Facts() const;

  template <typename... Parts>
  absl::Status Invalid(const Parts&... parts) const {
    return absl::InvalidArgumentError(ModelMessage(file_.path(), parts...));
  }
  absl::Status Ends(std::string_view what) const {
    return Invalid("the file ends inside ", what, " at byte ", cursor_.offset(),
                   " of ", file_.bytes().size(),
                   "; it is cut short or damaged");
  }

  const FileMapping& file_;
  ByteCursor cursor_;
  ModelContents& contents_;
  Header header_{};
};

absl::Status GgmlReader::Read() {
  SPECINFER_RETURN_IF_ERROR(ReadHeader());
  SPECINFER_ASSIGN_OR_RETURN(const WhisperFacts facts, Facts());
  SPECINFER_RETURN_IF_ERROR(SkipFilters());
  SPECINFER_RETURN_IF_ERROR(ReadVocabulary());
  contents_.headers.push_back(cursor_.Since(0));
  while (cursor_.left() > 0) {
    SPECINFER_RETURN_IF_ERROR(ReadTensor());
  }
  return FinishWhisper(file_.path(), facts, contents_);
}

absl::Status GgmlReader::ReadHeader() {
  uint32_t magic = 0;
  if (!cursor_.Read(magic) || !cursor_.Read(header_)) return Ends("the sizes");
  const int32_t layout = header_.file_type / kLayoutFactor;
  const int32_t type = header_.file_type % kLayoutFactor;
  if (header_.file_type < 0 || (type > 1 && layout != kQuantisedLayout)) {
    return absl::UnimplementedError(
        ModelMessage(file_.path(), "has file type ", header_.file_type,
                     "; F32, F16 and the quantised types of layout ",
                     kQuantisedLayout, " are read, quantise the model again"));
  }
  return absl::OkStatus();
}

absl::StatusOr<WhisperFacts> GgmlReader::Facts() const {
  if (header_.audio_state != header_.text_state) {
    return Invalid("the hidden sizes of encoder and decoder are ",
                   header_.audio_state, " and ", header_.text_state,
                   ", must be the same");
  }
  const auto size = [](int32_t number) {
    return number > 0 ? static_cast<uint64_t>(number) : 0;
  };
  WhisperFacts facts;
  facts.sizes.vocabulary_size = size(header_.num_tokens);
  facts.sizes.hidden_size = size(header_.text_state);
  // Not in the file: four times the hidden size in every Whisper model.
  facts.sizes.feed_forward_size = 4 * facts.sizes.hidden_size;
  facts.sizes.text_context = size(header_.text_context);
  facts.sizes.text_layers = size(header_.text_layers);
  facts.sizes.text_heads = size(header_.text_heads);
  facts.sizes.audio_context = size(header_.audio_context);
  facts.sizes.audio_layers = size(header_.audio_layers);
  facts.sizes.audio_heads = size(header_.audio_heads);
  facts.sizes.mel_bins = size(header_.mel_bins);
  return facts;
}

// The mel filters are Whisper's own, which the front end has.
absl::Status GgmlReader::SkipFilters() {
  int32_t rows = 0, columns = 0;
  absl::Span<const uint8_t> values;
  if (!cursor_.Read(rows) || !cursor_.Read(columns)) return Ends("the filters");
  if (rows < 0 || columns < 0)
    return Invalid("the mel filters are ", rows, " x ", columns);
  const uint64_t count =
      static_cast<uint64_t>(rows) * static_cast<uint64_t>(columns);
  return count <= cursor_.left() / sizeof(float) &&
                 cursor_.ReadBytes(count * sizeof(float), values)
             ? absl::OkStatus()
             : Ends("the filters");
}

absl::Status GgmlReader::ReadVocabulary() {
  int32_t count = 0;
  if (!cursor_.Read(count)) return Ends("the number of tokens");
  if (count <= 0 || count > header_.num_tokens) {
    return Invalid("holds ", count, " tokens, must be 1 to ",
                   header_.num_tokens);
  }
  // The special tokens begin with the end of text; a file may hold its name.
  const size_t end_of_text = header_.num_tokens > kMinTokens ? 50257 : 50256;
  TokenList tokens;
  for (int32_t index = 0; index < count; ++index) {
    std::string_view text;
    if (!cursor_.ReadString<uint32_t>(text))
      return Ends(absl::StrCat("token ", index));
    if (tokens.size() < end_of_text) tokens.AddBytes(text);
  }
  while (tokens.size() < end_of_text) tokens.Add("");
  return tokens.PutKeys(contents_);
}

absl::Status GgmlReader::ReadTensor() {
  int32_t rank = 0, name_bytes = 0;
  uint32_t type = 0;
  if (!cursor_.Read(rank) || !cursor_.Read(name_bytes) || !cursor_.Read(type))
    return Ends("the head of a tensor");
  TensorRecord tensor;
  if (rank < 1 || rank > 3 || name_bytes < 1 || name_bytes > kMaxNameBytes) {
    return Invalid("tensor number ", contents_.tensors.size(), " has rank ",
                   rank, " and a name of ", name_bytes,
                   " bytes; the file is damaged");
  }
  tensor.rank = rank;
  for (size_t axis = 0; axis < static_cast<size_t>(rank); ++axis) {
    int32_t dim = 0;
    if (!cursor_.Read(dim)) return Ends("the dimensions of a tensor");
    tensor.dims[axis] = dim;
  }
  absl::Span<const uint8_t> stored;
  if (!cursor_.ReadBytes(static_cast<uint64_t>(name_bytes), stored))
    return Ends("the name of a tensor");
  const std::string_view name(reinterpret_cast<const char*>(stored.data()),
                              stored.size());
  const std::string renamed = FindName(name);
  if (renamed.empty()) {
    return absl::UnimplementedError(ModelMessage(
        file_.path(), "tensor ", QuoteName(name),
        " has no place in a Whisper model as this library knows it"));
  }
  if (FindDTypeTraits(type) == nullptr) {
    return absl::UnimplementedError(
        ModelMessage(file_.path(), "tensor ", QuoteName(name),
                     " has element type ", type, ", which is not read"));
  }
  tensor.dtype = static_cast<DType>(type);
  const absl::StatusOr<uint64_t> num_bytes = TensorBytes(tensor);
  if (!num_bytes.ok())
    return Invalid("tensor ", QuoteName(name), " ",
                   ToStd(num_bytes.status().message()));
  if (!cursor_.ReadBytes(*num_bytes, tensor.bytes))
    return Ends(Cat("the values of tensor ", QuoteName(name)));
  // The biases of the convolutions are columns: 1 x n.
  if (tensor.rank == 2 && tensor.dims[0] == 1 &&
      name.substr(0, 12) == "encoder.conv") {
    tensor.rank = 1;
    std::swap(tensor.dims[0], tensor.dims[1]);
  }
  SPECINFER_ASSIGN_OR_RETURN(tensor.name, contents_.texts.Add(renamed));
  return contents_.tensors.Append(tensor);
}

}  // namespace

bool IsGgmlWhisper(absl::Span<const uint8_t> bytes) {
  ByteCursor cursor(bytes);
  uint32_t magic = 0;
  Header header{};
  return cursor.Read(magic) && magic == kMagic && cursor.Read(header) &&
         header.num_tokens >= kMinTokens && header.num_tokens <= kMaxTokens;
}

absl::StatusOr<ModelContents> ReadGgmlWhisper(FileMapping file,
                                              Memory& memory) {
  ModelContents contents(memory);
  SPECINFER_RETURN_IF_ERROR(GgmlReader(file, contents).Read());
  contents.files.push_back(std::move(file));
  return contents;
}

}  // namespace specinfer
