#include "src/model/whisper_contents.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/model/whisper_alignment.h"

namespace specinfer {
namespace {

// Far above every model, and low enough that no product of two overflows.
constexpr uint64_t kMaxSize = uint64_t{1} << 24;

using Dims = std::array<int64_t, 3>;  // fastest first; 0: no such axis

// Checks the tensors one by one against what a Whisper model has.
class TensorCheck {
 public:
  TensorCheck(std::string_view path, const WhisperSizes& sizes,
              absl::Span<const TensorRecord> tensors)
      : path_(path), sizes_(sizes), tensors_(tensors) {}

  absl::Status Run();

 private:
  absl::Status Index();
  absl::Status CheckEncoder();
  absl::Status CheckDecoder();
  absl::Status CheckLayer(const std::string& prefix, bool has_cross_attention);
  absl::Status CheckAttention(const std::string& prefix);
  // `name` without its ending; a matrix of `rows` by `columns` and its bias.
  absl::Status CheckLinear(const std::string& name, int64_t columns,
                           int64_t rows, bool has_bias = true);
  absl::Status CheckNorm(const std::string& name);
  absl::Status Check(const std::string& name, const Dims& dims);

  int64_t hidden() const { return static_cast<int64_t>(sizes_.hidden_size); }

  const std::string_view path_;
  const WhisperSizes& sizes_;
  const absl::Span<const TensorRecord> tensors_;
  absl::flat_hash_map<absl::string_view, const TensorRecord*> by_name_;
  size_t num_checked_ = 0;
};

absl::Status TensorCheck::Run() {
  SPECINFER_RETURN_IF_ERROR(Index());
  SPECINFER_RETURN_IF_ERROR(CheckEncoder());
  SPECINFER_RETURN_IF_ERROR(CheckDecoder());
  if (num_checked_ == tensors_.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(ModelMessage(
      path_, "holds ", tensors_.size() - num_checked_,
      " tensors more than a Whisper model with ", sizes_.audio_layers, " and ",
      sizes_.text_layers, " layers has"));
}

absl::Status TensorCheck::Index() {
  by_name_.reserve(tensors_.size());
  for (const TensorRecord& tensor : tensors_) {
    if (by_name_.emplace(ToAbsl(tensor.name), &tensor).second) continue;
    return absl::InvalidArgumentError(ModelMessage(
        path_, "tensor ", QuoteName(tensor.name), " occurs twice"));
  }
  return absl::OkStatus();
}

absl::Status TensorCheck::CheckEncoder() {
  const int64_t mel_bins = static_cast<int64_t>(sizes_.mel_bins);
  const int64_t context = static_cast<int64_t>(sizes_.audio_context);
  SPECINFER_RETURN_IF_ERROR(Check("enc.conv1.weight", {3, mel_bins, hidden()}));
  SPECINFER_RETURN_IF_ERROR(Check("enc.conv1.bias", {hidden()}));
  SPECINFER_RETURN_IF_ERROR(Check("enc.conv2.weight", {3, hidden(), hidden()}));
  SPECINFER_RETURN_IF_ERROR(Check("enc.conv2.bias", {hidden()}));
  SPECINFER_RETURN_IF_ERROR(
      Check("enc.position_embd.weight", {hidden(), context}));
  SPECINFER_RETURN_IF_ERROR(CheckNorm("enc.output_norm"));
  for (uint64_t layer = 0; layer < sizes_.audio_layers; ++layer) {
    SPECINFER_RETURN_IF_ERROR(CheckLayer(absl::StrCat("enc.blk.", layer, "."),
                                         /*has_cross_attention=*/false));
  }
  return absl::OkStatus();
}

absl::Status TensorCheck::CheckDecoder() {
  const int64_t vocabulary = static_cast<int64_t>(sizes_.vocabulary_size);
  const int64_t context = static_cast<int64_t>(sizes_.text_context);
  SPECINFER_RETURN_IF_ERROR(Check("token_embd.weight", {hidden(), vocabulary}));
  SPECINFER_RETURN_IF_ERROR(Check("position_embd.weight", {hidden(), context}));
  SPECINFER_RETURN_IF_ERROR(CheckNorm("output_norm"));
  for (uint64_t layer = 0; layer < sizes_.text_layers; ++layer) {
    SPECINFER_RETURN_IF_ERROR(CheckLayer(absl::StrCat("blk.", layer, "."),
                                         /*has_cross_attention=*/true));
  }
  return absl::OkStatus();
}

absl::Status TensorCheck::CheckLayer(const std::string& prefix,
                                     bool has_cross_attention) {
  const int64_t feed_forward = static_cast<int64_t>(sizes_.feed_forward_size);
  SPECINFER_RETURN_IF_ERROR(CheckNorm(prefix + "attn_norm"));
  SPECINFER_RETURN_IF_ERROR(CheckAttention(prefix + "attn_"));
  if (has_cross_attention) {
    SPECINFER_RETURN_IF_ERROR(CheckNorm(prefix + "cross_attn_norm"));
    SPECINFER_RETURN_IF_ERROR(CheckAttention(prefix + "cross_attn_"));
  }
  SPECINFER_RETURN_IF_ERROR(CheckNorm(prefix + "ffn_norm"));
  SPECINFER_RETURN_IF_ERROR(
      CheckLinear(prefix + "ffn_up", hidden(), feed_forward));
  return CheckLinear(prefix + "ffn_down", feed_forward, hidden());
}

absl::Status TensorCheck::CheckAttention(const std::string& prefix) {
  for (const char* part : {"q", "k", "v", "output"}) {
    SPECINFER_RETURN_IF_ERROR(CheckLinear(prefix + part, hidden(), hidden(),
                                          std::strcmp(part, "k") != 0));
  }
  return absl::OkStatus();
}

absl::Status TensorCheck::CheckLinear(const std::string& name, int64_t columns,
                                      int64_t rows, bool has_bias) {
  SPECINFER_RETURN_IF_ERROR(Check(name + ".weight", {columns, rows}));
  return has_bias ? Check(name + ".bias", {rows}) : absl::OkStatus();
}

absl::Status TensorCheck::CheckNorm(const std::string& name) {
  SPECINFER_RETURN_IF_ERROR(Check(name + ".weight", {hidden()}));
  return Check(name + ".bias", {hidden()});
}

absl::Status TensorCheck::Check(const std::string& name, const Dims& dims) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) {
    return absl::InvalidArgumentError(
        ModelMessage(path_, "tensor ", QuoteName(name), " is missing"));
  }
  ++num_checked_;
  const TensorRecord& tensor = *found->second;
  int rank = 0;
  bool is_same = true;
  std::string wanted, stored;
  for (; rank < 3 && dims[static_cast<size_t>(rank)] != 0; ++rank) {
    const size_t axis = static_cast<size_t>(rank);
    is_same = is_same && tensor.dims[axis] == dims[axis];
    absl::StrAppend(&wanted, rank > 0 ? " x " : "", dims[axis]);
  }
  if (is_same && tensor.rank == rank) return absl::OkStatus();
  for (int axis = 0; axis < tensor.rank; ++axis) {
    absl::StrAppend(&stored, axis > 0 ? " x " : "",
                    tensor.dims[static_cast<size_t>(axis)]);
  }
  return absl::InvalidArgumentError(
      ModelMessage(path_, "tensor ", QuoteName(name), " has the shape ", stored,
                   ", must be ", wanted, " (innermost first)"));
}

absl::Status CheckSizes(std::string_view path, const WhisperSizes& sizes) {
  const std::pair<std::string_view, uint64_t> named[] = {
      {"number of tokens", sizes.vocabulary_size},
      {"hidden size", sizes.hidden_size},
      {"feed-forward size", sizes.feed_forward_size},
      {"number of text positions", sizes.text_context},
      {"number of decoder layers", sizes.text_layers},
      {"number of decoder heads", sizes.text_heads},
      {"number of audio positions", sizes.audio_context},
      {"number of encoder layers", sizes.audio_layers},
      {"number of encoder heads", sizes.audio_heads},
      {"number of mel bins", sizes.mel_bins}};
  for (const auto& [name, value] : named) {
    if (value > 0 && value <= kMaxSize) continue;
    return absl::InvalidArgumentError(ModelMessage(
        path, "the ", name, " is ", value, ", must be 1 to ", kMaxSize));
  }
  if (std::max(sizes.text_layers, sizes.audio_layers) > kMaxWhisperLayers) {
    return absl::InvalidArgumentError(ModelMessage(
        path, "has ", std::max(sizes.text_layers, sizes.audio_layers),
        " layers, more than the ", kMaxWhisperLayers, " that are read"));
  }
  for (const uint64_t heads : {sizes.text_heads, sizes.audio_heads}) {
    if (sizes.hidden_size % heads == 0) continue;
    return absl::InvalidArgumentError(
        ModelMessage(path, "the hidden size ", sizes.hidden_size,
                     " is not a multiple of the ", heads, " heads"));
  }
  return absl::OkStatus();
}

// Sines, then cosines, of position · 10000^(-i / (half - 1)): `sinusoids` of
// OpenAI's whisper/model.py.
absl::Status AppendSinusoids(const WhisperSizes& sizes,
                             ModelContents& contents) {
  const size_t width = static_cast<size_t>(sizes.hidden_size);
  const size_t half = width / 2;
  std::string values(
      static_cast<size_t>(sizes.audio_context) * width * sizeof(float), '\0');
  for (size_t position = 0; position < sizes.audio_context; ++position) {
    for (size_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(position) *
          std::exp(-std::log(10000.0) * static_cast<double>(i) /
                   std::max(1.0, static_cast<double>(half) - 1.0));
      const float pair[] = {static_cast<float>(std::sin(angle)),
                            static_cast<float>(std::cos(angle))};
      char* row = values.data() + position * width * sizeof(float);
      std::memcpy(row + i * sizeof(float), &pair[0], sizeof(float));
      std::memcpy(row + (half + i) * sizeof(float), &pair[1], sizeof(float));
    }
  }
  TensorRecord tensor;
  tensor.name = "enc.position_embd.weight";
  tensor.rank = 2;
  tensor.dims = {static_cast<int64_t>(width),
                 static_cast<int64_t>(sizes.audio_context), 1, 1};
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view kept,
                             contents.texts.Add(values));
  tensor.bytes = {reinterpret_cast<const uint8_t*>(kept.data()), kept.size()};
  return contents.tensors.Append(tensor);
}

absl::Status PutKey(ModelContents& contents, std::string_view key,
                    MetadataValue value) {
  MetadataEntry entry;
  SPECINFER_ASSIGN_OR_RETURN(entry.key, contents.texts.Add(key));
  entry.value = value;
  return contents.entries.Append(entry);
}

absl::Status PutAlignmentHeads(std::string_view path, const WhisperFacts& facts,
                               ModelContents& contents) {
  const WhisperSizes& sizes = facts.sizes;
  std::vector<uint32_t> heads = facts.alignment_heads;
  if (heads.empty()) {
    const absl::Span<const uint32_t> published =
        FindPublishedAlignmentHeads(sizes);
    heads.assign(published.begin(), published.end());
  }
  if (heads.empty()) return absl::OkStatus();
  for (size_t i = 0; i + 1 < heads.size(); i += 2) {
    if (heads[i] < sizes.text_layers && heads[i + 1] < sizes.text_heads)
      continue;
    return absl::InvalidArgumentError(ModelMessage(
        path, "the alignment heads name head ", heads[i + 1], " of layer ",
        heads[i], ", but the decoder has ", sizes.text_layers, " layers of ",
        sizes.text_heads, " heads"));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      const std::string_view kept,
      contents.texts.Add({reinterpret_cast<const char*>(heads.data()),
                          heads.size() / 2 * 2 * sizeof(uint32_t)}));
  return PutKey(contents, "whisper.alignment_heads",
                NumberArray(MetadataType::kUint32,
                            {reinterpret_cast<const uint8_t*>(kept.data()),
                             kept.size()}));
}

absl::Status PutKeys(const WhisperSizes& sizes, ModelContents& contents) {
  SPECINFER_RETURN_IF_ERROR(PutKey(contents, "general.architecture",
                                   MetadataValue(std::string_view("whisper"))));
  const std::pair<std::string_view, uint64_t> keys[] = {
      {"whisper.vocab_size", sizes.vocabulary_size},
      {"whisper.context_length", sizes.text_context},
      {"whisper.embedding_length", sizes.hidden_size},
      {"whisper.block_count", sizes.text_layers},
      {"whisper.attention.head_count", sizes.text_heads},
      {"whisper.feed_forward_length", sizes.feed_forward_size},
      {"whisper.encoder.block_count", sizes.audio_layers},
      {"whisper.encoder.attention.head_count", sizes.audio_heads},
      {"whisper.encoder.context_length", sizes.audio_context},
      {"whisper.encoder.mel_bins", sizes.mel_bins}};
  for (const auto& [key, value] : keys) {
    SPECINFER_RETURN_IF_ERROR(PutKey(
        contents, key, MetadataValue(std::in_place_type<uint64_t>, value)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FinishWhisper(std::string_view path, const WhisperFacts& facts,
                           ModelContents& contents) {
  const WhisperSizes& sizes = facts.sizes;
  SPECINFER_RETURN_IF_ERROR(CheckSizes(path, sizes));
  bool has_positions = false;
  for (const TensorRecord& tensor : contents.tensors.span())
    has_positions = has_positions || tensor.name == "enc.position_embd.weight";
  if (!has_positions) {
    if (sizes.audio_context * sizes.hidden_size > kMaxSize) {
      return absl::InvalidArgumentError(
          ModelMessage(path, "tensor \"enc.position_embd.weight\" is missing"));
    }
    SPECINFER_RETURN_IF_ERROR(AppendSinusoids(sizes, contents));
  }
  SPECINFER_RETURN_IF_ERROR(
      TensorCheck(path, sizes, contents.tensors.span()).Run());
  SPECINFER_RETURN_IF_ERROR(PutKeys(sizes, contents));
  return PutAlignmentHeads(path, facts, contents);
}

}  // namespace specinfer
