// Times of passes outlive a run where the host wants it; whatever lies in that
// folder, answers are the same.
#include "src/session/kept_times.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/session/session.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// More than any pass of a tiny model takes.
constexpr double kSlow = 0.7;

std::string ReadAll(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class KeptTimesTest : public testing::Test {
 protected:
  KeptTimesTest()
      : folder_(fs::path(testing::TempDir()) /
                testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~KeptTimesTest() override { fs::remove_all(folder_); }

  std::shared_ptr<const Engine> KeepingEngine(
      const std::string& folder, int num_threads = 1,
      const std::string& backend = "cpu") {
    EngineOptions options;
    options.num_threads = num_threads;
    options.backend = backend;
    options.cache_directory = folder;
    options.log = {
        [](void* user_data, int32_t level, const char* text, size_t length) {
          if (level >= static_cast<int32_t>(LogLevel::kWarning))
            static_cast<std::vector<std::string>*>(user_data)->emplace_back(
                text, length);
        },
        &warnings_};
    return *CreateEngine(std::move(options));
  }
  std::shared_ptr<const Engine> KeepingEngine() {
    return KeepingEngine(folder_.string());
  }

  // As a run that found passes of one row to take kSlow seconds.
  void Run(const std::shared_ptr<const Engine>& engine,
           const std::string& name = "tiny-llama") {
    const auto model = LoadTiny(name, engine);
    for (int pass = 0; pass < 40; ++pass)
      model->pass_times().Record(1, 100, kSlow);
  }

  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_))
      files.push_back(entry.path());
    return files;
  }

  const fs::path folder_;
  std::vector<std::string> warnings_;
};

double SecondsOf(const Model& model) {
  return model.pass_times().Seconds(1, 100);
}
bool BeginsWithKept(const Model& model) {
  return model.times(PassKind::kTarget).begins_with_kept();
}

std::vector<Token> AnswerOf(const std::shared_ptr<const Model>& model,
                            const std::shared_ptr<const Model>& draft) {
  SessionOptions options;
  options.max_context_tokens = 256;
  options.draft_model = draft;
  auto session = *Session::Create(model, options);
  std::vector<Token> prompt;
  for (int i = 0; i < 60; ++i) prompt.push_back(20 + i % 11);
  EXPECT_TRUE(session->SetPromptTokens(prompt).ok());
  GenerationOptions generation;
  generation.max_tokens = 60;
  generation.ignore_end = true;
  generation.sampling.temperature = 0.8f;
  EXPECT_TRUE(session->Start(generation).ok());
  while (session->Step(0)->state != StepState::kDone) {
  }
  return {session->tokens().begin(), session->tokens().end()};
}

TEST_F(KeptTimesTest, AreReadByTheNextRun) {
  Run(KeepingEngine());

  const auto model = LoadTiny("tiny-llama", KeepingEngine());

  EXPECT_NEAR(SecondsOf(*model), kSlow, 0.01);
  EXPECT_TRUE(model->pass_times().has_measured());
  EXPECT_TRUE(BeginsWithKept(*model));
  EXPECT_FALSE(model->times(PassKind::kDraft).begins_with_kept());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(KeptTimesTest, AreOneFileWithoutAnyText) {
  Run(KeepingEngine());

  ASSERT_EQ(Files().size(), 1u);
  const std::string text = ReadAll(Files()[0]);
  EXPECT_LT(text.size(), 4096u);
  EXPECT_THAT(text, HasSubstr("\"kind\":\"target\""));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST_F(KeptTimesTest, StayInMemoryWithoutAFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  Run(KeepingEngine(""));
  fs::current_path(before);

  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_FALSE(BeginsWithKept(*LoadTiny("tiny-llama", KeepingEngine(""))));
}

TEST_F(KeptTimesTest, BelongToTheModelTheThreadsAndTheBackend) {
  Run(KeepingEngine());

  for (const auto& model :
       {LoadTiny("tiny-qwen2", KeepingEngine()),
        LoadTiny("tiny-llama",
                 KeepingEngine(folder_.string(), /*num_threads=*/2)),
        LoadTiny("tiny-llama",
                 KeepingEngine(folder_.string(), 1, "cpu-reference"))})
    EXPECT_FALSE(BeginsWithKept(*model));
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(KeptTimesTest, OfADraftModelAreItsOwn) {
  const auto engine = KeepingEngine();
  LoadTiny("tiny-llama", engine)->draft_times();
  {
    const auto model = LoadTiny("tiny-llama", engine);
    for (int pass = 0; pass < 40; ++pass)
      model->draft_times().Record(1, 100, kSlow);
  }

  const auto model = LoadTiny("tiny-llama", engine);

  EXPECT_TRUE(model->times(PassKind::kDraft).begins_with_kept());
  EXPECT_FALSE(BeginsWithKept(*model));
}

TEST_F(KeptTimesTest, OfAFewPassesAreNotWorthAFile) {
  {
    const auto model = LoadTiny("tiny-llama", KeepingEngine());
    for (int pass = 0; pass < 10; ++pass)
      model->pass_times().Record(1, 100, kSlow);
  }

  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(KeptTimesTest, OfOtherThreadsAreNotKept) {
  {
    const auto engine = KeepingEngine(folder_.string(), /*num_threads=*/2);
    const auto model = LoadTiny("tiny-llama", engine);
    model->pass_times();
    ASSERT_TRUE(engine->executor->SetNumThreads(1).ok());
    for (int pass = 0; pass < 40; ++pass)
      model->pass_times().Record(1, 100, kSlow);
  }

  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(KeptTimesTest, AreKeptAfterTheFirstAnswerAndNotAfterEach) {
  const auto engine = KeepingEngine();
  const auto model = LoadTiny("tiny-llama", engine);

  AnswerOf(model, model);
  ASSERT_FALSE(Files().empty());
  const std::vector<fs::path> files = Files();
  for (const fs::path& file : files) fs::remove(file);
  AnswerOf(model, model);

  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(KeptTimesTest, OfTwoEnginesAtOnceAreThoseOfTheLast) {
  const auto first = LoadTiny("tiny-llama", KeepingEngine());
  auto second = LoadTiny("tiny-llama", KeepingEngine());
  for (int pass = 0; pass < 40; ++pass) {
    first->pass_times().Record(1, 100, 0.1);
    second->pass_times().Record(1, 100, kSlow);
  }

  first->KeepTimes();
  second.reset();

  EXPECT_NEAR(SecondsOf(*LoadTiny("tiny-llama", KeepingEngine())), kSlow, 0.01);
  EXPECT_THAT(Files(), testing::SizeIs(1));
}

TEST_F(KeptTimesTest, InAFolderThatIsNotThereAreAWarning) {
  Run(KeepingEngine((folder_ / "none").string()));

  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("cache_directory")));
  EXPECT_FALSE(fs::exists(folder_ / "none"));
}

// Root may write everywhere, so the folder is a file.
TEST_F(KeptTimesTest, InAFolderThatCannotBeWrittenAreOneWarning) {
  std::ofstream(folder_ / "file") << "x";
  const auto engine = KeepingEngine((folder_ / "file").string());
  const auto model = LoadTiny("tiny-llama", engine);

  AnswerOf(model, nullptr);
  for (int pass = 0; pass < 40; ++pass)
    model->pass_times().Record(1, 100, kSlow);
  model->times(PassKind::kTarget).KeepAtEnd();

  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("are not kept")));
}

// ---- Whatever lies there ----

class HostileKeptTimes : public KeptTimesTest,
                         public testing::WithParamInterface<const char*> {
 protected:
  // Spoils the one file there is.
  void Spoil(const fs::path& path) const {
    std::string text = ReadAll(path);
    const std::string how = GetParam();
    const size_t second_line = text.find('\n') + 1;
    const auto replace = [&](const std::string& name, const std::string& with) {
      const size_t place = text.find("\"" + name + "\":[", second_line);
      ASSERT_NE(place, std::string::npos);
      const size_t begin = place + name.size() + 4;
      text.replace(begin, text.find_first_of(",]", begin) - begin, with);
    };
    if (how == "Empty") text.clear();
    if (how == "Truncated") text.resize(text.size() / 2);
    if (how == "FirstLineOnly") text.resize(second_line);
    if (how == "NoLine") text.resize(second_line - 1);
    if (how == "NotANumber") replace("seconds", "NaN");
    if (how == "Infinite") replace("seconds", "1e999");
    if (how == "Huge") replace("seconds", "1e200");
    if (how == "Negative") replace("factors", "-1");
    if (how == "NothingTakesTime") replace("doubt", "0");
    if (how == "OtherMachine") text.insert(text.find("processor"), "another ");
    if (how == "OtherFormat")
      text.replace(text.find("format\":1"), 9, "format\":2");
    if (how == "Binary") text.assign(3000, '\xff');
    if (how == "Deep")
      text.replace(second_line, std::string::npos, std::string(10000, '['));
    if (how == "Long") text.append(100000, ' ');
    fs::remove(path);
    if (how == "Folder") {
      fs::create_directory(path);
    } else {
      std::ofstream(path) << text;
    }
  }
};

TEST_P(HostileKeptTimes, AreAWarningAndChangeNothing) {
  Run(KeepingEngine());
  ASSERT_EQ(Files().size(), 1u);
  Spoil(Files()[0]);
  const std::vector<Token> expected =
      AnswerOf(LoadTiny("tiny-llama", MakeEngine()), nullptr);

  const auto model = LoadTiny("tiny-llama", KeepingEngine());

  EXPECT_FALSE(model->pass_times().has_measured());
  EXPECT_FALSE(BeginsWithKept(*model));
  EXPECT_LT(SecondsOf(*model), 0.1);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("are not used")));
  EXPECT_EQ(AnswerOf(model, nullptr), expected);
}

INSTANTIATE_TEST_SUITE_P(Files, HostileKeptTimes,
                         testing::Values("Empty", "Truncated", "FirstLineOnly",
                                         "NoLine", "NotANumber", "Infinite",
                                         "Huge", "Negative", "NothingTakesTime",
                                         "OtherMachine", "OtherFormat",
                                         "Binary", "Deep", "Long", "Folder"),
                         [](const auto& param) {
                           return std::string(param.param);
                         });

// Times that pass every check and are wrong by far.
TEST_F(KeptTimesTest, ThatLieDoNotChangeTheText) {
  const auto plain = LoadTiny("tiny-llama", MakeEngine());
  const std::vector<Token> expected = AnswerOf(plain, plain);
  {
    const auto model = LoadTiny("tiny-llama", KeepingEngine());
    for (int pass = 0; pass < 400; ++pass) {
      model->pass_times().Record(1, 0, 1.0);
      model->pass_times().Record(64, 0, 0.7);
      model->draft_times().Record(1, 0, 1e-6);
    }
  }
  const auto model = LoadTiny("tiny-llama", KeepingEngine());
  ASSERT_TRUE(BeginsWithKept(*model));

  EXPECT_EQ(AnswerOf(model, model), expected);
}

}  // namespace
}  // namespace specinfer
