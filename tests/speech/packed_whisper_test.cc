// A packed Whisper is the same model: the same texts, words and times, out of
// a mapped file.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "src/session/model_pack.h"
#include "src/speech/transcriber.h"
#include "tests/speech/recordings.h"
#include "tests/speech/tiny_whisper.h"

namespace specinfer {
namespace {

std::shared_ptr<const Engine> MakeEngine(const std::string& backend) {
  EngineOptions options;
  options.backend = backend;
  options.num_threads = 1;
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      CreateEngine(std::move(options));
  return engine.ok() ? std::shared_ptr<const Engine>(*std::move(engine))
                     : nullptr;
}

class PackedWhisper
    : public ::testing::TestWithParam<std::optional<WeightForm>> {
 protected:
  // Tests run side by side.
  PackedWhisper() {
    std::string test =
        ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(test.begin(), test.end(), '/', '-');
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("packed-whisper-" + test);
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "d");
    for (const auto& [name, bytes] : TinyWhisperFiles())
      std::ofstream(folder_ / "d" / name, std::ios::binary) << bytes;
    options_.weight_form = GetParam();
  }
  ~PackedWhisper() override { std::filesystem::remove_all(folder_); }

  std::string Folder() const { return folder_ / "d"; }
  std::string Packed() const { return folder_ / "packed"; }
  void Pack() {
    const absl::Status status =
        PackModel(*MakeEngine("cpu"), Folder(), Packed(), options_);
    ASSERT_TRUE(status.ok()) << status;
  }
  // What `path` hears in ten seconds of noise.
  std::vector<Segment> Hear(std::shared_ptr<const Engine> engine,
                            const std::string& path) {
    const auto model = Model::Load(std::move(engine), path, options_);
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return {};
    const auto transcriber = Transcriber::Create(*model, {});
    EXPECT_TRUE(transcriber.ok()) << transcriber.status();
    TranscriptionOptions options;
    options.language = "en";
    options.has_word_times = true;
    auto result = (*transcriber)->Transcribe(MakeNoise(160000, 0.5), options);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->segments : std::vector<Segment>();
  }

  std::filesystem::path folder_;
  LoadOptions options_;
};

TEST_P(PackedWhisper, HearsTheSameOnEveryBackend) {
  const std::vector<Segment> expected = Hear(MakeEngine("cpu"), Folder());
  ASSERT_FALSE(expected.empty());
  Pack();

  for (const char* backend :
       {"cpu", "cpu-avx2", "cpu-avx512", "cpu-amx", "cpu-neon"}) {
    const std::shared_ptr<const Engine> engine = MakeEngine(backend);
    if (engine == nullptr) continue;  // not on this machine
    const std::vector<Segment> heard = Hear(engine, Packed());
    ASSERT_EQ(heard.size(), expected.size()) << backend;
    for (size_t i = 0; i < heard.size(); ++i) {
      EXPECT_EQ(heard[i].tokens, expected[i].tokens) << backend;
      EXPECT_EQ(heard[i].text, expected[i].text) << backend;
      EXPECT_EQ(heard[i].start, expected[i].start) << backend;
      ASSERT_EQ(heard[i].words.size(), expected[i].words.size()) << backend;
      for (size_t word = 0; word < heard[i].words.size(); ++word)
        EXPECT_EQ(heard[i].words[word].start, expected[i].words[word].start);
    }
  }
}

TEST_P(PackedWhisper, HasHashesThatFit) {
  Pack();

  const absl::StatusOr<uint64_t> num_hashes =
      VerifyModel(*MakeEngine("cpu"), Packed(), {});

  ASSERT_TRUE(num_hashes.ok()) << num_hashes.status();
  EXPECT_GT(*num_hashes, 30u);
}

TEST_P(PackedWhisper, KeepsItsForm) {
  Pack();

  const auto model = Model::Load(MakeEngine("cpu"), Packed(), {});

  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->is_requantized(), !GetParam().has_value());
}

TEST_P(PackedWhisper, TakesTheMemoryThatWasPlanned) {
  Pack();
  for (const std::string& path : {Packed(), Folder()}) {
    if (path == Folder() && GetParam()) break;  // int8 is planned
    const auto engine = MakeEngine("cpu");
    const absl::StatusOr<MemoryPlan> plan = Model::Plan(*engine, path, 0);
    ASSERT_TRUE(plan.ok()) << plan.status();
    const auto model = Model::Load(engine, path, {});
    ASSERT_TRUE(model.ok()) << model.status();

    EXPECT_EQ(plan->weight_bytes, (*model)->weights().num_bytes()) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, PackedWhisper,
                         ::testing::Values(std::optional<WeightForm>(),
                                           WeightForm::kAsFiled),
                         [](const auto& form) {
                           return form.param ? "Float" : "Int8";
                         });

}  // namespace
}  // namespace specinfer
