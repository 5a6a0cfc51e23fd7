// Thousands of damaged model files: each is read or refused with a sentence,
// and nothing is kept.
#include <string>

#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "tests/fuzz/mutator.h"
#include "tests/fuzz/read_model.h"
#include "tests/model/memory_files.h"
#include "tests/model/whisper_files.h"

namespace specinfer {
namespace {

std::string TestPath(const std::string& name) {
  return std::string(SPECINFER_TESTDATA) + "/" + name;
}

// Damages the file `damaged` among `files` in `count` ways and opens `path`
// each time.
void ExpectReadOrRefused(MemoryFiles& files, const std::string& path,
                         const std::string& damaged, size_t interesting_bytes,
                         uint64_t seed, int count) {
  const std::string whole = files[damaged];
  Mutator mutator(seed);
  int num_refused = 0;
  for (int round = 0; round < count; ++round) {
    files.Put(damaged, mutator.Mutate(whole, interesting_bytes));
    Memory memory(/*budget_bytes=*/uint64_t{64} << 20);
    const absl::StatusOr<uint64_t> sum =
        ReadEverything(path, files.reader(), memory);
    ASSERT_EQ(memory.used_bytes(), 0u) << "round " << round;
    if (sum.ok()) continue;
    ++num_refused;
    ASSERT_NE(sum.status().code(), absl::StatusCode::kInternal)
        << "round " << round << ": " << sum.status();
    ASSERT_FALSE(sum.status().message().empty()) << "round " << round;
  }
  EXPECT_GT(num_refused, count / 4);
  EXPECT_LT(num_refused, count);
  files.Put(damaged, whole);
}

TEST(DamagedModelFile, GgufIsReadOrRefused) {
  MemoryFiles files;
  files.Put("m", ReadFile(TestPath("tiny-llama.gguf")));
  ASSERT_FALSE(files["m"].empty());

  ExpectReadOrRefused(files, "m", "m", 12000, 1, 10000);
}

TEST(DamagedModelFile, GgufDirectoryOfTensorsIsReadOrRefused) {
  MemoryFiles files;
  const std::string whole = ReadFile(TestPath("tiny-gemma3.gguf"));
  const size_t directory = whole.find("token_embd.weight");
  ASSERT_NE(directory, std::string::npos);
  files.Put("m", whole);

  ExpectReadOrRefused(files, "m", "m", directory + 2000, 2, 1000);
}

TEST(DamagedModelFile, Ctranslate2IsReadOrRefused) {
  MemoryFiles files;
  files.Put("d/model.bin", WriteCtranslate2(TinyWhisper()).bytes());
  files.Put("d/vocabulary.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n");
  files.Put("d/config.json", R"({"alignment_heads": [[0, 1], [1, 0]]})");

  ExpectReadOrRefused(files, "d", "d/model.bin", 8000, 4, 10000);
  ExpectReadOrRefused(files, "d", "d/config.json", 64, 5, 1000);
}

TEST(DamagedModelFile, GgmlIsReadOrRefused) {
  MemoryFiles files;
  const TinyWhisper model({.vocabulary = 51864, .feed_forward = 16});
  std::string whole = WriteGgml(model, {"a", "b", "ab", "abc"});
  files.Put("m", whole);

  ExpectReadOrRefused(files, "m", "m", 4000, 6, 10000);
}

TEST(DamagedModelFile, HuggingfaceWhisperIsReadOrRefused) {
  MemoryFiles files;
  files.Put("d/model.safetensors", WriteHuggingface(TinyWhisper()));
  files.Put("d/config.json", HuggingfaceConfig(TinyWhisper()));
  files.Put("d/tokenizer.json", "{}");

  ExpectReadOrRefused(files, "d", "d/model.safetensors", 8000, 7, 10000);
  ExpectReadOrRefused(files, "d", "d/config.json", 400, 8, 1000);
}

class DamagedSafetensors : public ::testing::TestWithParam<std::string> {};

TEST_P(DamagedSafetensors, IsReadOrRefused) {
  MemoryFiles files;
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer_config.json",
        "tokenizer.json", "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors"}) {
    files.Put(std::string("d/") + name,
              ReadFile(TestPath(std::string("tiny-llama-hf/") + name)));
  }

  ExpectReadOrRefused(files, "d", "d/" + GetParam(), 2000, 3, 1000);
}

INSTANTIATE_TEST_SUITE_P(All, DamagedSafetensors,
                         ::testing::Values("config.json",
                                           "generation_config.json",
                                           "tokenizer_config.json",
                                           "model.safetensors.index.json",
                                           "model-00001-of-00002.safetensors"),
                         [](const auto& model) {
                           std::string name = model.param;
                           for (char& letter : name)
                             letter = std::isalnum(letter) ? letter : '_';
                           return name;
                         });

}  // namespace
}  // namespace specinfer
