// Whisper models in CTranslate2's container: what they answer, and what is
// refused.
#include "src/model/ctranslate2_file.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/model/model_file.h"
#include "tests/model/expect_whisper.h"
#include "tests/model/memory_files.h"
#include "tests/model/whisper_files.h"

namespace specinfer {
namespace {

using ::testing::HasSubstr;

class Ctranslate2File : public ::testing::Test {
 protected:
  Ctranslate2File() {
    files_.Put("d/model.bin", WriteCtranslate2(model_).bytes());
    files_.Put("d/vocabulary.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n");
  }
  absl::StatusOr<std::unique_ptr<ModelFile>> Open(const char* path = "d") {
    return ModelFile::Open(path, files_.reader(), memory_);
  }
  void ExpectRefused(const std::string& bytes, absl::StatusCode code,
                     const std::string& words) {
    files_.Put("d/model.bin", bytes);
    const absl::Status status = Open().status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("model \"d/"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }

  TinyWhisper model_;
  MemoryFiles files_;
  Memory memory_{0};
};

TEST_F(Ctranslate2File, HoldsTheModel) {
  const auto file = Open();
  ASSERT_TRUE(file.ok()) << file.status();

  ExpectWhisper(**file, model_);
  EXPECT_EQ((*file)->Find("whisper.alignment_heads"), nullptr);
}

TEST_F(Ctranslate2File, KeepsWeightsWhereTheyLie) {
  const auto file = Open();
  ASSERT_TRUE(file.ok()) << file.status();

  const TensorRecord* query = (*file)->FindTensor("blk.0.attn_q.weight");
  const TensorRecord* key = (*file)->FindTensor("blk.0.attn_k.weight");
  EXPECT_EQ(query->bytes.data() + query->bytes.size(), key->bytes.data());
}

TEST_F(Ctranslate2File, OpensByItsFileToo) {
  const auto folder = Open();
  const auto file = Open("d/model.bin");

  ASSERT_TRUE(folder.ok() && file.ok()) << file.status();
  EXPECT_EQ((*folder)->Fingerprint(), (*file)->Fingerprint());
}

TEST_F(Ctranslate2File, TakesAlignmentHeadsFromConfig) {
  files_.Put("d/config.json", R"({"alignment_heads": [[0, 1], [1, 0]]})");
  const auto file = Open();
  ASSERT_TRUE(file.ok()) << file.status();

  const auto heads = (*file)->GetNumbers("whisper.alignment_heads");
  ASSERT_TRUE(heads.ok());
  ASSERT_EQ(heads->size(), 4u);
  EXPECT_EQ(heads->Int(1), 1);
  EXPECT_EQ(heads->Int(2), 1);
}

TEST_F(Ctranslate2File, RefusesAlignmentHeadsThatDoNotExist) {
  files_.Put("d/config.json", R"({"alignment_heads": [[2, 0]]})");
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("of layer 2"));
  files_.Put("d/config.json", R"({"alignment_heads": [[0]]})");
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("pairs"));
}

TEST_F(Ctranslate2File, ComputesSinusoidsWhereThereIsNoTable) {
  model_.tensors.erase("enc.position_embd.weight");
  files_.Put("d/model.bin", WriteCtranslate2(model_).bytes());
  const auto file = Open();
  ASSERT_TRUE(file.ok()) << file.status();

  const TensorRecord* table = (*file)->FindTensor("enc.position_embd.weight");
  ASSERT_NE(table, nullptr);
  ASSERT_EQ(table->dims[1], 1500);
  // sinusoids(1500, 4) of whisper/model.py: rates 1 and 1e-4.
  EXPECT_NEAR(WhisperValue(*table, 7 * 4 + 0), std::sin(7.0), 1e-6);
  EXPECT_NEAR(WhisperValue(*table, 7 * 4 + 1), std::sin(7e-4), 1e-6);
  EXPECT_NEAR(WhisperValue(*table, 7 * 4 + 2), std::cos(7.0), 1e-6);
  EXPECT_NEAR(WhisperValue(*table, 7 * 4 + 3), std::cos(7e-4), 1e-6);
}

TEST_F(Ctranslate2File, AliasesOfOtherTensorsAreTensors) {
  Ctranslate2Bytes file = WriteCtranslate2(model_);
  file.Alias("decoder/layer_1/again/weight", "decoder/embeddings/weight");
  ExpectRefused(file.bytes(), absl::StatusCode::kUnimplemented, "no place");
}

TEST_F(Ctranslate2File, RefusesOtherNetworksAndVersions) {
  const Ctranslate2Bytes file = WriteCtranslate2(model_);
  const auto code = absl::StatusCode::kUnimplemented;
  ExpectRefused(file.bytes(5), code, "version 5");
  ExpectRefused(file.bytes(6, "TransformerSpec"), code, "TransformerSpec");
  ExpectRefused(file.bytes(6, "WhisperSpec", 2), code, "revision 2");
}

struct Damage {
  const char* name;
  std::function<void(Ctranslate2Bytes&)> apply;
  absl::StatusCode code;
  const char* words;
};

class DamagedCtranslate2 : public Ctranslate2File,
                           public ::testing::WithParamInterface<Damage> {};

TEST_P(DamagedCtranslate2, IsRefused) {
  Ctranslate2Bytes file = WriteCtranslate2(model_);
  GetParam().apply(file);
  ExpectRefused(file.bytes(), GetParam().code, GetParam().words);
}

using File = Ctranslate2Bytes;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
INSTANTIATE_TEST_SUITE_P(
    All, DamagedCtranslate2,
    ::testing::Values(
        Damage{"Quantised",
               [](File& f) { f.Variable("decoder/x/weight", {2}, 1, "ab"); },
               kUnimplemented, "--quantization float16"},
        Damage{"UnknownType",
               [](File& f) { f.Variable("decoder/x/weight", {1}, 9, "ab"); },
               kUnimplemented, "element type 9"},
        Damage{"UnknownName",
               [](File& f) { f.Variable("decoder/x/weight", {1}, 0, "abcd"); },
               kUnimplemented, "decoder/x/weight"},
        Damage{"RankFour",
               [](File& f) {
                 f.Variable("x", {1, 1, 1, 1}, 0, "abcd");
               },
               kInvalid, "rank 4"},
        Damage{"ZeroDimension", [](File& f) { f.Variable("x", {0}, 0, ""); },
               kInvalid, "no values"},
        Damage{"DimensionsOverflow",
               [](File& f) {
                 f.Variable("x", {0x80000000u, 0x80000000u, 4}, 0, "");
               },
               kInvalid, "more than the file"},
        Damage{"BytesAgainstShape",
               [](File& f) { f.Variable("x", {2}, 0, "abcd"); }, kInvalid,
               "takes 4 bytes, but its shape needs 8"},
        Damage{"VariableTwice",
               [](File& f) {
                 f.Variable("encoder/num_heads", {}, 2,
                            std::string_view("\1\0", 2));
               },
               kInvalid, "occurs twice"},
        Damage{"AliasOfNothing", [](File& f) { f.Alias("a", "b"); }, kInvalid,
               "no variable"},
        Damage{"AliasesInACircle",
               [](File& f) { f.Alias("a", "b").Alias("b", "a"); }, kInvalid,
               "no variable"},
        Damage{
            "AliasOfAVariablesName",
            [](File& f) { f.Alias("encoder/num_heads", "decoder/num_heads"); },
            kInvalid, "occurs twice"},
        Damage{"LayerTooMany",
               [](File& f) {
                 f.Variable("decoder/layer_9/layer_norm/gamma", {4}, 0,
                            std::string(16, 'a'));
               },
               kUnimplemented, "no place"},
        Damage{"NormOfALayerThatIsNone",
               [](File& f) {
                 f.Variable("decoder/layer_2/ffn/layer_norm/gamma", {4}, 0,
                            std::string(16, 'a'));
               },
               kInvalid, "is missing"},
        Damage{"OtherActivation",
               [](File& f) { f.Variable("decoder/alibi", {}, 1, "\1"); },
               kUnimplemented, "decoder/alibi"},
        Damage{"StackNotDivisible",
               [](File& f) {
                 f.Variable("decoder/layer_2/self_attention/linear_0/bias", {4},
                            0, std::string(16, 'a'));
               },
               kInvalid, "3 equal parts"}),
    [](const auto& damage) { return std::string(damage.param.name); });

TEST_F(Ctranslate2File, RefusesBytesBehindTheEnd) {
  ExpectRefused(WriteCtranslate2(model_).bytes() + "x", kInvalid,
                "1 bytes behind");
}

TEST_F(Ctranslate2File, RefusesEveryCut) {
  const std::string whole = WriteCtranslate2(model_).bytes();
  for (size_t size = 20; size < whole.size(); size += 7) {
    files_.Put("d/model.bin", whole.substr(0, size));
    EXPECT_FALSE(Open().ok()) << size;
  }
}

TEST_F(Ctranslate2File, RefusesAVocabularyOfAnotherSize) {
  files_.Put("d/vocabulary.txt", "a\nb\n");
  EXPECT_THAT(std::string(Open().status().message()),
              HasSubstr("has 2 tokens, but the model has 11"));
  files_.Remove("d/vocabulary.txt");
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Ctranslate2File, RefusesAShapeThatDoesNotFit) {
  model_.tensors["output_norm.bias"].shape = {3};
  model_.tensors["output_norm.bias"].values.resize(3);
  ExpectRefused(WriteCtranslate2(model_).bytes(), kInvalid,
                "\"output_norm.bias\" has the shape 3, must be 4");
}

}  // namespace
}  // namespace specinfer
