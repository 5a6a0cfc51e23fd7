#include "src/model/huggingface_config.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/model/json_document.h"

namespace specinfer {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxLayers = 65536;

// How Hugging Face's model types differ, absent keys' meaning included.
struct Family {
  std::string_view model_type;
  std::string_view architecture;
  uint64_t default_head_dim;  // 0: hidden size / heads
  double default_rope_theta;
  std::string_view activation;
  bool is_tied_by_default;
};
constexpr Family kFamilies[] = {
    {"llama", "llama", 0, 10000.0, "silu", false},
    {"qwen2", "qwen2", 0, 10000.0, "silu", false},
    {"qwen3", "qwen3", 128, 10000.0, "silu", false},
    {"gemma3_text", "gemma3", 256, 1e6, "gelu_pytorch_tanh", true},
    {"gemma3", "gemma3", 256, 1e6, "gelu_pytorch_tanh", true},
};

// Turns one model's documents into keys.
class KeyWriter {
 public:
  KeyWriter(const HuggingfaceDocuments& documents, ModelContents& contents)
      : documents_(documents), contents_(contents), config_(documents.config) {}

  absl::StatusOr<HuggingfaceNaming> Write();

 private:
  absl::Status FindFamily();
  absl::Status WriteSizes();
  absl::Status WriteAttention();
  absl::Status WriteRope();
  absl::Status WriteRopeScaling(const json& scaling);
  absl::Status WriteSlidingWindow();
  absl::Status WriteLayerTypes(const json& types);
  absl::Status WriteTokenizer();
  absl::Status WriteEndTokens();
  absl::Status WriteChatTemplates();

  // Under `key` as it stands, or behind "<architecture>." for the
  // hyper-parameters.
  absl::Status Put(std::string_view key, MetadataValue value);
  absl::Status PutText(std::string_view key, std::string_view text);
  absl::Status PutOwn(std::string_view key, MetadataValue value) {
    return Put(
        absl::StrCat(std::string(family_->architecture), ".", std::string(key)),
        value);
  }
  absl::Status PutUint(std::string_view key, uint64_t value) {
    return PutOwn(key, MetadataValue(std::in_place_type<uint64_t>, value));
  }
  absl::Status PutFloat(std::string_view key, double value) {
    return PutOwn(key, MetadataValue(std::in_place_type<double>, value));
  }
  // Copies a member of `object` where it is there.
  absl::Status CopyFloat(const json& object, const char* from,
                         std::string_view to);

  absl::StatusOr<uint64_t> Uint(const json& object, const char* key) const;
  absl::StatusOr<uint64_t> UintOr(const json& object, const char* key,
                                  uint64_t absent) const {
    return FindMember(object, key) == nullptr ? absent : Uint(object, key);
  }
  absl::StatusOr<double> Float(const json& object, const char* key) const;
  absl::StatusOr<double> FloatOr(const json& object, const char* key,
                                 double absent) const {
    return FindMember(object, key) == nullptr ? absent : Float(object, key);
  }
  absl::StatusOr<std::string_view> TextOr(const json& object, const char* key,
                                          std::string_view absent) const;
  absl::StatusOr<bool> BoolOr(const json& object, const char* key,
                              bool absent) const;

  template <typename... Parts>
  absl::Status Invalid(const Parts&... parts) const {
    return absl::InvalidArgumentError(
        ModelMessage(documents_.config_path, parts...));
  }
  template <typename... Parts>
  absl::Status Unimplemented(const Parts&... parts) const {
    return absl::UnimplementedError(
        ModelMessage(documents_.config_path, parts...));
  }

  const HuggingfaceDocuments& documents_;
  ModelContents& contents_;
  const json& config_;
  const json* text_config_ =
      nullptr;  // config_, or what it nests for the language part
  const Family* family_ = nullptr;
  uint64_t num_layers_ = 0;
  uint64_t head_dim_ = 0;
};

absl::StatusOr<HuggingfaceNaming> KeyWriter::Write() {
  SPECINFER_RETURN_IF_ERROR(FindFamily());
  SPECINFER_RETURN_IF_ERROR(WriteSizes());
  SPECINFER_RETURN_IF_ERROR(WriteAttention());
  SPECINFER_RETURN_IF_ERROR(WriteRope());
  SPECINFER_RETURN_IF_ERROR(WriteSlidingWindow());
  SPECINFER_RETURN_IF_ERROR(WriteTokenizer());
  HuggingfaceNaming naming;
  naming.architecture = std::string(family_->architecture);
  // A nested configuration leaves this to the outer one.
  SPECINFER_ASSIGN_OR_RETURN(
      const bool outer,
      BoolOr(config_, "tie_word_embeddings", family_->is_tied_by_default));
  SPECINFER_ASSIGN_OR_RETURN(
      naming.is_tied, BoolOr(*text_config_, "tie_word_embeddings", outer));
  return naming;
}

absl::Status KeyWriter::FindFamily() {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view model_type,
                             TextOr(config_, "model_type", ""));
  for (const Family& family : kFamilies) {
    if (family.model_type == model_type) family_ = &family;
  }
  if (family_ == nullptr) {
    return Unimplemented(
        "\"model_type\" is ", QuoteName(model_type),
        "; this library reads llama, qwen2, qwen3, gemma3, gemma3_text and "
        "whisper");
  }
  text_config_ = FindMember(config_, "text_config");
  if (text_config_ == nullptr) text_config_ = &config_;
  const char* key =
      family_->architecture == "gemma3" ? "hidden_activation" : "hidden_act";
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view activation,
                             TextOr(*text_config_, key, family_->activation));
  if (activation != family_->activation) {
    return Unimplemented("\"", key, "\" is ", QuoteName(activation),
                         ", must be \"", family_->activation, "\"");
  }
  SPECINFER_RETURN_IF_ERROR(
      PutText("general.architecture", family_->architecture));
  SPECINFER_RETURN_IF_ERROR(Put("specinfer.rope_halves",
                                MetadataValue(std::in_place_type<bool>, true)));
  return Put("specinfer.norm_plus_one",
             MetadataValue(std::in_place_type<bool>,
                           family_->architecture == "gemma3"));
}

absl::Status KeyWriter::WriteSizes() {
  struct Size {
    const char* from;
    std::string_view to;
  };
  constexpr Size kSizes[] = {{"hidden_size", "embedding_length"},
                             {"num_hidden_layers", "block_count"},
                             {"intermediate_size", "feed_forward_length"},
                             {"num_attention_heads", "attention.head_count"}};
  for (const Size& size : kSizes) {
    SPECINFER_ASSIGN_OR_RETURN(const uint64_t value,
                               Uint(*text_config_, size.from));
    if (value == 0) return Invalid("\"", size.from, "\" is 0");
    SPECINFER_RETURN_IF_ERROR(PutUint(size.to, value));
  }
  SPECINFER_ASSIGN_OR_RETURN(num_layers_,
                             Uint(*text_config_, "num_hidden_layers"));
  if (num_layers_ > kMaxLayers)
    return Invalid("\"num_hidden_layers\" is ", num_layers_, ", more than ",
                   kMaxLayers);
  SPECINFER_ASSIGN_OR_RETURN(
      const uint64_t context,
      UintOr(*text_config_, "max_position_embeddings", 131072));
  SPECINFER_RETURN_IF_ERROR(PutUint("context_length", context));
  if (FindMember(*text_config_, "vocab_size") == nullptr)
    return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t vocabulary,
                             Uint(*text_config_, "vocab_size"));
  return PutUint("vocab_size", vocabulary);
}

absl::Status KeyWriter::WriteAttention() {
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t heads,
                             Uint(*text_config_, "num_attention_heads"));
  SPECINFER_ASSIGN_OR_RETURN(
      const uint64_t kv_heads,
      UintOr(*text_config_, "num_key_value_heads", heads));
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t hidden_size,
                             Uint(*text_config_, "hidden_size"));
  const uint64_t absent = family_->default_head_dim != 0
                              ? family_->default_head_dim
                              : hidden_size / heads;
  SPECINFER_ASSIGN_OR_RETURN(head_dim_,
                             UintOr(*text_config_, "head_dim", absent));
  SPECINFER_ASSIGN_OR_RETURN(const double epsilon,
                             FloatOr(*text_config_, "rms_norm_eps", 1e-6));
  SPECINFER_RETURN_IF_ERROR(PutUint("attention.head_count_kv", kv_heads));
  SPECINFER_RETURN_IF_ERROR(PutUint("attention.key_length", head_dim_));
  SPECINFER_RETURN_IF_ERROR(PutUint("attention.value_length", head_dim_));
  SPECINFER_RETURN_IF_ERROR(
      PutFloat("attention.layer_norm_rms_epsilon", epsilon));
  if (family_->architecture != "gemma3") return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(
      const double scalar,
      FloatOr(*text_config_, "query_pre_attn_scalar", 256.0));
  if (!(scalar > 0.0))
    return Invalid("\"query_pre_attn_scalar\" is ", scalar,
                   ", must be positive");
  SPECINFER_RETURN_IF_ERROR(
      PutFloat("attention.scale", 1.0 / std::sqrt(scalar)));
  SPECINFER_RETURN_IF_ERROR(CopyFloat(*text_config_, "attn_logit_softcapping",
                                      "attn_logit_softcapping"));
  return CopyFloat(*text_config_, "final_logit_softcapping",
                   "final_logit_softcapping");
}

// Older files have "rope_theta" and "rope_scaling"; newer ones
// "rope_parameters", for gemma3 one for each kind of layer.
absl::Status KeyWriter::WriteRope() {
  const json* parameters = FindMember(*text_config_, "rope_parameters");
  const json* local = parameters == nullptr
                          ? nullptr
                          : FindMember(*parameters, "sliding_attention");
  if (parameters != nullptr &&
      FindMember(*parameters, "full_attention") != nullptr) {
    parameters = FindMember(*parameters, "full_attention");
  }
  const json& base_source = parameters != nullptr ? *parameters : *text_config_;
  SPECINFER_ASSIGN_OR_RETURN(
      const double base,
      FloatOr(base_source, "rope_theta", family_->default_rope_theta));
  SPECINFER_RETURN_IF_ERROR(PutFloat("rope.freq_base", base));
  SPECINFER_ASSIGN_OR_RETURN(
      const double rotary_factor,
      FloatOr(*text_config_, "partial_rotary_factor", 1.0));
  if (!(rotary_factor > 0.0 && rotary_factor <= 1.0)) {
    return Invalid("\"partial_rotary_factor\" is ", rotary_factor,
                   ", must be above 0 and at most 1");
  }
  const double rotary_dims = static_cast<double>(head_dim_) * rotary_factor;
  SPECINFER_RETURN_IF_ERROR(
      PutUint("rope.dimension_count", static_cast<uint64_t>(rotary_dims)));
  if (family_->architecture == "gemma3") {
    SPECINFER_ASSIGN_OR_RETURN(
        const double local_base,
        local != nullptr
            ? FloatOr(*local, "rope_theta", 10000.0)
            : FloatOr(*text_config_, "rope_local_base_freq", 10000.0));
    SPECINFER_RETURN_IF_ERROR(PutFloat("rope.freq_base_swa", local_base));
  }
  const json* scaling = parameters != nullptr
                            ? parameters
                            : FindMember(*text_config_, "rope_scaling");
  return scaling == nullptr ? absl::OkStatus() : WriteRopeScaling(*scaling);
}

absl::Status KeyWriter::WriteRopeScaling(const json& scaling) {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view old_type,
                             TextOr(scaling, "type", "default"));
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view type,
                             TextOr(scaling, "rope_type", old_type));
  if (type == "default") return absl::OkStatus();
  if (type != "linear" && type != "yarn" && type != "llama3") {
    return Unimplemented("RoPE scaling type ", QuoteName(type),
                         " is not read; linear, yarn and llama3 are");
  }
  SPECINFER_RETURN_IF_ERROR(PutText(
      absl::StrCat(std::string(family_->architecture), ".rope.scaling.type"),
      type));
  SPECINFER_ASSIGN_OR_RETURN(const double factor, Float(scaling, "factor"));
  if (!(factor > 0.0))
    return Invalid("the RoPE scaling's \"factor\" is ", factor,
                   ", must be positive");
  SPECINFER_RETURN_IF_ERROR(PutFloat("rope.scaling.factor", factor));
  if (type == "linear") return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(
      const uint64_t context,
      UintOr(*text_config_, "max_position_embeddings", 131072));
  SPECINFER_ASSIGN_OR_RETURN(
      const uint64_t original,
      UintOr(scaling, "original_max_position_embeddings", context));
  SPECINFER_RETURN_IF_ERROR(
      PutUint("rope.scaling.original_context_length", original));
  if (type == "llama3") {
    SPECINFER_ASSIGN_OR_RETURN(const double low,
                               Float(scaling, "low_freq_factor"));
    SPECINFER_ASSIGN_OR_RETURN(const double high,
                               Float(scaling, "high_freq_factor"));
    SPECINFER_RETURN_IF_ERROR(PutFloat("rope.scaling.low_freq_factor", low));
    return PutFloat("rope.scaling.high_freq_factor", high);
  }
  SPECINFER_RETURN_IF_ERROR(
      CopyFloat(scaling, "beta_fast", "rope.scaling.yarn_beta_fast"));
  SPECINFER_RETURN_IF_ERROR(
      CopyFloat(scaling, "beta_slow", "rope.scaling.yarn_beta_slow"));
  if (FindMember(scaling, "attention_factor") == nullptr)
    return absl::OkStatus();
  // GGUF's factor multiplies YaRN's own 1 + 0.1 ln(factor); this one replaces
  // it.
  SPECINFER_ASSIGN_OR_RETURN(const double attention_factor,
                             Float(scaling, "attention_factor"));
  const double magnitude = factor > 1.0 ? 1.0 + 0.1 * std::log(factor) : 1.0;
  return PutFloat("rope.scaling.attn_factor", attention_factor / magnitude);
}

absl::Status KeyWriter::WriteSlidingWindow() {
  if (family_->architecture != "gemma3") {
    SPECINFER_ASSIGN_OR_RETURN(
        const bool is_used, BoolOr(*text_config_, "use_sliding_window", false));
    return is_used
               ? Unimplemented(
                     "\"use_sliding_window\" is true, which is not read for ",
                     family_->model_type)
               : absl::OkStatus();
  }
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t window,
                             UintOr(*text_config_, "sliding_window", 4096));
  SPECINFER_RETURN_IF_ERROR(PutUint("attention.sliding_window", window));
  if (const json* types = FindMember(*text_config_, "layer_types"))
    return WriteLayerTypes(*types);
  const char* key = FindMember(*text_config_, "sliding_window_pattern")
                        ? "sliding_window_pattern"
                        : "_sliding_window_pattern";
  SPECINFER_ASSIGN_OR_RETURN(const uint64_t pattern,
                             UintOr(*text_config_, key, 6));
  return PutUint("attention.sliding_window_pattern", pattern);
}

absl::Status KeyWriter::WriteLayerTypes(const json& types) {
  if (!types.is_array() || types.size() != num_layers_) {
    return Invalid("\"layer_types\" is not an array of ", num_layers_,
                   " strings, one for each layer");
  }
  std::string is_local;
  for (const json& type : types) {
    const std::string* text = type.get_ptr<const std::string*>();
    if (text == nullptr ||
        (*text != "sliding_attention" && *text != "full_attention")) {
      return Invalid(
          "\"layer_types\" holds something other than \"sliding_attention\" "
          "and \"full_attention\"");
    }
    is_local.push_back(*text == "sliding_attention" ? '\1' : '\0');
  }
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view kept,
                             contents_.texts.Add(is_local));
  const absl::Span<const uint8_t> bytes(
      reinterpret_cast<const uint8_t*>(kept.data()), kept.size());
  return PutOwn("attention.sliding_window_pattern",
                NumberArray(MetadataType::kBool, bytes));
}

absl::Status KeyWriter::WriteTokenizer() {
  for (const char* key : {"bos_token_id", "pad_token_id"}) {
    const json& source =
        FindMember(*text_config_, key) != nullptr ? *text_config_ : config_;
    if (FindMember(source, key) == nullptr) continue;
    SPECINFER_ASSIGN_OR_RETURN(const uint64_t id, Uint(source, key));
    const std::string_view name =
        std::strcmp(key, "pad_token_id") == 0 ? "padding_token_id" : key;
    SPECINFER_RETURN_IF_ERROR(
        Put(absl::StrCat("tokenizer.ggml.", std::string(name)),
            MetadataValue(std::in_place_type<uint64_t>, id)));
  }
  for (const char* key : {"add_bos_token", "add_eos_token"}) {
    if (FindMember(documents_.tokenizer_config, key) == nullptr) continue;
    SPECINFER_ASSIGN_OR_RETURN(const bool is_added,
                               BoolOr(documents_.tokenizer_config, key, false));
    SPECINFER_RETURN_IF_ERROR(
        Put(absl::StrCat("tokenizer.ggml.", key),
            MetadataValue(std::in_place_type<bool>, is_added)));
  }
  SPECINFER_RETURN_IF_ERROR(WriteEndTokens());
  return WriteChatTemplates();
}

// "eos_token_id" is one number or several; all are kept in
// specinfer.end_token_ids.
absl::Status KeyWriter::WriteEndTokens() {
  std::vector<uint32_t> ids;
  for (const json* source :
       {text_config_, &config_, &documents_.generation_config}) {
    const json* member = FindMember(*source, "eos_token_id");
    if (member == nullptr) continue;
    const json one = json::array({*member});
    for (const json& id : member->is_array() ? *member : one) {
      if (!id.is_number_unsigned() || id.get<uint64_t>() > UINT32_MAX) {
        return Invalid(
            "\"eos_token_id\" is neither a token id nor an array of them");
      }
      const uint32_t value = static_cast<uint32_t>(id.get<uint64_t>());
      if (std::find(ids.begin(), ids.end(), value) == ids.end())
        ids.push_back(value);
    }
  }
  if (ids.empty()) return absl::OkStatus();
  SPECINFER_RETURN_IF_ERROR(
      Put("tokenizer.ggml.eos_token_id",
          MetadataValue(std::in_place_type<uint64_t>, ids.front())));
  SPECINFER_ASSIGN_OR_RETURN(
      const std::string_view kept,
      contents_.texts.Add({reinterpret_cast<const char*>(ids.data()),
                           ids.size() * sizeof(uint32_t)}));
  const absl::Span<const uint8_t> bytes(
      reinterpret_cast<const uint8_t*>(kept.data()), kept.size());
  return Put("specinfer.end_token_ids",
             NumberArray(MetadataType::kUint32, bytes));
}

absl::Status KeyWriter::WriteChatTemplates() {
  if (!documents_.chat_template.empty())
    return PutText("tokenizer.chat_template", documents_.chat_template);
  const json* templates =
      FindMember(documents_.tokenizer_config, "chat_template");
  if (templates == nullptr) return absl::OkStatus();
  if (const std::string* text = templates->get_ptr<const std::string*>()) {
    return PutText("tokenizer.chat_template", *text);
  }
  if (!templates->is_array())
    return Invalid(
        "\"chat_template\" of tokenizer_config.json is no text and no array");
  for (const json& named : *templates) {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view name,
                               TextOr(named, "name", ""));
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view text,
                               TextOr(named, "template", ""));
    const std::string key =
        name == "default"
            ? std::string("tokenizer.chat_template")
            : absl::StrCat("tokenizer.chat_template.", std::string(name));
    SPECINFER_RETURN_IF_ERROR(PutText(key, text));
  }
  return absl::OkStatus();
}

absl::Status KeyWriter::Put(std::string_view key, MetadataValue value) {
  MetadataEntry entry;
  SPECINFER_ASSIGN_OR_RETURN(entry.key, contents_.texts.Add(key));
  entry.value = value;
  return contents_.entries.Append(entry);
}

absl::Status KeyWriter::PutText(std::string_view key, std::string_view text) {
  SPECINFER_ASSIGN_OR_RETURN(const std::string_view kept,
                             contents_.texts.Add(text));
  return Put(key, MetadataValue(std::in_place_type<std::string_view>, kept));
}

absl::Status KeyWriter::CopyFloat(const json& object, const char* from,
                                  std::string_view to) {
  if (FindMember(object, from) == nullptr) return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(const double value, Float(object, from));
  return PutFloat(to, value);
}

absl::StatusOr<uint64_t> KeyWriter::Uint(const json& object,
                                         const char* key) const {
  const json* member = FindMember(object, key);
  if (member == nullptr) return Invalid("\"", key, "\" is missing");
  if (!member->is_number_unsigned() || member->get<uint64_t>() > INT32_MAX) {
    return Invalid("\"", key, "\" must be an unsigned integer of at most ",
                   INT32_MAX);
  }
  return member->get<uint64_t>();
}

absl::StatusOr<double> KeyWriter::Float(const json& object,
                                        const char* key) const {
  const json* member = FindMember(object, key);
  if (member == nullptr) return Invalid("\"", key, "\" is missing");
  if (!member->is_number()) return Invalid("\"", key, "\" must be a number");
  return member->get<double>();
}

absl::StatusOr<std::string_view> KeyWriter::TextOr(
    const json& object, const char* key, std::string_view absent) const {
  const json* member = FindMember(object, key);
  if (member == nullptr) return absent;
  const std::string* text = member->get_ptr<const std::string*>();
  if (text == nullptr) return Invalid("\"", key, "\" must be a string");
  return std::string_view(*text);
}

absl::StatusOr<bool> KeyWriter::BoolOr(const json& object, const char* key,
                                       bool absent) const {
  const json* member = FindMember(object, key);
  if (member == nullptr) return absent;
  if (!member->is_boolean())
    return Invalid("\"", key, "\" must be true or false");
  return member->get<bool>();
}

}  // namespace

absl::StatusOr<HuggingfaceNaming> AppendHuggingfaceKeys(
    const HuggingfaceDocuments& documents, ModelContents& contents) {
  return KeyWriter(documents, contents).Write();
}

}  // namespace specinfer
