// The host's allocator and the budget: balanced, refused cleanly at every
// point, never exceeded.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

// Counts every block, and fails from the call numbered `fail_from`, or only
// that one.
class CountingAllocator {
 public:
  specinfer_engine_config Config() {
    specinfer_engine_config config = EngineConfig();
    config.allocate = &Allocate;
    config.release = &Release;
    config.allocator_user_data = this;
    return config;
  }

  int num_calls() const { return num_calls_; }
  size_t num_live() const { return live_.size(); }
  int num_mismatches() const { return num_mismatches_; }
  void FailFrom(int call) { fail_from_ = call; }
  void FailOnlyAt(int call) { fail_only_at_ = call; }

 private:
  struct Request {
    size_t num_bytes, alignment;
    bool operator==(const Request&) const = default;
  };

  static void* Allocate(void* user_data, size_t num_bytes, size_t alignment) {
    auto* self = static_cast<CountingAllocator*>(user_data);
    const std::lock_guard<std::mutex> lock(self->mutex_);
    const int call = self->num_calls_++;
    if (call >= self->fail_from_ || call == self->fail_only_at_) return nullptr;
    void* block = nullptr;
    if (posix_memalign(&block, std::max(alignment, sizeof(void*)), num_bytes) !=
        0)
      return nullptr;
    self->live_[block] = {num_bytes, alignment};
    return block;
  }

  static void Release(void* user_data, void* block, size_t num_bytes,
                      size_t alignment) {
    auto* self = static_cast<CountingAllocator*>(user_data);
    const std::lock_guard<std::mutex> lock(self->mutex_);
    const auto found = self->live_.find(block);
    if (found == self->live_.end() ||
        found->second != Request{num_bytes, alignment}) {
      ++self->num_mismatches_;
      return;
    }
    self->live_.erase(found);
    free(block);
  }

  std::mutex mutex_;
  std::map<void*, Request> live_;
  int num_calls_ = 0;
  int num_mismatches_ = 0;
  int fail_from_ = INT32_MAX;
  int fail_only_at_ = -1;
};

// A little of everything that takes memory. Returns the first status that is
// not OK.
specinfer_status UseEverything(const specinfer_engine_config& config) {
  specinfer_engine* engine = nullptr;
  specinfer_status status = specinfer_engine_create(&config, &engine);
  if (status != SPECINFER_OK) return status;
  const EngineOwner engine_owner(engine);

  const std::string path = TinyModel();
  specinfer_model* model = nullptr;
  status =
      specinfer_model_load(engine, path.data(), path.size(), nullptr, &model);
  if (status != SPECINFER_OK) {
    EXPECT_EQ(model, nullptr);
    return status;
  }
  const ModelOwner model_owner(model);

  specinfer_session_config session_config = SPECINFER_SESSION_CONFIG_INIT;
  session_config.max_context_tokens = 256;
  specinfer_session* session = nullptr;
  status = specinfer_session_create(model, &session_config, &session);
  if (status != SPECINFER_OK) {
    EXPECT_EQ(session, nullptr);
    return status;
  }
  const SessionOwner session_owner(session);

  const Tokens prompt(100, 5);
  status =
      specinfer_session_append_tokens(session, prompt.data(), prompt.size());
  if (status != SPECINFER_OK) return status;
  const specinfer_generation_config answer = AnswerOf(4);
  status = specinfer_session_generate(session, &answer, nullptr, nullptr);
  if (status != SPECINFER_OK) return status;

  specinfer_session* copy = nullptr;
  status = specinfer_session_fork(session, &copy);
  if (status != SPECINFER_OK) {
    EXPECT_EQ(copy, nullptr);
    return status;
  }
  const SessionOwner copy_owner(copy);
  status = specinfer_session_generate(copy, &answer, nullptr, nullptr);
  if (status != SPECINFER_OK) return status;

  size_t length = 0;
  float vector[4096];
  status = specinfer_session_embed(
      session, "hello", 5, 0, SPECINFER_POOLING_MEAN, 0, vector, 4096, &length);
  if (status != SPECINFER_OK) return status;
  float scores[100];
  return specinfer_session_score_tokens(copy, prompt.data(), prompt.size(),
                                        scores);
}

TEST(CApiAllocator, GetsEveryBlockBack) {
  CountingAllocator allocator;

  EXPECT_OK(UseEverything(allocator.Config()));

  EXPECT_GT(allocator.num_calls(), 3);
  EXPECT_EQ(allocator.num_live(), 0u);
  EXPECT_EQ(allocator.num_mismatches(), 0);
}

TEST(CApiAllocator, FailsCleanlyFromAnyCallOn) {
  CountingAllocator whole;
  ASSERT_OK(UseEverything(whole.Config()));
  for (int call = 0; call < whole.num_calls(); ++call) {
    SCOPED_TRACE(call);
    CountingAllocator allocator;
    allocator.FailFrom(call);

    EXPECT_EQ(UseEverything(allocator.Config()), SPECINFER_RESOURCE_EXHAUSTED)
        << specinfer_last_error();
    EXPECT_GT(std::string_view(specinfer_last_error()).size(), 10u);

    EXPECT_EQ(allocator.num_live(), 0u);
    EXPECT_EQ(allocator.num_mismatches(), 0);
  }
}

TEST(CApiAllocator, FailsCleanlyAtAnyOneCall) {
  CountingAllocator whole;
  ASSERT_OK(UseEverything(whole.Config()));
  for (int call = 0; call < whole.num_calls(); ++call) {
    SCOPED_TRACE(call);
    CountingAllocator allocator;
    allocator.FailOnlyAt(call);

    const specinfer_status status = UseEverything(allocator.Config());

    EXPECT_TRUE(status == SPECINFER_OK ||
                status == SPECINFER_RESOURCE_EXHAUSTED)
        << specinfer_last_error();
    EXPECT_EQ(allocator.num_live(), 0u);
    EXPECT_EQ(allocator.num_mismatches(), 0);
  }
}

TEST(CApiAllocator, ASessionSurvivesWantOfMemory) {
  CountingAllocator allocator;
  const EngineOwner engine = CreateEngine(allocator.Config());
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model);
  ASSERT_OK(SetPrompt(session, kPrompt));
  const Answer expected = Generate(session, AnswerOf(4));
  ASSERT_OK(SetPrompt(session, kPrompt));
  const Tokens before = GetTokens(session);

  allocator.FailFrom(allocator.num_calls());
  specinfer_session* copy = nullptr;
  const specinfer_status forked = specinfer_session_fork(session.get(), &copy);
  const SessionOwner owner(copy);
  EXPECT_TRUE(forked == SPECINFER_OK || forked == SPECINFER_RESOURCE_EXHAUSTED);
  allocator.FailFrom(INT32_MAX);

  EXPECT_EQ(GetTokens(session), before);
  EXPECT_EQ(Generate(session, AnswerOf(4)).tokens, expected.tokens);
}

uint64_t PlannedBytes(uint32_t num_context_tokens) {
  const EngineOwner engine = CreateEngine();
  const std::string path = TinyModel();
  specinfer_model_memory memory = SPECINFER_MODEL_MEMORY_INIT;
  EXPECT_OK(specinfer_model_plan(engine.get(), path.data(), path.size(),
                                 num_context_tokens, &memory));
  EXPECT_EQ(memory.total_bytes, memory.weight_bytes + memory.session_bytes);
  return memory.total_bytes;
}

class CApiBudget : public testing::TestWithParam<int> {};

// Whatever the budget, it is refused or kept.
TEST_P(CApiBudget, IsNeverExceeded) {
  specinfer_engine_config config = EngineConfig();
  config.memory_budget_bytes = PlannedBytes(256) * GetParam() / 100 + 1;
  const EngineOwner engine = CreateEngine(config);
  const std::string path = TinyModel();
  specinfer_model* model = nullptr;
  specinfer_session* session = nullptr;
  specinfer_session_config session_config = SPECINFER_SESSION_CONFIG_INIT;
  session_config.max_context_tokens = 256;
  const Tokens prompt(200, 5);
  const specinfer_generation_config answer = AnswerOf(0);

  specinfer_status status = specinfer_model_load(engine.get(), path.data(),
                                                 path.size(), nullptr, &model);
  const ModelOwner model_owner(model);
  if (status == SPECINFER_OK)
    status = specinfer_session_create(model, &session_config, &session);
  const SessionOwner session_owner(session);
  if (status == SPECINFER_OK)
    status =
        specinfer_session_append_tokens(session, prompt.data(), prompt.size());
  if (status == SPECINFER_OK)
    status = specinfer_session_generate(session, &answer, nullptr, nullptr);

  EXPECT_TRUE(status == SPECINFER_OK || status == SPECINFER_RESOURCE_EXHAUSTED)
      << specinfer_last_error();
  specinfer_engine_statistics statistics = SPECINFER_ENGINE_STATISTICS_INIT;
  ASSERT_OK(specinfer_engine_get_statistics(engine.get(), &statistics));
  EXPECT_LE(statistics.memory_peak_bytes, config.memory_budget_bytes);
  if (GetParam() <= 10) {
    EXPECT_EQ(status, SPECINFER_RESOURCE_EXHAUSTED);
  }
  if (GetParam() >= 100) {
    EXPECT_EQ(status, SPECINFER_OK) << specinfer_last_error();
  }
}

INSTANTIATE_TEST_SUITE_P(Percent, CApiBudget,
                         testing::Values(0, 1, 5, 10, 30, 50, 60, 70, 80, 85,
                                         90, 95, 99, 100, 110));

TEST(CApiMemory, StatisticsShowWhatIsUsed) {
  const EngineOwner engine = CreateEngine();
  specinfer_engine_statistics statistics = SPECINFER_ENGINE_STATISTICS_INIT;
  {
    const ModelOwner model = LoadModel(engine);
    ASSERT_OK(specinfer_engine_get_statistics(engine.get(), &statistics));
    EXPECT_GT(statistics.memory_used_bytes, 0u);
  }

  ASSERT_OK(specinfer_engine_get_statistics(engine.get(), &statistics));
  EXPECT_EQ(statistics.memory_used_bytes, 0u);
  EXPECT_GT(statistics.memory_peak_bytes, 0u);
}

TEST(CApiFileReader, ReadsModelsThroughTheHostsFileReader) {
  struct Reads {
    int num_sizes = 0, num_reads = 0;
  } reads;
  specinfer_engine_config config = EngineConfig();
  config.file_user_data = &reads;
  config.file_size = [](void* user_data, const char* path,
                        size_t path_length) -> int64_t {
    ++static_cast<Reads*>(user_data)->num_sizes;
    if (std::string_view(path, path_length) != "virtual.gguf") return -1;
    FILE* file = fopen(TinyModel().c_str(), "rb");
    fseek(file, 0, SEEK_END);
    const int64_t num_bytes = ftell(file);
    fclose(file);
    return num_bytes;
  };
  config.file_read = [](void* user_data, const char*, size_t, uint64_t offset,
                        void* buffer, size_t num_bytes) -> int32_t {
    ++static_cast<Reads*>(user_data)->num_reads;
    FILE* file = fopen(TinyModel().c_str(), "rb");
    fseek(file, static_cast<long>(offset), SEEK_SET);
    const size_t num_read = fread(buffer, 1, num_bytes, file);
    fclose(file);
    return num_read == num_bytes ? 0 : 1;
  };
  const EngineOwner engine = CreateEngine(config);

  const ModelOwner model = LoadModel(engine, "virtual.gguf");
  ASSERT_NE(model, nullptr);
  const SessionOwner session = CreateSession(model);
  ASSERT_OK(SetPrompt(session, kPrompt));

  EXPECT_OK(Generate(session, AnswerOf(4)).status);
  EXPECT_GT(reads.num_sizes, 0);
  EXPECT_GT(reads.num_reads, 0);
  specinfer_model* missing = nullptr;
  EXPECT_EQ(
      specinfer_model_load(engine.get(), "other.gguf", 10, nullptr, &missing),
      SPECINFER_NOT_FOUND);
}

}  // namespace
}  // namespace specinfer_test
