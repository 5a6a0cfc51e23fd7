// specinfer/live_speech.h with a made-up model: what it must refuse, who may
// call what when, and that sound gets through.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "include/specinfer/live_speech.h"
#include "tests/endtoend/c_api_fixture.h"
#include "tests/speech/recordings.h"
#include "tests/speech/tiny_whisper.h"

namespace specinfer_test {
namespace {

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;
constexpr specinfer_status kNotNow = SPECINFER_FAILED_PRECONDITION;

class CApiLive : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) /
        ("tiny-whisper-" +
         std::string(
             testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(folder_);
    for (const auto& [name, bytes] : specinfer::TinyWhisperFiles())
      std::ofstream(folder_ / name, std::ios::binary) << bytes;
    engine_ = CreateEngine();
    model_ = LoadModel(engine_, folder_.string());
    ASSERT_OK(specinfer_transcriber_create(model_.get(), &transcriber_));
  }
  void TearDown() override {
    specinfer_transcriber_destroy(transcriber_);
    model_.reset();
    std::filesystem::remove_all(folder_);
  }

  specinfer_status Listen() {
    return specinfer_transcriber_listen(transcriber_, nullptr, nullptr);
  }
  size_t Push(const std::vector<float>& samples) {
    size_t num_taken = 0;
    EXPECT_OK(specinfer_transcriber_push(transcriber_, samples.data(),
                                         samples.size(), &num_taken));
    return num_taken;
  }
  // The kinds of events up to the first NOTHING, or DONE.
  std::vector<int32_t> StepAll(uint64_t max_microseconds = 0) {
    std::vector<int32_t> kinds;
    while (true) {
      event_ = SPECINFER_SPEECH_EVENT_INIT;
      const specinfer_status status =
          specinfer_transcriber_step(transcriber_, max_microseconds, &event_);
      EXPECT_OK(status);
      if (status != SPECINFER_OK || event_.kind == SPECINFER_SPEECH_NOTHING)
        return kinds;
      kinds.push_back(event_.kind);
      if (event_.kind == SPECINFER_SPEECH_FINAL)
        text_.append(event_.text, event_.text_length);
      if (event_.kind == SPECINFER_SPEECH_DONE) return kinds;
    }
  }

  std::filesystem::path folder_;
  EngineOwner engine_;
  ModelOwner model_;
  specinfer_transcriber* transcriber_ = nullptr;
  specinfer_speech_event event_ = SPECINFER_SPEECH_EVENT_INIT;
  std::string text_;
};

TEST_F(CApiLive, TellsWhatIsSaid) {
  ASSERT_OK(Listen());
  EXPECT_EQ(StepAll(), std::vector<int32_t>{});
  EXPECT_EQ(Push(specinfer::MakeNoise(16000, 0.5)), 16000u);
  const std::vector<int32_t> begin = StepAll();
  ASSERT_FALSE(begin.empty());
  EXPECT_EQ(begin.front(), SPECINFER_SPEECH_BEGIN);
  EXPECT_OK(specinfer_transcriber_finish(transcriber_));
  const std::vector<int32_t> end = StepAll();
  ASSERT_GE(end.size(), 2u);
  EXPECT_EQ(end[end.size() - 2], SPECINFER_SPEECH_END);
  EXPECT_EQ(end.back(), SPECINFER_SPEECH_DONE);
  EXPECT_EQ(StepAll(), std::vector<int32_t>{});
}

TEST_F(CApiLive, StepsSayTheSameHoweverShort) {
  const std::vector<float> samples = specinfer::MakeNoise(16000, 0.5);
  specinfer_live_config live = SPECINFER_LIVE_CONFIG_INIT;
  live.partial_seconds = -1;
  std::string whole;
  for (const uint64_t max_microseconds : {uint64_t{0}, uint64_t{1}}) {
    ASSERT_OK(specinfer_transcriber_listen(transcriber_, nullptr, &live));
    Push(samples);
    EXPECT_OK(specinfer_transcriber_finish(transcriber_));
    text_.clear();
    StepAll(max_microseconds);
    EXPECT_FALSE(text_.empty());
    if (max_microseconds == 0) whole = text_;
    EXPECT_EQ(text_, whole);
    EXPECT_OK(specinfer_transcriber_stop(transcriber_));
  }
}

TEST_F(CApiLive, RefusesWhatMakesNoSense) {
  size_t num_taken = 0;
  const float sample = 0.0f;
  EXPECT_FAILS(specinfer_transcriber_listen(nullptr, nullptr, nullptr),
               kInvalid, "transcriber");
  EXPECT_FAILS(specinfer_transcriber_push(nullptr, &sample, 1, &num_taken),
               kInvalid, "transcriber");
  specinfer_live_config live = SPECINFER_LIVE_CONFIG_INIT;
  live.endpoint_seconds = -1;
  EXPECT_FAILS(specinfer_transcriber_listen(transcriber_, nullptr, &live),
               kInvalid, "endpoint_seconds");
  live = SPECINFER_LIVE_CONFIG_INIT;
  live.partial_seconds = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FAILS(specinfer_transcriber_listen(transcriber_, nullptr, &live),
               kInvalid, "partial_seconds");
  specinfer_transcription_config config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  config.language = "klingon";
  config.language_length = 7;
  EXPECT_FAILS(specinfer_transcriber_listen(transcriber_, &config, nullptr),
               kInvalid, "klingon");
  config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  config.num_channels = 2;
  ASSERT_OK(specinfer_transcriber_listen(transcriber_, &config, nullptr));
  EXPECT_FAILS(specinfer_transcriber_push(transcriber_, &sample, 1, &num_taken),
               kInvalid, "channels");
  EXPECT_FAILS(specinfer_transcriber_push(transcriber_, nullptr, 2, &num_taken),
               kInvalid, "samples");
  EXPECT_FAILS(specinfer_transcriber_push(transcriber_, &sample, 0, nullptr),
               kInvalid, "out_num_taken");
  EXPECT_FAILS(specinfer_transcriber_step(transcriber_, 0, nullptr), kInvalid,
               "out_event");
}

TEST_F(CApiLive, ListensOnlyAfterListen) {
  const float sample = 0.0f;
  size_t num_taken = 0;
  EXPECT_FAILS(specinfer_transcriber_push(transcriber_, &sample, 1, &num_taken),
               kNotNow, "specinfer_transcriber_listen");
  EXPECT_FAILS(specinfer_transcriber_step(transcriber_, 0, &event_), kNotNow,
               "specinfer_transcriber_listen");
  EXPECT_FAILS(specinfer_transcriber_pause(transcriber_), kNotNow, "listen");
  EXPECT_OK(specinfer_transcriber_stop(transcriber_));
}

TEST_F(CApiLive, DoesNothingElseMeanwhile) {
  const std::vector<float> samples = specinfer::MakeNoise(1600, 0.5);
  specinfer_transcription result = SPECINFER_TRANSCRIPTION_INIT;
  ASSERT_OK(Listen());
  EXPECT_FAILS(Listen(), kNotNow, "specinfer_transcriber_stop");
  EXPECT_FAILS(
      specinfer_transcriber_transcribe(transcriber_, samples.data(),
                                       samples.size(), nullptr, &result),
      kNotNow, "specinfer_transcriber_stop");
  Push(specinfer::MakeNoise(16000, 0.5));
  EXPECT_OK(specinfer_transcriber_finish(transcriber_));
  // Stopped in the middle of a pass.
  while (event_.kind != SPECINFER_SPEECH_WORKING)
    ASSERT_OK(specinfer_transcriber_step(transcriber_, 1, &event_));
  EXPECT_OK(specinfer_transcriber_stop(transcriber_));
  EXPECT_OK(specinfer_transcriber_transcribe(transcriber_, samples.data(),
                                             samples.size(), nullptr, &result));
}

// An audio thread that pushes, pauses and resumes while another steps, and a
// third that cancels now and then.
TEST_F(CApiLive, TakesSoundFromAnotherThread) {
  ASSERT_OK(Listen());
  const std::vector<float> block = specinfer::MakeNoise(480, 0.5);
  std::atomic<bool> is_over{false};
  std::thread audio([&] {
    size_t num_taken = 0;
    for (int i = 0; i < 200; ++i) {
      if (i % 80 == 50) {
        EXPECT_OK(specinfer_transcriber_pause(transcriber_));
      }
      if (i % 80 == 70) {
        EXPECT_OK(specinfer_transcriber_resume(transcriber_));
      }
      EXPECT_OK(specinfer_transcriber_push(transcriber_, block.data(),
                                           block.size(), &num_taken));
      EXPECT_EQ(num_taken, block.size());
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    EXPECT_OK(specinfer_transcriber_finish(transcriber_));
  });
  std::thread canceller([&] {
    while (!is_over) {
      specinfer_transcriber_cancel(transcriber_);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  int num_begins = 0, num_ends = 0;
  while (event_.kind != SPECINFER_SPEECH_DONE) {
    event_ = SPECINFER_SPEECH_EVENT_INIT;
    const specinfer_status status =
        specinfer_transcriber_step(transcriber_, 2000, &event_);
    ASSERT_TRUE(status == SPECINFER_OK || status == SPECINFER_CANCELLED)
        << specinfer_last_error();
    if (status != SPECINFER_OK) continue;
    num_begins += event_.kind == SPECINFER_SPEECH_BEGIN;
    num_ends += event_.kind == SPECINFER_SPEECH_END;
  }
  is_over = true;
  audio.join();
  canceller.join();
  EXPECT_GE(num_begins, 1);
  EXPECT_EQ(num_begins, num_ends);
  EXPECT_OK(specinfer_transcriber_stop(transcriber_));
}

}  // namespace
}  // namespace specinfer_test
