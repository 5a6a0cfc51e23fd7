// Sessions of different urgency on one engine, at the same time.
#include "src/backend/turns.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "src/session/generator.h"
#include "src/session/session.h"
#include "src/speculate/model_drafter.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

// Two workers in turn, on the calling thread; one thread can be held at its
// next loop, which is in the middle of a pass.
class HeldExecutor : public Executor {
 public:
  int num_workers() const override { return 2; }
  void Run(int num_tasks, absl::FunctionRef<void(int task)> task) override {
    if (before) before();
    Pass();
    for (int i = 0; i < num_tasks; ++i) task(i);
  }

  // Of the calling thread.
  void Hold() {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_ = std::this_thread::get_id();
  }
  void WaitUntilHeld() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return has_arrived_; });
  }
  void Release() {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_ = {};
    has_arrived_ = false;
    changed_.notify_all();
  }

  std::function<void()> before;

 private:
  void Pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (held_ != std::this_thread::get_id()) return;
    has_arrived_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return held_ == std::thread::id(); });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread::id held_;
  bool has_arrived_ = false;
};

std::shared_ptr<const Engine> MakeHeldEngine(HeldExecutor** executor) {
  auto owned = std::make_unique<HeldExecutor>();
  *executor = owned.get();
  EngineOptions options;
  options.executor = std::move(owned);
  return std::shared_ptr<const Engine>(*CreateEngine(std::move(options)));
}

constexpr int kMaxTokens = 24;

std::unique_ptr<Session> MakeSession(const std::shared_ptr<const Model>& model,
                                     Urgency urgency, bool drafts,
                                     Token first) {
  SessionOptions options;
  options.max_context_tokens = 256;
  options.urgency = urgency;
  if (drafts) options.draft_model = model;
  std::unique_ptr<Session> session = *Session::Create(model, options);
  std::vector<Token> prompt;
  for (Token i = 0; i < 40; ++i) prompt.push_back(first + i % 7);
  EXPECT_TRUE(session->AppendTokens(prompt).ok());
  GenerationOptions answer;
  answer.max_tokens = kMaxTokens;
  answer.ignore_end = true;
  if (drafts) answer.strategy = Strategy::kDraft;
  EXPECT_TRUE(session->Start(answer).ok());
  return session;
}

// What one round, or one chunk of the prompt, adds.
std::vector<Token> TakeStep(Session& session) {
  std::vector<Token> tokens;
  const absl::StatusOr<Event> event = session.Step(0);
  EXPECT_TRUE(event.ok()) << event.status();
  if (!event.ok()) return tokens;
  for (const GeneratedToken& token : event->tokens)
    tokens.push_back(token.token);
  return tokens;
}

// To the end of the answer.
std::vector<Token> Finish(Session& session) {
  std::vector<Token> tokens;
  while (true) {
    const absl::StatusOr<Event> event = session.Step(0);
    EXPECT_TRUE(event.ok()) << event.status();
    if (!event.ok()) return tokens;
    for (const GeneratedToken& token : event->tokens)
      tokens.push_back(token.token);
    if (event->state == StepState::kDone) return tokens;
  }
}

class TurnsOfSessions : public testing::TestWithParam<bool> {
 protected:
  std::vector<Token> Alone(Token first) {
    return Finish(*MakeSession(model_, Urgency::kOrdinary, GetParam(), first));
  }

  HeldExecutor* executor_ = nullptr;
  std::shared_ptr<const Engine> engine_ = MakeHeldEngine(&executor_);
  std::shared_ptr<const Model> model_ = LoadTiny("tiny-llama", engine_);
};

TEST_P(TurnsOfSessions, TheMoreUrgentFinishesFirst) {
  const std::vector<Token> expected = Alone(5), urgent_expected = Alone(60);
  // Held in its prefill, or in a round.
  for (const bool has_prefilled : {false, true}) {
    const auto session = MakeSession(model_, Urgency::kRaised, GetParam(), 5);
    const auto urgent = MakeSession(model_, Urgency::kHighest, GetParam(), 60);
    std::vector<Token> urgent_tokens;
    std::thread other([&] {
      while (has_prefilled && urgent_tokens.empty())
        urgent_tokens = TakeStep(*urgent);
      executor_->Hold();
      const std::vector<Token> rest = Finish(*urgent);
      urgent_tokens.insert(urgent_tokens.end(), rest.begin(), rest.end());
    });
    executor_->WaitUntilHeld();
    for (int i = 0; i < 3; ++i) {
      const absl::StatusOr<Event> event = session->Step(2000);
      EXPECT_TRUE(event.ok() && event->state == StepState::kMore)
          << event.status();
    }
    EXPECT_EQ(session->statistics().num_cached_tokens, 0);
    executor_->Release();
    other.join();
    EXPECT_EQ(urgent_tokens, urgent_expected);
    EXPECT_EQ(Finish(*session), expected);
  }
}

TEST_P(TurnsOfSessions, EqualsGoOn) {
  const std::vector<Token> expected = Alone(5);
  const auto session = MakeSession(model_, Urgency::kRaised, GetParam(), 5);
  const auto equal = MakeSession(model_, Urgency::kRaised, GetParam(), 60);
  const auto lower = MakeSession(model_, Urgency::kOrdinary, GetParam(), 60);
  std::thread other([&] {
    executor_->Hold();
    Finish(*equal);
  });
  executor_->WaitUntilHeld();
  EXPECT_EQ(Finish(*session), expected);
  executor_->Release();
  other.join();
  Finish(*lower);
}

TEST_P(TurnsOfSessions, CancelIsHeardWhileWaiting) {
  const auto session = MakeSession(model_, Urgency::kOrdinary, GetParam(), 5);
  const auto urgent = MakeSession(model_, Urgency::kRaised, GetParam(), 60);
  std::thread other([&] {
    executor_->Hold();
    Finish(*urgent);
  });
  executor_->WaitUntilHeld();
  std::thread canceller([&] { session->Cancel(); });
  EXPECT_TRUE(absl::IsCancelled(session->Step(0).status()));
  canceller.join();
  executor_->Release();
  other.join();
}

TEST_P(TurnsOfSessions, HaveTheSameTextWhateverTheirUrgency) {
  const std::vector<Token> expected = Alone(5), other_expected = Alone(60);
  const std::shared_ptr<const Model> model =
      LoadTiny("tiny-llama", MakeEngine("cpu", /*num_threads=*/2));
  for (const Urgency urgency :
       {Urgency::kOrdinary, Urgency::kRaised, Urgency::kHighest}) {
    const auto session = MakeSession(model, Urgency::kRaised, GetParam(), 5);
    const auto beside = MakeSession(model, urgency, GetParam(), 60);
    std::vector<Token> tokens;
    std::thread other([&] { tokens = Finish(*beside); });
    EXPECT_EQ(Finish(*session), expected);
    other.join();
    EXPECT_EQ(tokens, other_expected);
  }
}

INSTANTIATE_TEST_SUITE_P(PlainAndDrafted, TurnsOfSessions, testing::Bool());

constexpr int64_t kHourMicros = int64_t{3600} * 1000000;

// Waits an hour for each draft.
class WaitingDrafter : public Drafter {
 public:
  std::string_view name() const override { return "waiting"; }
  absl::Status Draft(const DraftRequest& request, TokenTree*) override {
    request.control.turn->AddWaited(kHourMicros);
    return absl::OkStatus();
  }
  void Accept(absl::Span<const Token>, const TokenTree&, const Walk&,
              const WalkFeatures&) override {}
  void Rollback(size_t) override {}
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override {
    return absl::UnimplementedError("");
  }
};

// What was waited is taken off, so that an hour of it leaves less than nothing.
TEST(TurnsOfGenerator, WaitingIsNoWork) {
  HeldExecutor* executor = nullptr;
  const std::shared_ptr<const Engine> engine = MakeHeldEngine(&executor);
  const std::shared_ptr<const Model> model = LoadTiny("tiny-llama", engine);
  Turn turn(*engine->turns);
  const PassControl control = {.turn = &turn};
  auto generator = *Generator::Create(*model, 8);
  auto sequence =
      *Sequence::Create(*engine->backend, model->cache_layout(), 64, 8);
  PassTimes times;
  Speculation speculation(PlannerOptions{.max_nodes = 8}, &times);
  speculation.AddDrafter(std::make_unique<WaitingDrafter>(),
                         DrafterKind::kFree);
  speculation.Begin({.strategy = Strategy::kNgram});
  Sampler sampler({}, model->endless_tokens());
  Lane lane(8);
  lane.sequence = sequence.get();
  lane.speculation = &speculation;
  lane.sampler = &sampler;
  lane.max_depth = 4;
  const std::vector<Token> text = {5};
  lane.text = text;
  Lane* const lanes[] = {&lane};
  executor->before = [&] { turn.AddWaited(kHourMicros); };

  ASSERT_TRUE(generator->Round(lanes, control).ok());

  EXPECT_LT(lane.times.draft_us, 0);
  EXPECT_LT(lane.times.forward_us, 0);
  // Nobody believes that.
  EXPECT_EQ(model->pass_times().num_recorded(), 0u);
}

TEST(TurnsOfDraftRunner, WaitingIsNoWork) {
  HeldExecutor* executor = nullptr;
  const std::shared_ptr<const Engine> engine = MakeHeldEngine(&executor);
  const std::shared_ptr<const Model> model = LoadTiny("tiny-llama", engine);
  auto drafter =
      *ModelDrafter::Create({.backend = engine->backend.get(),
                             .architecture = &model->architecture(),
                             .layout = &model->cache_layout(),
                             .weights = &model->weights(),
                             .proposable = model->samplable_tokens(),
                             .times = &model->draft_times()},
                            {.max_nodes = 16, .max_context_tokens = 256});
  Turn turn(*engine->turns);
  const std::vector<Token> text(100, 5);
  DraftRequest request;
  request.text = text;
  request.budget = {.max_nodes = 8, .max_depth = 7, .max_children = 1};
  request.is_forced = true;
  request.control.turn = &turn;
  TokenTree tree(16);
  for (const bool waits : {true, false}) {
    executor->before = [&] {
      if (waits) turn.AddWaited(kHourMicros);
    };
    drafter->Rollback(0);
    tree.Reset(text.back());
    ASSERT_TRUE(drafter->Draft(request, &tree).ok());
    EXPECT_EQ(drafter->joining_seconds() < 0.0, waits);
    EXPECT_EQ(model->draft_times().num_recorded() == 0, waits);
  }
}

}  // namespace
}  // namespace specinfer
