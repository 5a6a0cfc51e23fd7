// Damaged models loaded whole and asked to answer: a text or a sentence, never
// a crash, and nothing is kept.
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "src/backend/engine.h"
#include "src/session/session.h"
#include "tests/fuzz/mutator.h"
#include "tests/model/memory_files.h"

namespace specinfer {
namespace {

constexpr int kTokens = 3;

// Loads `path` and generates a little.
absl::Status LoadAndAnswer(std::shared_ptr<const Engine> engine,
                           const std::string& path) {
  const absl::StatusOr<std::shared_ptr<const Model>> model =
      Model::Load(std::move(engine), path, {});
  if (!model.ok()) return model.status();
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Create(*model, {.max_context_tokens = 32});
  if (!session.ok()) return session.status();
  absl::Status status = (*session)->AppendText(
      "Once upon a time", {.parse_special = true, .add_bos = true});
  if (!status.ok()) return status;
  GenerationOptions options;
  options.max_tokens = kTokens;
  options.sampling.temperature = 0.7f;
  options.sampling.top_p = 0.9f;
  status = (*session)->Start(options);
  while (status.ok()) {
    const absl::StatusOr<Event> event = (*session)->Step(0);
    if (!event.ok()) return event.status();
    if (event->state == StepState::kDone) break;
  }
  return status;
}

class DamagedModel : public testing::TestWithParam<const char*> {};

TEST_P(DamagedModel, AnswersOrSaysWhyNot) {
  MemoryFiles files;
  const std::string whole =
      ReadFile(std::string(SPECINFER_TESTDATA) + "/" + GetParam());
  ASSERT_FALSE(whole.empty());
  EngineOptions options;
  options.num_threads = 1;
  options.memory_budget_bytes = uint64_t{256} << 20;
  options.file_reader = files.reader();
  const std::shared_ptr<const Engine> engine(*CreateEngine(std::move(options)));
  Mutator mutator(7);
  int num_answered = 0;
  for (int round = 0; round < 600; ++round) {
    files.Put("m", round == 0 ? whole : mutator.Mutate(whole, 12000));
    const absl::Status status = LoadAndAnswer(engine, "m");
    ASSERT_EQ(engine->memory->used_bytes(), 0u) << "round " << round;
    if (status.ok()) {
      ++num_answered;
    } else {
      ASSERT_FALSE(status.message().empty()) << "round " << round;
    }
    ASSERT_GE(num_answered, 1) << status;
  }
  EXPECT_LT(num_answered, 600);
}

INSTANTIATE_TEST_SUITE_P(Models, DamagedModel,
                         testing::Values("tiny-llama.gguf", "tiny-gemma3.gguf",
                                         "tiny-quantized.gguf"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           return name.substr(5, name.find('.') - 5);
                         });

}  // namespace
}  // namespace specinfer
