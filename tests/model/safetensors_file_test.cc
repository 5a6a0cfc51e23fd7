// Safetensors models: the same weights and keys as GGUF, and what is refused.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/model/model_file.h"
#include "tests/model/gguf_bytes.h"
#include "tests/model/memory_files.h"

namespace specinfer {
namespace {

using ::testing::HasSubstr;

std::string TestPath(const std::string& name) {
  return std::string(SPECINFER_TESTDATA) + "/" + name;
}

// The row of GGUF's llama that holds row `row` of Hugging Face's: halves (i, i
// + half) lie as neighbours (2i, 2i + 1).
int64_t PermutedRow(int64_t row, int64_t head_dim) {
  const int64_t place = row % head_dim;
  const int64_t half = head_dim / 2;
  return row - place + (place < half ? 2 * place : 2 * (place - half) + 1);
}

TEST(SafetensorsFile, HoldsTheWeightsOfItsGgufTwin) {
  Memory memory(0);
  const auto gguf = ModelFile::Open(TestPath("tiny-llama.gguf"), {}, memory);
  const auto shards = ModelFile::Open(TestPath("tiny-llama-hf"), {}, memory);
  ASSERT_TRUE(gguf.ok()) << gguf.status();
  ASSERT_TRUE(shards.ok()) << shards.status();
  ASSERT_EQ((*shards)->tensors().size(), (*gguf)->tensors().size());

  for (const TensorRecord& wanted : (*gguf)->tensors()) {
    const TensorRecord* tensor = (*shards)->FindTensor(wanted.name);
    ASSERT_NE(tensor, nullptr) << wanted.name;
    ASSERT_EQ(tensor->dtype, wanted.dtype) << wanted.name;
    ASSERT_EQ(tensor->dims, wanted.dims) << wanted.name;
    const std::string name(wanted.name);
    const bool is_permuted = name.find("attn_q.") != std::string::npos ||
                             name.find("attn_k.") != std::string::npos;
    const size_t row_bytes =
        wanted.bytes.size() / static_cast<size_t>(wanted.rows());
    for (int64_t row = 0; row < wanted.rows(); ++row) {
      const int64_t other = is_permuted ? PermutedRow(row, 16) : row;
      EXPECT_EQ(tensor->bytes.subspan(static_cast<size_t>(row) * row_bytes,
                                      row_bytes),
                wanted.bytes.subspan(static_cast<size_t>(other) * row_bytes,
                                     row_bytes))
          << wanted.name << " row " << row;
    }
  }
}

TEST(SafetensorsFile, HasTheKeysOfItsGgufTwin) {
  Memory memory(0);
  const auto gguf = ModelFile::Open(TestPath("tiny-llama.gguf"), {}, memory);
  const auto shards = ModelFile::Open(TestPath("tiny-llama-hf"), {}, memory);
  ASSERT_TRUE(gguf.ok() && shards.ok());

  for (const char* key :
       {"llama.context_length", "llama.embedding_length", "llama.block_count",
        "llama.feed_forward_length", "llama.attention.head_count",
        "llama.attention.head_count_kv", "llama.attention.key_length",
        "llama.attention.value_length", "llama.rope.dimension_count",
        "llama.vocab_size", "tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.eos_token_id"}) {
    EXPECT_EQ((*shards)->GetUint(key), (*gguf)->GetUint(key)) << key;
  }
  EXPECT_EQ(*(*shards)->GetFloat("llama.rope.freq_base"), 10000.0);
  EXPECT_NEAR(*(*shards)->GetFloat("llama.attention.layer_norm_rms_epsilon"),
              1e-5, 1e-12);
  EXPECT_EQ(*(*shards)->GetString("tokenizer.chat_template"),
            *(*gguf)->GetString("tokenizer.chat_template"));
  EXPECT_TRUE(*(*shards)->GetBool("specinfer.rope_halves"));
  EXPECT_FALSE(*(*shards)->GetBool("specinfer.norm_plus_one"));
  EXPECT_EQ((*shards)->GetNumbers("specinfer.end_token_ids")->size(), 2u);
  EXPECT_EQ((*shards)->tokenizer_json(),
            ReadFile(TestPath("tiny-llama-hf/tokenizer.json")));
}

TEST(SafetensorsFile, OpensByItsIndexToo) {
  Memory memory(0);
  const auto folder = ModelFile::Open(TestPath("tiny-llama-hf"), {}, memory);
  const auto index = ModelFile::Open(
      TestPath("tiny-llama-hf/model.safetensors.index.json"), {}, memory);

  ASSERT_TRUE(folder.ok() && index.ok()) << index.status();
  EXPECT_EQ((*folder)->Fingerprint(), (*index)->Fingerprint());
}

TEST(SafetensorsFile, TellsToOpenTheFolderOfAShard) {
  Memory memory(0);
  const absl::Status status =
      ModelFile::Open(
          TestPath("tiny-llama-hf/model-00001-of-00002.safetensors"), {},
          memory)
          .status();

  EXPECT_THAT(std::string(status.message()), HasSubstr("open the folder"));
}

// A model of one layer under the path "d", whose parts a test replaces.
class SmallSafetensors : public ::testing::Test {
 protected:
  SmallSafetensors() {
    files_.Put("d/config.json", Config(""));
    files_.Put("d/tokenizer.json", "{}");
    PutTensors(
        R"({"model.norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
        16);
  }

  static std::string Config(const std::string& more,
                            const std::string& type = "llama") {
    return R"({"model_type":")" + type +
           R"(","hidden_size":4,"num_hidden_layers":1,"intermediate_size":8,"num_attention_heads":2,)" +
           R"("tie_word_embeddings":true)" + (more.empty() ? "" : ",") + more +
           "}";
  }
  void PutTensors(const std::string& header, size_t data_bytes) {
    GgufBytes file;
    file.Text(header);
    files_.Put("d/model.safetensors",
               file.bytes() + std::string(data_bytes, '\x2a'));
  }
  absl::StatusOr<std::unique_ptr<ModelFile>> Open() {
    return ModelFile::Open("d", files_.reader(), memory_);
  }
  void ExpectRefused(
      const std::string& sentence,
      absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    const absl::Status status = Open().status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(sentence));
  }

  Memory memory_{0};
  MemoryFiles files_;
};

TEST_F(SmallSafetensors, OpensThroughAHostsReader) {
  const auto model = Open();

  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->FindTensor("output_norm.weight")->bytes.size(), 16u);
  EXPECT_EQ(*(*model)->GetUint("llama.attention.head_count_kv"), 2u);
}

TEST_F(SmallSafetensors, RefusesAnUntiedModelWithoutItsHead) {
  files_["d/config.json"] = Config("\"x\":1");
  files_["d/config.json"].replace(files_["d/config.json"].find("true"), 4,
                                  "null");

  ExpectRefused("tensor \"lm_head.weight\" is missing");
}

TEST_F(SmallSafetensors, RefusesAMissingConfig) {
  files_.Remove("d/config.json");

  ExpectRefused("model \"d/config.json\": is missing",
                absl::StatusCode::kNotFound);
}

TEST_F(SmallSafetensors, RefusesAMissingTokenizer) {
  files_.Remove("d/tokenizer.json");

  ExpectRefused("model \"d/tokenizer.json\": is missing",
                absl::StatusCode::kNotFound);
}

TEST_F(SmallSafetensors, RefusesConfigThatIsNoJson) {
  files_["d/config.json"] = "{\"model_type\":";

  ExpectRefused("model \"d/config.json\": is not valid JSON");
}

TEST_F(SmallSafetensors, RefusesDeepJsonWithoutOverflowingTheStack) {
  files_["d/config.json"] = "{\"a\":" + std::string(1000000, '[');

  ExpectRefused("has JSON nested 1000001 deep");
}

TEST_F(SmallSafetensors, RefusesUnknownArchitectures) {
  files_["d/config.json"] = Config("", "mamba");

  ExpectRefused("\"model_type\" is \"mamba\"",
                absl::StatusCode::kUnimplemented);
}

TEST_F(SmallSafetensors, RefusesAMissingSize) {
  files_["d/config.json"] = R"({"model_type":"llama","hidden_size":4})";

  ExpectRefused("model \"d/config.json\": \"num_hidden_layers\" is missing");
}

TEST_F(SmallSafetensors, RefusesASizeThatIsNoNumber) {
  files_["d/config.json"] = R"({"model_type":"llama","hidden_size":"4"})";

  ExpectRefused("\"hidden_size\" must be an unsigned integer");
}

TEST_F(SmallSafetensors, RefusesAnotherActivation) {
  files_["d/config.json"] = Config(R"("hidden_act":"relu")");

  ExpectRefused("\"hidden_act\" is \"relu\"", absl::StatusCode::kUnimplemented);
}

TEST_F(SmallSafetensors, RefusesUnknownRopeScaling) {
  files_["d/config.json"] =
      Config(R"("rope_scaling":{"rope_type":"longrope","factor":2})");

  ExpectRefused("RoPE scaling type \"longrope\"",
                absl::StatusCode::kUnimplemented);
}

TEST_F(SmallSafetensors, RefusesAHeaderLongerThanTheFile) {
  files_["d/model.safetensors"][1] = 1;

  ExpectRefused("model \"d/model.safetensors\": the length of the header is");
}

TEST_F(SmallSafetensors, RefusesATensorTwice) {
  PutTensors(
      R"({"model.norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
      R"("model.norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[16,32]}})",
      32);

  ExpectRefused("has a key twice");
}

TEST_F(SmallSafetensors, RefusesTwoNamesForOneTensor) {
  PutTensors(
      R"({"model.norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
      R"("norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[16,32]}})",
      32);

  ExpectRefused("tensor \"output_norm.weight\" occurs twice");
}

TEST_F(SmallSafetensors, RefusesOverlappingTensors) {
  PutTensors(
      R"({"model.norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},)"
      R"("model.embed_tokens.weight":{"dtype":"F32","shape":[1,4],"data_offsets":[8,24]}})",
      32);

  ExpectRefused("overlaps");
}

TEST_F(SmallSafetensors, RefusesOffsetsOutsideTheFile) {
  PutTensors(
      R"({"model.norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}})",
      16);

  ExpectRefused(
      "tensor \"model.norm.weight\" has \"data_offsets\" 8 to 24, outside the "
      "file's 16 bytes");
}

TEST_F(SmallSafetensors, RefusesOffsetsThatAreNoNumbers) {
  PutTensors(
      R"({"model.norm.weight":{"dtype":"F32","shape":[4],"data_offsets":[-1,1e3]}})",
      16);

  ExpectRefused("tensor \"model.norm.weight\" has no \"data_offsets\"");
}

TEST_F(SmallSafetensors, RefusesAShapeOfAnotherSize) {
  PutTensors(
      R"({"model.norm.weight":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}})",
      16);

  ExpectRefused(
      "tensor \"model.norm.weight\" takes 16 bytes, but its shape needs 20");
}

TEST_F(SmallSafetensors, RefusesAShapeThatOverflows) {
  PutTensors(
      R"({"model.norm.weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})",
      16);

  ExpectRefused("dimensions whose product overflows");
}

TEST_F(SmallSafetensors, RefusesOtherElementTypes) {
  PutTensors(
      R"({"model.norm.weight":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})",
      16);

  ExpectRefused("tensor \"model.norm.weight\" has element type \"I64\"",
                absl::StatusCode::kUnimplemented);
}

TEST_F(SmallSafetensors, RefusesTensorsItHasNoPlaceFor) {
  PutTensors(
      R"({"model.layers.0.mixer.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
      16);

  ExpectRefused("tensor \"model.layers.0.mixer.weight\" has no place",
                absl::StatusCode::kUnimplemented);
}

TEST_F(SmallSafetensors, RefusesShardsOutsideItsFolder) {
  files_.Put("d/model.safetensors.index.json",
             R"({"weight_map":{"model.norm.weight":"../secret"}})");

  ExpectRefused("a place that is not a file beside it");
}

TEST_F(SmallSafetensors, NamesAMissingShard) {
  files_.Put("d/model.safetensors.index.json",
             R"({"weight_map":{"model.norm.weight":"m-2.safetensors"}})");

  ExpectRefused("model \"d/m-2.safetensors\": is missing",
                absl::StatusCode::kNotFound);
}

TEST_F(SmallSafetensors, NamesATensorThatItsShardLacks) {
  files_.Put(
      "d/model.safetensors.index.json",
      R"({"weight_map":{"model.norm.weight":"model.safetensors","lm_head.weight":"model.safetensors"}})");

  ExpectRefused(
      "tensor \"lm_head.weight\" is missing; the model's index says it is "
      "here");
}

TEST_F(SmallSafetensors, RefusesAnIndexWithoutAMap) {
  files_.Put("d/model.safetensors.index.json", "{\"weight_map\":[]}");

  ExpectRefused("has no \"weight_map\"");
}

TEST_F(SmallSafetensors, PrefersTheChatTemplatesOwnFile) {
  files_.Put("d/tokenizer_config.json", R"({"chat_template":"old"})");
  files_.Put("d/chat_template.jinja", "new");

  EXPECT_EQ(*(*Open())->GetString("tokenizer.chat_template"), "new");
}

TEST_F(SmallSafetensors, ReadsNamedChatTemplates) {
  files_.Put(
      "d/tokenizer_config.json",
      R"({"chat_template":[{"name":"default","template":"a"},{"name":"tool_use","template":"b"}]})");

  const auto model = Open();

  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(*(*model)->GetString("tokenizer.chat_template"), "a");
  EXPECT_EQ(*(*model)->GetString("tokenizer.chat_template.tool_use"), "b");
}

TEST_F(SmallSafetensors, IsRefusedWithinTheMemoryBudget) {
  Memory none(1);

  EXPECT_EQ(ModelFile::Open("d", files_.reader(), none).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace specinfer
