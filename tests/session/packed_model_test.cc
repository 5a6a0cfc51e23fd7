// A packed model is the same model: the same tokens, out of a mapped file.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include <gmock/gmock.h>

#include "src/session/model_pack.h"
#include "src/session/session.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

using ::testing::HasSubstr;

std::string ReadBytes(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream),
          std::istreambuf_iterator<char>()};
}

// A folder of its own that goes with the test.
class PackedModel : public testing::Test {
 protected:
  PackedModel() {
    const testing::TestInfo* info =
        testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(info->test_suite_name()) + info->name();
    std::replace(name.begin(), name.end(), '/', '-');
    folder_ = std::filesystem::path(testing::TempDir()) / name;
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
  }
  ~PackedModel() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ / name; }
  size_t NumFiles() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(folder_),
                      std::filesystem::directory_iterator()));
  }
  // Packs a tiny model and returns the file's path.
  std::string Pack(const std::string& source) {
    const std::string path = Path("packed");
    const absl::Status status =
        PackModel(*MakeEngine(), TestdataPath(source), path, {});
    EXPECT_TRUE(status.ok()) << status;
    return path;
  }

  std::filesystem::path folder_;
};

std::vector<Token> Generate(std::shared_ptr<const Model> model) {
  std::unique_ptr<Session> session =
      *Session::Create(model, {.max_context_tokens = 128});
  EXPECT_TRUE(session
                  ->AppendText("Once upon a time, 12 <|im_end|> naïve \xff",
                               {.parse_special = true, .add_bos = true})
                  .ok());
  GenerationOptions options;
  options.max_tokens = 40;
  options.ignore_end = true;
  options.sampling.temperature = 0.8f;
  EXPECT_TRUE(session->Start(options).ok());
  while (true) {
    const absl::StatusOr<Event> event = session->Step(0);
    EXPECT_TRUE(event.ok()) << event.status();
    if (!event.ok() || event->state == StepState::kDone) break;
  }
  return {session->tokens().begin(), session->tokens().end()};
}

class PackedModels : public PackedModel,
                     public testing::WithParamInterface<const char*> {};

TEST_P(PackedModels, GivesTheSameTokensOnEveryBackend) {
  const std::string path = Pack(GetParam());
  const std::vector<Token> expected = Generate(
      *Model::Load(MakeEngine("cpu-reference"), TestdataPath(GetParam()), {}));

  for (const char* backend :
       {"cpu", "cpu-avx2", "cpu-avx512", "cpu-amx", "cpu-neon"}) {
    const std::shared_ptr<const Engine> engine = MakeEngine(backend, 2);
    if (engine == nullptr) continue;  // not on this machine
    const auto model = Model::Load(engine, path, {});
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(Generate(*model), expected) << backend;
  }
}

TEST_P(PackedModels, IsTheSameBytesWheneverItIsPacked) {
  const std::string bytes = ReadBytes(Pack(GetParam()));
  ASSERT_TRUE(PackModel(*MakeEngine("cpu", 2), TestdataPath(GetParam()),
                        Path("again"), {})
                  .ok());

  EXPECT_FALSE(bytes.empty());
  EXPECT_TRUE(bytes == ReadBytes(Path("again")));
}

TEST_P(PackedModels, HasHashesThatFit) {
  const auto num_hashes = VerifyModel(*MakeEngine(), Pack(GetParam()), {});

  ASSERT_TRUE(num_hashes.ok()) << num_hashes.status();
  EXPECT_GT(*num_hashes, 10u);
}

INSTANTIATE_TEST_SUITE_P(
    Models, PackedModels,
    testing::Values("tiny-llama.gguf", "tiny-llama3.gguf",
                    "tiny-llama-yarn.gguf", "tiny-qwen2.gguf",
                    "tiny-qwen3.gguf", "tiny-gemma3.gguf",
                    "tiny-quantized.gguf", "tiny-llama-hf"),
    [](const auto& tested) {
      std::string name = tested.param;
      std::erase_if(name, [](char letter) { return !std::isalnum(letter); });
      return name;
    });

TEST_F(PackedModel, TakesNoneOfTheBudgetForItsWeights) {
  const std::shared_ptr<const Engine> engine = MakeEngine();
  const std::string path = Pack("tiny-llama.gguf");
  const auto model = Model::Load(engine, path, {});
  ASSERT_TRUE(model.ok()) << model.status();

  const MemoryPlan plan = *Model::Plan(*engine, path, 64);
  const MemoryPlan source =
      *Model::Plan(*engine, TestdataPath("tiny-llama.gguf"), 64);

  EXPECT_EQ(plan.mapped_bytes, plan.weight_bytes);
  EXPECT_EQ(plan.weight_bytes, source.weight_bytes);
  EXPECT_EQ(plan.total_bytes, plan.session_bytes);
  EXPECT_LT(engine->memory->used_bytes(), source.weight_bytes / 4);
}

TEST_F(PackedModel, IsCopiedWhereThatIsWanted) {
  const std::shared_ptr<const Engine> engine = MakeEngine();
  const std::string path = Pack("tiny-llama.gguf");
  LoadOptions options;
  options.packed_bytes = PackedBytes::kCopied;
  const auto model = Model::Load(engine, path, options);
  ASSERT_TRUE(model.ok()) << model.status();

  std::filesystem::resize_file(path, 0);

  EXPECT_EQ(Generate(*model), Generate(LoadTiny("tiny-llama", MakeEngine())));
  EXPECT_GT(engine->memory->peak_bytes(), (*model)->file().file_bytes());
}

TEST_F(PackedModel, IsRefusedByTheReferenceBackend) {
  const std::string path = Pack("tiny-llama.gguf");

  const auto loaded = Model::Load(MakeEngine("cpu-reference"), path, {});
  const absl::Status packed =
      PackModel(*MakeEngine("cpu-reference"), TestdataPath("tiny-llama.gguf"),
                Path("other"), {});

  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(loaded.status().message()),
              HasSubstr("load the file it was packed from"));
  EXPECT_EQ(packed.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(NumFiles(), 1u);
}

TEST_F(PackedModel, IsNotPackedAgainNorOverItsSource) {
  const std::string path = Pack("tiny-llama.gguf");
  const std::string source = Path("source.gguf");
  std::filesystem::copy_file(TestdataPath("tiny-llama.gguf"), source);
  std::filesystem::create_hard_link(source, Path("link"));

  const absl::Status again = PackModel(*MakeEngine(), path, Path("b"), {});
  const absl::Status over = PackModel(*MakeEngine(), source, Path("link"), {});

  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(over.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(ReadBytes(source) == ReadBytes(TestdataPath("tiny-llama.gguf")));
}

TEST_F(PackedModel, LeavesNothingBehindWhenCancelled) {
  for (const int num_reports : {0, 1, 5}) {
    int count = 0;
    LoadOptions options;
    options.progress = [&](float) { return count++ < num_reports; };

    const absl::Status status = PackModel(
        *MakeEngine(), TestdataPath("tiny-llama.gguf"), Path("p"), options);

    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(NumFiles(), 0u);
  }
}

TEST_F(PackedModel, NamesTheTensorThatIsDamaged) {
  const std::string path = Pack("tiny-llama.gguf");
  const std::shared_ptr<const Engine> engine = MakeEngine();
  size_t offset = 0;
  {
    const auto file = *ModelFile::Open(path, {}, *engine->memory);
    const TensorRecord* tensor = file->FindTensor("blk.1.ffn_up.weight");
    offset = static_cast<size_t>(tensor->bytes.data() -
                                 file->packed_bytes().data()) +
             tensor->bytes.size() - 1;
  }
  std::string bytes = ReadBytes(path);
  bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;

  const auto verified = VerifyModel(*engine, path, {});

  EXPECT_EQ(verified.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(verified.status().message()),
              HasSubstr("blk.1.ffn_up.weight"));
  EXPECT_TRUE(Model::Load(engine, path, {}).ok());
}

TEST_F(PackedModel, SaysThatItIsCut) {
  const std::string path = Pack("tiny-llama.gguf");
  const size_t num_bytes = std::filesystem::file_size(path);
  for (const size_t left :
       {size_t{9}, size_t{64}, size_t{1000}, num_bytes - 1}) {
    std::filesystem::resize_file(path, left);
    const auto model = Model::Load(MakeEngine(), path, {});
    EXPECT_EQ(model.status().code(), absl::StatusCode::kDataLoss) << left;
  }
}

TEST_F(PackedModel, SaysWhichVersionItHas) {
  const std::string path = Pack("tiny-llama.gguf");
  std::string bytes = ReadBytes(path);
  bytes[8] = 9;
  std::ofstream(path, std::ios::binary) << bytes;

  const auto model = Model::Load(MakeEngine(), path, {});

  EXPECT_EQ(model.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(model.status().message()),
              HasSubstr("packed model of version 9"));
}

}  // namespace
}  // namespace specinfer
