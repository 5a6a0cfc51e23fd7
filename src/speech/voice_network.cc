#include "src/speech/voice_network.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "src/base/status_macros.h"
#include "src/model/model_contents.h"
#include "src/model/safetensors_file.h"

namespace specinfer {
namespace {

// A tensor of the file, and which of a layer's weights it holds.
struct Source {
  VoiceLayer VoiceNetwork::*layer;
  int convolution;  // of VoiceNetwork::convolutions instead, or -1
  std::string_view weight;
  std::string_view bias;  // or empty
  int num_outputs;
  int num_inputs;
  int num_taps;
  // The taps from first_tap on are the layer's, from layer_tap on: others would
  // only ever see the zeros around a single frame.
  int first_tap;
  int used_taps;
  int layer_tap;
};

constexpr int kBins = VoiceNetwork::kNumBins;
constexpr int kHidden = VoiceNetwork::kHidden;

// Where a layer sees one frame its inputs are as good as taps of one input.
constexpr Source kSources[] = {
    {&VoiceNetwork::transform, -1, "stft_conv.weight", "", 2 * kBins, 1, 256, 0,
     256, 0},
    {nullptr, 0, "conv1.weight", "conv1.bias", 128, kBins, 3, 0, 3, 0},
    {nullptr, 1, "conv2.weight", "conv2.bias", 64, 128, 3, 0, 3, 0},
    {nullptr, 2, "conv3.weight", "conv3.bias", 64, 64, 3, 1, 2, 0},
    {nullptr, 3, "conv4.weight", "conv4.bias", 128, 64, 3, 1, 1, 0},
    {&VoiceNetwork::gates, -1, "lstm_cell.weight_ih", "lstm_cell.bias_ih",
     4 * kHidden, 1, 128, 0, 128, 0},
    {&VoiceNetwork::gates, -1, "lstm_cell.weight_hh", "lstm_cell.bias_hh",
     4 * kHidden, 1, kHidden, 0, kHidden, 128},
    {&VoiceNetwork::output, -1, "final_conv.weight", "final_conv.bias", 1, 1,
     kHidden, 0, kHidden, 0},
};

VoiceLayer& LayerOf(VoiceNetwork& network, const Source& source) {
  return source.layer == nullptr ? network.convolutions[source.convolution]
                                 : network.*source.layer;
}

// The values of the tensor `name`, which must have that many.
absl::StatusOr<absl::Span<const uint8_t>> FindValues(
    const ModelContents& contents, const std::string& path,
    std::string_view name, int64_t num_rows, int64_t num_values) {
  for (const TensorRecord& tensor : contents.tensors.span()) {
    if (tensor.name != name) continue;
    if (tensor.dtype != DType::kF32) {
      return absl::UnimplementedError(
          ModelMessage(path, "tensor ", QuoteName(name),
                       " is not F32, as voice activity is published"));
    }
    // Rows are outputs in any of the shapes: the last of the axes.
    if (tensor.rank < 1 || tensor.dims[tensor.rank - 1] != num_rows ||
        tensor.columns() * tensor.rows() != num_values) {
      return absl::InvalidArgumentError(
          ModelMessage(path, "tensor ", QuoteName(name),
                       " has not the shape that voice activity needs; take "
                       "silero_vad_16k.safetensors as it is published"));
    }
    for (int64_t i = 0; i < num_values; ++i) {
      float value;
      std::memcpy(&value, tensor.bytes.data() + i * sizeof(float),
                  sizeof(float));
      if (!std::isfinite(value)) {
        return absl::InvalidArgumentError(
            ModelMessage(path, "tensor ", QuoteName(name),
                         " has values that are no numbers; the file is "
                         "damaged"));
      }
    }
    return tensor.bytes;
  }
  return absl::InvalidArgumentError(ModelMessage(
      path, "tensor ", QuoteName(name),
      " is missing; voice activity needs silero_vad_16k.safetensors"));
}

float ValueAt(absl::Span<const uint8_t> values, int64_t index) {
  float value;
  std::memcpy(&value, values.data() + index * sizeof(float), sizeof(float));
  return value;
}

absl::Status Place(const Source& source, const ModelContents& contents,
                   const std::string& path, const VoiceLayer& layer,
                   float* weights, float* biases) {
  SPECINFER_ASSIGN_OR_RETURN(
      const auto values,
      FindValues(
          contents, path, source.weight, source.num_outputs,
          int64_t{source.num_outputs} * source.num_inputs * source.num_taps));
  for (int out = 0; out < source.num_outputs; ++out) {
    float* panel = weights + int64_t{out / VoiceLayer::kPanel} *
                                 layer.num_inputs * layer.num_taps *
                                 VoiceLayer::kPanel;
    for (int in = 0; in < source.num_inputs; ++in) {
      for (int tap = 0; tap < source.used_taps; ++tap) {
        const int row = in * layer.num_taps + source.layer_tap + tap;
        panel[row * VoiceLayer::kPanel + out % VoiceLayer::kPanel] = ValueAt(
            values, (int64_t{out} * source.num_inputs + in) * source.num_taps +
                        source.first_tap + tap);
      }
    }
  }
  if (source.bias.empty()) return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(
      const auto bias_values,
      FindValues(contents, path, source.bias, source.num_outputs,
                 source.num_outputs));
  for (int out = 0; out < source.num_outputs; ++out)
    biases[out] += ValueAt(bias_values, out);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VoiceNetwork> VoiceNetwork::Load(const std::string& path,
                                                const FileReader& reader,
                                                Memory& memory) {
  SPECINFER_ASSIGN_OR_RETURN(FileMapping file,
                             FileMapping::Open(path, reader, memory));
  SPECINFER_ASSIGN_OR_RETURN(const ModelContents contents,
                             ReadSafetensorsAlone(std::move(file), memory));
  VoiceNetwork network{Block()};
  size_t num_values = 0;
  for (const Source& source : kSources) {
    VoiceLayer& layer = LayerOf(network, source);
    layer.num_inputs = source.num_inputs;
    layer.num_taps = source.layer_tap + source.used_taps;
    layer.num_outputs = source.num_outputs;
  }
  const auto for_each_layer = [&](auto&& visit) {
    visit(network.transform);
    for (VoiceLayer& layer : network.convolutions) visit(layer);
    visit(network.gates);
    visit(network.output);
  };
  const auto num_weights = [](const VoiceLayer& layer) {
    return size_t{VoiceLayer::kPanel} * layer.num_panels() * layer.num_inputs *
           layer.num_taps;
  };
  for_each_layer([&](VoiceLayer& layer) {
    num_values += num_weights(layer) + VoiceLayer::kPanel * layer.num_panels();
  });
  SPECINFER_ASSIGN_OR_RETURN(
      network.block_,
      memory.Allocate(num_values * sizeof(float), "voice activity"));
  float* place = reinterpret_cast<float*>(network.block_.data());
  for_each_layer([&](VoiceLayer& layer) {
    layer.weights = place;
    layer.biases = place += num_weights(layer);
    place += VoiceLayer::kPanel * layer.num_panels();
  });
  float* const base = reinterpret_cast<float*>(network.block_.data());
  for (const Source& source : kSources) {
    const VoiceLayer& layer = LayerOf(network, source);
    SPECINFER_RETURN_IF_ERROR(Place(source, contents, path, layer,
                                    base + (layer.weights - base),
                                    base + (layer.biases - base)));
  }
  return network;
}

}  // namespace specinfer
