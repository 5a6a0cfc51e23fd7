// One interface over every container: the tiny models, typed keys, look-alikes.
#include "src/model/model_file.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "tests/model/gguf_bytes.h"
#include "tests/model/memory_files.h"

namespace specinfer {
namespace {

using ::testing::HasSubstr;

std::string TestPath(const std::string& name) {
  return std::string(SPECINFER_TESTDATA) + "/" + name;
}

std::unique_ptr<ModelFile> OpenTest(const std::string& name, Memory& memory) {
  absl::StatusOr<std::unique_ptr<ModelFile>> model =
      ModelFile::Open(TestPath(name), {}, memory);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

struct TinyModel {
  std::string name;
  std::string architecture;
  uint64_t layers;
  uint64_t head_dim;
  size_t num_tensors;
};

class TinyModels : public ::testing::TestWithParam<TinyModel> {};

TEST_P(TinyModels, OpenWithTheirShapes) {
  Memory memory(0);
  const std::unique_ptr<ModelFile> model = OpenTest(GetParam().name, memory);
  ASSERT_NE(model, nullptr);

  const std::string architecture(*model->GetString("general.architecture"));
  EXPECT_EQ(architecture, GetParam().architecture);
  EXPECT_EQ(*model->GetUint(architecture + ".block_count"), GetParam().layers);
  EXPECT_EQ(*model->GetUint(architecture + ".attention.key_length"),
            GetParam().head_dim);
  EXPECT_EQ(model->tensors().size(), GetParam().num_tensors);
  EXPECT_EQ(model->GetStrings("tokenizer.ggml.tokens")->size(), 384u);
  const TensorRecord* embedding = model->FindTensor("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->columns(), static_cast<int64_t>(*model->GetUint(
                                      architecture + ".embedding_length")));
  EXPECT_EQ(embedding->rows(), 384);
}

INSTANTIATE_TEST_SUITE_P(
    All, TinyModels,
    ::testing::Values(TinyModel{"tiny-llama.gguf", "llama", 2, 16, 21},
                      TinyModel{"tiny-llama3.gguf", "llama", 2, 16, 21},
                      TinyModel{"tiny-llama-yarn.gguf", "llama", 2, 16, 20},
                      TinyModel{"tiny-qwen2.gguf", "qwen2", 2, 16, 26},
                      TinyModel{"tiny-qwen3.gguf", "qwen3", 2, 32, 24},
                      TinyModel{"tiny-gemma3.gguf", "gemma3", 7, 32, 93},
                      TinyModel{"tiny-quantized.gguf", "llama", 2, 64, 20}),
    [](const auto& model) {
      std::string name =
          model.param.name.substr(5, model.param.name.find('.') - 5);
      name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
      return name;
    });

TEST(ModelFile, ReadsTheKeysOfYarn) {
  Memory memory(0);
  const std::unique_ptr<ModelFile> model =
      OpenTest("tiny-llama-yarn.gguf", memory);
  ASSERT_NE(model, nullptr);

  EXPECT_EQ(*model->GetString("llama.rope.scaling.type"), "yarn");
  EXPECT_EQ(*model->GetFloat("llama.rope.scaling.factor"), 4.0);
  EXPECT_EQ(*model->GetUint("llama.rope.scaling.original_context_length"), 64u);
}

TEST(ModelFile, ReadsEveryQuantizedType) {
  Memory memory(0);
  const std::unique_ptr<ModelFile> model =
      OpenTest("tiny-quantized.gguf", memory);
  ASSERT_NE(model, nullptr);

  std::set<DType> dtypes;
  for (const TensorRecord& tensor : model->tensors())
    dtypes.insert(tensor.dtype);

  EXPECT_EQ(dtypes, (std::set<DType>{DType::kF32, DType::kQ4_0, DType::kQ4_1,
                                     DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                     DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                                     DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                                     DType::kIQ4_XS}));
}

TEST(ModelFile, ReadsScoresAndTypesOfASentencePieceVocabulary) {
  Memory memory(0);
  const std::unique_ptr<ModelFile> model = OpenTest("tiny-gemma3.gguf", memory);
  ASSERT_NE(model, nullptr);

  const std::vector<std::string_view> tokens(
      model->GetStrings("tokenizer.ggml.tokens")->begin(),
      model->GetStrings("tokenizer.ggml.tokens")->end());
  EXPECT_EQ(tokens[2], "<bos>");
  EXPECT_EQ(tokens[6], "<0x00>");
  EXPECT_EQ(model->GetNumbers("tokenizer.ggml.scores")->Float(0), -1000.0);
  EXPECT_EQ(model->GetNumbers("tokenizer.ggml.token_type")->Int(6), 6);
}

TEST(ModelFile, ReadsTheSameThroughAHostsReader) {
  Memory memory(0);
  MemoryFiles files;
  files.Put("asset:7", ReadFile(TestPath("tiny-qwen3.gguf")));
  const std::unique_ptr<ModelFile> mapped = OpenTest("tiny-qwen3.gguf", memory);
  ASSERT_NE(mapped, nullptr);

  const auto read = ModelFile::Open("asset:7", files.reader(), memory);

  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)->Fingerprint(), mapped->Fingerprint());
  for (const TensorRecord& tensor : mapped->tensors()) {
    const TensorRecord* other = (*read)->FindTensor(tensor.name);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(tensor.bytes, other->bytes) << tensor.name;
  }
}

TEST(ModelFile, KeepsReleasedBytesReadable) {
  Memory memory(0);
  const std::unique_ptr<ModelFile> model = OpenTest("tiny-llama.gguf", memory);
  ASSERT_NE(model, nullptr);
  const TensorRecord* tensor = model->FindTensor("token_embd.weight");
  const std::vector<uint8_t> before(tensor->bytes.begin(), tensor->bytes.end());

  model->Release(*tensor);

  EXPECT_EQ(absl::MakeConstSpan(before), tensor->bytes);
}

TEST(ModelFile, GivesItsMemoryBack) {
  Memory memory(0);

  OpenTest("tiny-llama.gguf", memory).reset();
  OpenTest("tiny-llama-hf", memory).reset();

  EXPECT_EQ(memory.used_bytes(), 0u);
}

TEST(ModelFile, FingerprintsDifferWhereOnlyWeightsDo) {
  Memory memory(0);
  MemoryFiles files;
  files.Put("a", ReadFile(TestPath("tiny-llama.gguf")));
  files.Put("b", files["a"]);
  const auto a = ModelFile::Open("a", files.reader(), memory);
  ASSERT_TRUE(a.ok()) << a.status();
  const TensorRecord& tensor = (*a)->tensors()[3];
  const std::string needle(reinterpret_cast<const char*>(tensor.bytes.data()),
                           tensor.bytes.size());
  files["b"][files["a"].find(needle) + needle.size() / 2] ^= 1;

  const auto b = ModelFile::Open("b", files.reader(), memory);

  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_NE((*a)->Fingerprint(), (*b)->Fingerprint());
}

// A file of keys only, for the typed getters.
class ModelFileKeys : public ::testing::Test {
 protected:
  ModelFileKeys() {
    GgufBytes file;
    file.Header(0, 8);
    file.Key("text", 8).Text("t");
    file.Key("minus", 5).Put<int32_t>(-1);
    file.Key("signed", 5).Put<int32_t>(12);
    file.Key("half", 6).Put<float>(0.5f);
    file.Key("infinite", 6).Put<float>(std::numeric_limits<float>::infinity());
    file.Uint32Key("one", 1);
    file.Key("layers", 9)
        .Put<uint32_t>(5)
        .Put<uint64_t>(3)
        .Put<int32_t>(4)
        .Put<int32_t>(0)
        .Put<int32_t>(2);
    file.Key("negative layers", 9)
        .Put<uint32_t>(5)
        .Put<uint64_t>(2)
        .Put<int32_t>(4)
        .Put<int32_t>(-2);
    files_.Put("m", file.bytes());
    model_ = *ModelFile::Open("m", files_.reader(), memory_);
  }

  Memory memory_{0};
  MemoryFiles files_;
  std::unique_ptr<ModelFile> model_;
};

TEST_F(ModelFileKeys, NameFileAndKeyWhenMissing) {
  const absl::Status status = model_->GetUint("llama.block_count").status();

  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "model \"m\": key \"llama.block_count\" is missing");
}

TEST_F(ModelFileKeys, NameFileKeyAndKindWhenWrong) {
  EXPECT_EQ(
      model_->GetUint("text").status().message(),
      "model \"m\": key \"text\" is a string, must be an unsigned integer");
}

TEST_F(ModelFileKeys, AreWrongEvenWhereADefaultIsGiven) {
  EXPECT_FALSE(model_->GetUintOr("text", 3).ok());
}

TEST_F(ModelFileKeys, HaveDefaults) {
  EXPECT_EQ(*model_->GetUintOr("absent", 3), 3u);
}

TEST_F(ModelFileKeys, ConvertWhatLosesNothing) {
  EXPECT_EQ(*model_->GetUint("signed"), 12u);
  EXPECT_EQ(*model_->GetFloat("one"), 1.0);
  EXPECT_EQ(*model_->GetFloat("half"), 0.5);
}

TEST_F(ModelFileKeys, RefuseNegativeCounts) {
  EXPECT_THAT(std::string(model_->GetUint("minus").status().message()),
              HasSubstr("is -1, must not be negative"));
}

TEST_F(ModelFileKeys, RefuseInfinity) {
  EXPECT_THAT(std::string(model_->GetFloat("infinite").status().message()),
              HasSubstr("must be finite"));
}

TEST_F(ModelFileKeys, RepeatOneNumberForEveryLayer) {
  EXPECT_EQ(*model_->GetUintPerLayer("one", 3),
            (std::vector<uint64_t>{1, 1, 1}));
}

TEST_F(ModelFileKeys, ReadOneNumberPerLayer) {
  EXPECT_EQ(*model_->GetUintPerLayer("layers", 3),
            (std::vector<uint64_t>{4, 0, 2}));
}

TEST_F(ModelFileKeys, RefuseTooFewLayers) {
  EXPECT_THAT(
      std::string(model_->GetUintPerLayer("layers", 4).status().message()),
      HasSubstr("has 3 values, but the model has 4 layers"));
}

TEST_F(ModelFileKeys, RefuseNegativeLayers) {
  EXPECT_THAT(
      std::string(
          model_->GetUintPerLayer("negative layers", 2).status().message()),
      HasSubstr("is -2 for layer 1"));
}

std::string MessageOf(const std::string& bytes) {
  Memory memory(0);
  MemoryFiles files;
  files.Put("m", bytes);
  return std::string(
      ModelFile::Open("m", files.reader(), memory).status().message());
}

TEST(ModelFile, RecognisesAPointerToTheFile) {
  EXPECT_THAT(MessageOf("version https://git-lfs.github.com/spec/v1\n"),
              HasSubstr("Git LFS pointer"));
}

TEST(ModelFile, RecognisesAWebPage) {
  EXPECT_THAT(MessageOf("<!DOCTYPE html><html>"), HasSubstr("web page"));
}

TEST(ModelFile, RecognisesZip) {
  EXPECT_THAT(MessageOf("PK\x03\x04 and more"), HasSubstr("PyTorch"));
}

TEST(ModelFile, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(MessageOf("x"),
            "model \"m\": is no GGUF, safetensors, CTranslate2 or packed file");
}

TEST(ModelFile, RefusesAMissingFile) {
  Memory memory(0);
  const absl::Status status =
      ModelFile::Open(TestPath("absent.gguf"), {}, memory).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("absent.gguf"));
}

TEST(ModelFile, RefusesAFolderWithoutAModel) {
  Memory memory(0);
  const absl::Status status =
      ModelFile::Open(SPECINFER_TESTDATA, {}, memory).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("a folder must hold model.safetensors"));
}

// A file cut anywhere is refused, and the sentence names the file.
class CutFiles : public ::testing::TestWithParam<std::string> {};

TEST_P(CutFiles, AreRefused) {
  Memory memory(0);
  MemoryFiles files;
  const std::string whole = ReadFile(TestPath(GetParam()));
  files.Put("m", whole);
  size_t end = 0;  // of the last tensor: only padding follows
  {
    const auto model = ModelFile::Open("m", files.reader(), memory);
    ASSERT_TRUE(model.ok()) << model.status();
    for (const TensorRecord& tensor : (*model)->tensors()) {
      const std::string bytes(
          reinterpret_cast<const char*>(tensor.bytes.data()),
          tensor.bytes.size());
      end = std::max(end, whole.rfind(bytes) + bytes.size());
    }
  }

  for (size_t size = 1; size < end; size += size < 2048 ? 1 : 997) {
    files.Put("m", whole.substr(0, size));
    const absl::Status status =
        ModelFile::Open("m", files.reader(), memory).status();
    ASSERT_FALSE(status.ok()) << size << " of " << end;
    ASSERT_THAT(std::string(status.message()), HasSubstr("\"m\"")) << size;
  }
  EXPECT_EQ(memory.used_bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Gguf, CutFiles,
                         ::testing::Values("tiny-llama.gguf",
                                           "tiny-gemma3.gguf",
                                           "tiny-quantized.gguf"),
                         [](const auto& model) {
                           return model.param.substr(5,
                                                     model.param.find('.') - 5);
                         });

}  // namespace
}  // namespace specinfer
