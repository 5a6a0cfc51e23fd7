// Damaged packed models: with hashes that were made to fit, so that every check
// behind them is met. Each is refused with a sentence or answers.
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "src/backend/engine.h"
#include "src/model/packed_file.h"
#include "src/session/model_pack.h"
#include "src/session/session.h"
#include "tests/fuzz/mutator.h"
#include "tests/fuzz/read_model.h"
#include "tests/model/memory_files.h"
#include "xxhash.h"

namespace specinfer {
namespace {

std::string PackTiny(const std::string& name) {
  const std::string path =
      (std::filesystem::path(testing::TempDir()) / ("fuzz-" + name)).string();
  EngineOptions options;
  options.num_threads = 1;
  const std::unique_ptr<Engine> engine = *CreateEngine(std::move(options));
  const absl::Status status = PackModel(
      *engine, std::string(SPECINFER_TESTDATA) + "/" + name, path, {});
  EXPECT_TRUE(status.ok()) << status;
  std::string bytes = ReadFile(path);
  std::filesystem::remove(path);
  return bytes;
}

// Makes the preamble fit the rest of the file, mostly.
void MakeItFit(std::string& bytes, Mutator& mutator) {
  PackedPreamble preamble;
  if (bytes.size() < sizeof(preamble) || mutator.Below(16) == 0) return;
  std::memcpy(&preamble, bytes.data(), sizeof(preamble));
  preamble.file_bytes = bytes.size();
  if (preamble.header_bytes <= bytes.size() - sizeof(preamble)) {
    preamble.header_hash =
        XXH3_64bits(bytes.data() + sizeof(preamble), preamble.header_bytes);
  }
  std::memcpy(bytes.data(), &preamble, sizeof(preamble));
}

absl::Status LoadAndAnswer(std::shared_ptr<const Engine> engine) {
  const absl::StatusOr<std::shared_ptr<const Model>> model =
      Model::Load(std::move(engine), "m", {});
  if (!model.ok()) return model.status();
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Create(*model, {.max_context_tokens = 32});
  if (!session.ok()) return session.status();
  absl::Status status =
      (*session)->AppendText("Once upon a time \xf0\x9f\x98\x80",
                             {.parse_special = true, .add_bos = true});
  if (!status.ok()) return status;
  GenerationOptions options;
  options.max_tokens = 3;
  options.sampling.temperature = 0.7f;
  status = (*session)->Start(options);
  while (status.ok()) {
    const absl::StatusOr<Event> event = (*session)->Step(0);
    if (!event.ok()) return event.status();
    if (event->state == StepState::kDone) break;
  }
  return status;
}

class DamagedPackedModel : public testing::TestWithParam<const char*> {
 protected:
  size_t HeaderEnd(const std::string& bytes) {
    PackedPreamble preamble;
    std::memcpy(&preamble, bytes.data(), sizeof(preamble));
    return sizeof(preamble) + preamble.header_bytes;
  }
  // Damages within [begin, end) and answers with what is left.
  void ExpectAnswersOrRefusals(const std::string& whole, size_t begin,
                               size_t end, uint64_t seed, int count) {
    MemoryFiles files;
    EngineOptions options;
    options.num_threads = 1;
    options.memory_budget_bytes = uint64_t{256} << 20;
    options.file_reader = files.reader();
    const std::shared_ptr<const Engine> engine(
        *CreateEngine(std::move(options)));
    Mutator mutator(seed);
    int num_answered = 0;
    for (int round = 0; round < count; ++round) {
      std::string bytes = whole;
      if (round > 0) {
        bytes = whole.substr(0, begin) +
                mutator.Mutate(whole.substr(begin), end - begin);
        MakeItFit(bytes, mutator);
      }
      files.Put("m", std::move(bytes));
      {
        Memory memory(uint64_t{64} << 20);
        const auto sum = ReadEverything("m", files.reader(), memory);
        ASSERT_NE(sum.status().code(), absl::StatusCode::kInternal)
            << "round " << round << ": " << sum.status();
      }
      const absl::Status status = LoadAndAnswer(engine);
      ASSERT_EQ(engine->memory->used_bytes(), 0u) << "round " << round;
      if (status.ok()) {
        ++num_answered;
      } else {
        ASSERT_FALSE(status.message().empty()) << "round " << round;
      }
      ASSERT_GE(num_answered, 1) << status;
    }
    EXPECT_LT(num_answered, count);
  }
};

TEST_P(DamagedPackedModel, HeaderIsReadOrRefused) {
  const std::string whole = PackTiny(GetParam());

  ExpectAnswersOrRefusals(whole, 0, HeaderEnd(whole), 1, 1500);
}

TEST_P(DamagedPackedModel, TokenizerIsReadOrRefused) {
  const std::string whole = PackTiny(GetParam());
  const size_t begin = (HeaderEnd(whole) + 63) / 64 * 64;

  ExpectAnswersOrRefusals(whole, begin, begin + 4000, 2, 1000);
}

TEST_P(DamagedPackedModel, AnyTensorBytesAreComputedWith) {
  const std::string whole = PackTiny(GetParam());
  MemoryFiles files;
  EngineOptions options;
  options.num_threads = 1;
  options.file_reader = files.reader();
  const std::shared_ptr<const Engine> engine(*CreateEngine(std::move(options)));
  Memory memory(0);
  files.Put("m", whole);
  const size_t begin = [&] {
    const auto file = *ModelFile::Open("m", files.reader(), memory);
    size_t first = whole.size();
    for (const TensorRecord& tensor : file->tensors()) {
      if (tensor.name == "rope_freqs.weight") continue;
      first = std::min(first, static_cast<size_t>(tensor.bytes.data() -
                                                  file->packed_bytes().data()));
    }
    return first;
  }();
  Mutator random(3);
  for (int round = 0; round < 100; ++round) {
    std::string bytes = whole;
    for (size_t i = begin; i < bytes.size(); ++i) {
      if (round % 2 == 0 || random.Below(16) == 0)
        bytes[i] = static_cast<char>(random.Below(256));
    }
    files.Put("m", std::move(bytes));
    const absl::Status status = LoadAndAnswer(engine);
    EXPECT_TRUE(status.ok()) << status;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DamagedPackedModel,
                         testing::Values("tiny-llama.gguf", "tiny-gemma3.gguf",
                                         "tiny-quantized.gguf"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           return name.substr(5, name.find('.') - 5);
                         });

}  // namespace
}  // namespace specinfer
