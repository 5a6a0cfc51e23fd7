// One tiny Whisper model with made-up weights, written in each container.
#ifndef SPECINFER_TESTS_MODEL_WHISPER_FILES_H_
#define SPECINFER_TESTS_MODEL_WHISPER_FILES_H_

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace specinfer {

// Little-endian values one after another.
class Bytes {
 public:
  template <typename T>
  Bytes& Put(T value) {
    return Append({reinterpret_cast<const char*>(&value), sizeof(T)});
  }
  Bytes& Append(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct TinyTensor {
  std::vector<uint32_t> shape;  // slowest first
  std::vector<float> values;

  std::string bytes() const {
    return {reinterpret_cast<const char*>(values.data()),
            values.size() * sizeof(float)};
  }
};

// Sizes no two of which are equal, so that none can stand for another.
struct TinyWhisperSizes {
  uint32_t vocabulary = 11, hidden = 4, feed_forward = 6, text_context = 5,
           text_layers = 2, audio_context = 7, audio_layers = 1, mel_bins = 9,
           text_heads = 2, audio_heads = 1;
};

struct TinyWhisper : TinyWhisperSizes {
  std::map<std::string, TinyTensor> tensors;  // by the names of a ModelFile

  explicit TinyWhisper(const TinyWhisperSizes& sizes = {})
      : TinyWhisperSizes(sizes) {
    Add("enc.conv1.weight", {hidden, mel_bins, 3});
    Add("enc.conv1.bias", {hidden});
    Add("enc.conv2.weight", {hidden, hidden, 3});
    Add("enc.conv2.bias", {hidden});
    Add("enc.position_embd.weight", {audio_context, hidden});
    AddNorm("enc.output_norm");
    for (uint32_t layer = 0; layer < audio_layers; ++layer)
      AddLayer("enc.blk." + std::to_string(layer) + ".", false);
    Add("token_embd.weight", {vocabulary, hidden});
    Add("position_embd.weight", {text_context, hidden});
    AddNorm("output_norm");
    for (uint32_t layer = 0; layer < text_layers; ++layer)
      AddLayer("blk." + std::to_string(layer) + ".", true);
  }

 private:
  void Add(const std::string& name, std::vector<uint32_t> shape) {
    TinyTensor tensor{std::move(shape), {}};
    size_t count = 1;
    for (const uint32_t dim : tensor.shape) count *= dim;
    for (size_t i = 0; i < count; ++i) tensor.values.push_back(next_ += 0.5f);
    tensors[name] = std::move(tensor);
  }
  void AddNorm(const std::string& name) {
    Add(name + ".weight", {hidden});
    Add(name + ".bias", {hidden});
  }
  void AddLinear(const std::string& name, uint32_t rows, uint32_t columns) {
    Add(name + ".weight", {rows, columns});
    if (name.substr(name.size() - 2) != "_k") Add(name + ".bias", {rows});
  }
  void AddLayer(const std::string& prefix, bool has_cross) {
    for (const char* kind : {"attn_", "cross_attn_"}) {
      if (!has_cross && *kind == 'c') continue;
      AddNorm(prefix + kind + "norm");
      for (const char* part : {"q", "k", "v", "output"})
        AddLinear(prefix + kind + part, hidden, hidden);
    }
    AddNorm(prefix + "ffn_norm");
    AddLinear(prefix + "ffn_up", feed_forward, hidden);
    AddLinear(prefix + "ffn_down", hidden, feed_forward);
  }

  float next_ = 0.0f;
};

// A model.bin, right or wrong as a test wants it.
class Ctranslate2Bytes {
 public:
  static std::string Name(std::string_view name) {
    return Bytes()
        .Put<uint16_t>(static_cast<uint16_t>(name.size() + 1))
        .Append(name)
        .Put<uint8_t>(0)
        .bytes();
  }
  Ctranslate2Bytes& Variable(std::string_view name,
                             const std::vector<uint32_t>& shape, uint8_t type,
                             std::string_view values) {
    Bytes variable;
    variable.Append(Name(name)).Put(static_cast<uint8_t>(shape.size()));
    for (const uint32_t dim : shape) variable.Put(dim);
    variable.Put(type).Put(static_cast<uint32_t>(values.size())).Append(values);
    variables_.push_back(variable.bytes());
    return *this;
  }
  Ctranslate2Bytes& Alias(std::string_view name, std::string_view target) {
    aliases_.push_back(Name(name) + Name(target));
    return *this;
  }
  std::string bytes(uint32_t version = 6, std::string_view spec = "WhisperSpec",
                    uint32_t revision = 3) const {
    Bytes bytes;
    bytes.Put(version).Append(Name(spec)).Put(revision);
    bytes.Put(static_cast<uint32_t>(variables_.size()));
    for (const std::string& variable : variables_) bytes.Append(variable);
    bytes.Put(static_cast<uint32_t>(aliases_.size()));
    for (const std::string& alias : aliases_) bytes.Append(alias);
    return bytes.bytes();
  }

 private:
  std::vector<std::string> variables_, aliases_;
};

// `model` as CTranslate2 writes it: the parts of an attention stacked, the bias
// of its keys zeros.
inline Ctranslate2Bytes WriteCtranslate2(const TinyWhisper& model) {
  Ctranslate2Bytes file;
  const auto put = [&](const std::string& to,
                       const std::vector<std::string>& parts) {
    std::vector<uint32_t> shape;
    std::string values;
    for (const std::string& part : parts) {
      const auto found = model.tensors.find(part);
      if (found == model.tensors.end()) {  // the bias of the keys
        values.append(model.hidden * sizeof(float), '\0');
        shape.empty() ? shape.push_back(model.hidden)
                      : void(shape[0] += model.hidden);
        continue;
      }
      const TinyTensor& tensor = found->second;
      values += tensor.bytes();
      shape.empty() ? void(shape = tensor.shape)
                    : void(shape[0] += tensor.shape[0]);
    }
    file.Variable(to, shape, 0, values);
  };
  const auto put_linear = [&](const std::string& to,
                              const std::vector<std::string>& parts) {
    for (const char* ending : {"weight", "bias"}) {
      std::vector<std::string> names;
      for (const std::string& part : parts)
        names.push_back(part + "." + ending);
      put(to + "/" + ending, names);
    }
  };
  const auto put_norm = [&](const std::string& to, const std::string& from) {
    put(to + "/gamma", {from + ".weight"});
    put(to + "/beta", {from + ".bias"});
  };
  const auto put_layer = [&](const std::string& to, const std::string& from,
                             bool has_cross) {
    const std::string own = to + "self_attention/", other = to + "attention/";
    put_norm(own + "layer_norm", from + "attn_norm");
    put_linear(own + "linear_0",
               {from + "attn_q", from + "attn_k", from + "attn_v"});
    put_linear(own + "linear_1", {from + "attn_output"});
    if (has_cross) {
      put_norm(other + "layer_norm", from + "cross_attn_norm");
      put_linear(other + "linear_0", {from + "cross_attn_q"});
      put_linear(other + "linear_1",
                 {from + "cross_attn_k", from + "cross_attn_v"});
      put_linear(other + "linear_2", {from + "cross_attn_output"});
    }
    put_norm(to + "ffn/layer_norm", from + "ffn_norm");
    put_linear(to + "ffn/linear_0", {from + "ffn_up"});
    put_linear(to + "ffn/linear_1", {from + "ffn_down"});
  };
  const auto put_scalar = [&](const std::string& name, uint8_t type,
                              uint32_t value) {
    const size_t num_bytes = type == 1 ? 1 : 2;
    file.Variable(name, {}, type,
                  {reinterpret_cast<const char*>(&value), num_bytes});
  };
  put_scalar("decoder/activation", 1, 3);
  put_scalar("decoder/num_heads", 2, model.text_heads);
  put_scalar("decoder/pre_norm", 1, 1);
  put_scalar("encoder/num_heads", 2, model.audio_heads);
  put("decoder/embeddings/weight", {"token_embd.weight"});
  put("decoder/position_encodings/encodings", {"position_embd.weight"});
  put_norm("decoder/layer_norm", "output_norm");
  for (uint32_t i = 0; i < model.text_layers; ++i)
    put_layer("decoder/layer_" + std::to_string(i) + "/",
              "blk." + std::to_string(i) + ".", true);
  put_linear("encoder/conv1", {"enc.conv1"});
  put_linear("encoder/conv2", {"enc.conv2"});
  if (model.tensors.count("enc.position_embd.weight") > 0)
    put("encoder/position_encodings/encodings", {"enc.position_embd.weight"});
  put_norm("encoder/layer_norm", "enc.output_norm");
  for (uint32_t i = 0; i < model.audio_layers; ++i)
    put_layer("encoder/layer_" + std::to_string(i) + "/",
              "enc.blk." + std::to_string(i) + ".", false);
  file.Alias("decoder/projection/weight", "decoder/embeddings/weight");
  return file;
}

// A name of a ModelFile in another spelling: each of `renamings` that occurs in
// it is replaced. The first that fits counts, so that longer ones stand first.
inline std::string RespellName(
    std::string name,
    const std::vector<std::pair<std::string, std::string>>& renamings) {
  const bool is_encoder = name.substr(0, 4) == "enc.";
  if (is_encoder) name.erase(0, 4);
  for (const auto& [from, to] : renamings) {
    const size_t place = name.find(from);
    if (place == std::string::npos) continue;
    name.replace(place, from.size(), to);
    break;
  }
  return (is_encoder ? "encoder." : "decoder.") + name;
}

// model.safetensors as Hugging Face writes it, and its config.json.
inline std::string WriteHuggingface(const TinyWhisper& model) {
  std::string header, data;
  for (const auto& [name, tensor] : model.tensors) {
    std::string to =
        RespellName(name, {{"cross_attn_norm", "encoder_attn_layer_norm"},
                           {"cross_attn_output", "encoder_attn.out_proj"},
                           {"cross_attn_q", "encoder_attn.q_proj"},
                           {"cross_attn_k", "encoder_attn.k_proj"},
                           {"cross_attn_v", "encoder_attn.v_proj"},
                           {"attn_norm", "self_attn_layer_norm"},
                           {"attn_output", "self_attn.out_proj"},
                           {"attn_q", "self_attn.q_proj"},
                           {"attn_k", "self_attn.k_proj"},
                           {"attn_v", "self_attn.v_proj"},
                           {"ffn_norm", "final_layer_norm"},
                           {"ffn_up", "fc1"},
                           {"ffn_down", "fc2"},
                           {"output_norm", "layer_norm"},
                           {"token_embd", "embed_tokens"},
                           {"position_embd", "embed_positions"}});
    if (const size_t layer = to.find(".blk."); layer != std::string::npos)
      to.replace(layer, 5, ".layers.");
    std::string shape;
    for (const uint32_t dim : tensor.shape)
      shape += (shape.empty() ? "" : ",") + std::to_string(dim);
    const size_t begin = data.size();
    data += tensor.bytes();
    header += (header.empty() ? "{" : ",") + ("\"model." + to) +
              R"(":{"dtype":"F32","shape":[)" + shape +
              R"(],"data_offsets":[)" + std::to_string(begin) + "," +
              std::to_string(data.size()) + "]}";
  }
  header += "}";
  return Bytes()
      .Put<uint64_t>(header.size())
      .Append(header)
      .Append(data)
      .bytes();
}
inline std::string HuggingfaceConfig(const TinyWhisper& model) {
  const auto member = [](const char* key, uint32_t value) {
    return std::string("\"") + key + "\":" + std::to_string(value) + ",";
  };
  return "{" + member("vocab_size", model.vocabulary) +
         member("d_model", model.hidden) +
         member("encoder_ffn_dim", model.feed_forward) +
         member("decoder_ffn_dim", model.feed_forward) +
         member("max_target_positions", model.text_context) +
         member("max_source_positions", model.audio_context) +
         member("decoder_layers", model.text_layers) +
         member("encoder_layers", model.audio_layers) +
         member("decoder_attention_heads", model.text_heads) +
         member("encoder_attention_heads", model.audio_heads) +
         member("num_mel_bins", model.mel_bins) +
         R"("activation_function":"gelu","model_type":"whisper"})";
}

// whisper.cpp's container; `tokens` are texts as bytes. The model must be one
// of 51864 to 51866 tokens, its feed-forward four times as wide as the rest.
inline std::string WriteGgml(const TinyWhisper& model,
                             const std::vector<std::string>& tokens,
                             int32_t file_type = 0) {
  Bytes file;
  file.Put<uint32_t>(0x67676d6c);
  for (const uint32_t size :
       {model.vocabulary, model.audio_context, model.hidden, model.audio_heads,
        model.audio_layers, model.text_context, model.hidden, model.text_heads,
        model.text_layers, model.mel_bins})
    file.Put(size);
  file.Put(file_type).Put<int32_t>(1).Put<int32_t>(2).Append("12345678");
  file.Put(static_cast<int32_t>(tokens.size()));
  for (const std::string& token : tokens)
    file.Put(static_cast<uint32_t>(token.size())).Append(token);
  for (const auto& [name, tensor] : model.tensors) {
    std::string to =
        RespellName(name, {{"position_embd.weight", "positional_embedding"},
                           {"token_embd", "token_embedding"},
                           {"cross_attn_norm", "cross_attn_ln"},
                           {"cross_attn_output", "cross_attn.out"},
                           {"cross_attn_q", "cross_attn.query"},
                           {"cross_attn_k", "cross_attn.key"},
                           {"cross_attn_v", "cross_attn.value"},
                           {"attn_norm", "attn_ln"},
                           {"attn_output", "attn.out"},
                           {"attn_q", "attn.query"},
                           {"attn_k", "attn.key"},
                           {"attn_v", "attn.value"},
                           {"ffn_norm", "mlp_ln"},
                           {"ffn_up", "mlp.0"},
                           {"ffn_down", "mlp.2"},
                           {"output_norm", name[0] == 'e' ? "ln_post" : "ln"}});
    if (const size_t layer = to.find(".blk."); layer != std::string::npos)
      to.replace(layer, 5, ".blocks.");
    std::vector<uint32_t> shape = tensor.shape;
    if (to == "encoder.conv1.bias" || to == "encoder.conv2.bias")
      shape.push_back(1);
    file.Put(static_cast<uint32_t>(shape.size()))
        .Put(static_cast<uint32_t>(to.size()))
        .Put<uint32_t>(0);
    for (size_t axis = shape.size(); axis-- > 0;) file.Put(shape[axis]);
    file.Append(to).Append(tensor.bytes());
  }
  return file.bytes();
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_MODEL_WHISPER_FILES_H_
