// By a tiny network whose words are nonsense: what must hold of any.
#include "src/speech/window_decoder.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "src/base/clock.h"
#include "src/speech/log_mel.h"
#include "src/speech/transcriber.h"
#include "tests/speech/recordings.h"
#include "tests/speech/tiny_whisper.h"

namespace specinfer {
namespace {

struct Said {
  std::vector<Token> tokens;
  float average_log_probability = 0.0f;
  float no_speech_probability = 0.0f;

  bool operator==(const Said&) const = default;
};

class WindowDecoderTest : public ::testing::Test {
 protected:
  // Two seconds of noise.
  static std::vector<float> MakeFrames(Memory& memory) {
    auto mel = LogMel::Create(80, memory);
    std::vector<float> frames(400 * 80);
    mel->ComputeWindow(MakeNoise(32000, 0.5), 400, absl::MakeSpan(frames));
    return frames;
  }

  static std::unique_ptr<WindowDecoder> MakeDecoder(
      std::shared_ptr<const Model> model,
      std::vector<float> temperatures = {0.0f, 0.7f}) {
    const std::vector<float> frames = MakeFrames(*model->engine().memory);
    FallbackOptions fallback;
    fallback.temperatures = std::move(temperatures);
    auto decoder = WindowDecoder::Create(std::move(model), fallback, {});
    EXPECT_TRUE(decoder.ok()) << decoder.status();
    EXPECT_TRUE((*decoder)->Encode(frames, {}).ok());
    return *std::move(decoder);
  }

  static Said Decode(WindowDecoder& decoder, const WindowRequest& request) {
    const auto decoded = decoder.Decode(request, {});
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    if (!decoded.ok()) return {};
    return {(*decoded)->tokens, (*decoded)->average_log_probability,
            (*decoded)->no_speech_probability};
  }

  // Each call may do one tile.
  Said DecodeInSlices(WindowDecoder& decoder, const WindowRequest& request) {
    num_slices_ = 1;
    while (true) {
      const auto decoded =
          decoder.Decode(request, {.deadline_us = NowMicros()});
      if (decoded.ok()) {
        return {(*decoded)->tokens, (*decoded)->average_log_probability,
                (*decoded)->no_speech_probability};
      }
      EXPECT_TRUE(absl::IsDeadlineExceeded(decoded.status()));
      if (!absl::IsDeadlineExceeded(decoded.status())) return {};
      ++num_slices_;
    }
  }

  int64_t num_slices_ = 0;
};

TEST_F(WindowDecoderTest, SaysTheSameWhateverIsExpected) {
  const auto decoder = MakeDecoder(LoadTinyWhisper());
  for (const bool has_timestamps : {true, false}) {
    WindowRequest request;
    request.prompt.has_timestamps = has_timestamps;
    request.strategy = Strategy::kOff;
    const Said plain = Decode(*decoder, request);
    ASSERT_GT(plain.tokens.size(), 8u);
    const int64_t plain_rounds = decoder->times().num_rounds;

    std::vector<Token> wrong = plain.tokens;
    for (size_t i = 2; i < wrong.size(); i += 5) wrong[i] = 65;
    const std::vector<Token> unrelated = {65, 66, 67, 68, 69, 70};
    request.strategy = Strategy::kAuto;
    for (const std::vector<Token>& expected :
         {plain.tokens, wrong, unrelated}) {
      request.expected = expected;
      EXPECT_EQ(Decode(*decoder, request), plain);
    }
    EXPECT_LT(decoder->times().num_rounds, 4 * plain_rounds);
  }
}

TEST_F(WindowDecoderTest, SaysTheSameOnEveryInstructionSetAndAnyThreads) {
  const auto reference = MakeDecoder(LoadTinyWhisper("cpu-reference"));
  const Said expected = Decode(*reference, {});
  for (const std::string& backend : testing::CpuBackends()) {
    for (const int num_threads : {1, 3}) {
      const auto model = LoadTinyWhisper(backend, num_threads);
      if (model == nullptr) continue;
      EXPECT_EQ(Decode(*MakeDecoder(model), {}), expected) << backend;
    }
  }
}

TEST_F(WindowDecoderTest, KeepsToTheRules) {
  const auto decoder = MakeDecoder(LoadTinyWhisper());
  const SpeechTokens& tokens = decoder->tokens();
  const Said said = Decode(*decoder, {});

  ASSERT_FALSE(said.tokens.empty());
  ASSERT_TRUE(tokens.IsTimestamp(said.tokens[0]));
  EXPECT_LE(tokens.Seconds(said.tokens[0]), 1.0);
  double last = 0.0;
  for (const Token token : said.tokens) {
    EXPECT_TRUE(tokens.IsText(token) || tokens.IsTimestamp(token)) << token;
    if (!tokens.IsTimestamp(token)) continue;
    EXPECT_GE(tokens.Seconds(token), last);
    last = tokens.Seconds(token);
  }
  EXPECT_LE(said.tokens.size(), 32u);  // half of the positions
}

TEST_F(WindowDecoderTest, StopsWhenItIsCancelledAndGoesOnAfterwards) {
  const auto decoder = MakeDecoder(LoadTinyWhisper());
  const Said said = Decode(*decoder, {});
  const std::atomic<bool> is_cancelled{true};

  EXPECT_TRUE(absl::IsCancelled(
      decoder->Decode({}, {.is_cancelled = &is_cancelled}).status()));
  EXPECT_EQ(Decode(*decoder, {}), said);
}

// Each call ends at once, with as little done as can be.
TEST_F(WindowDecoderTest, SaysTheSameInSlices) {
  const auto decoder = MakeDecoder(LoadTinyWhisper("cpu", /*num_threads=*/2));
  const std::vector<Token> previous = {72, 101, 108, 108, 111};
  const Said plain = Decode(*decoder, {});
  for (const bool has_timestamps : {true, false}) {
    for (const bool drafts : {true, false}) {
      WindowRequest request;
      request.prompt.has_timestamps = has_timestamps;
      request.prompt.previous = previous;
      request.strategy = drafts ? Strategy::kAuto : Strategy::kOff;
      if (drafts) request.expected = plain.tokens;
      const int64_t first_round = decoder->times().num_rounds;
      const Said whole = Decode(*decoder, request);
      const int64_t num_rounds = decoder->times().num_rounds - first_round;

      EXPECT_EQ(DecodeInSlices(*decoder, request), whole);
      EXPECT_GT(num_slices_, 3 * num_rounds);
      if (drafts) continue;  // whose trees depend on what passes take
      EXPECT_EQ(decoder->times().num_rounds, first_round + 2 * num_rounds);
    }
  }
}

// A prompt that takes more than one pass.
TEST_F(WindowDecoderTest, ReadsALongPromptInSlices) {
  const auto decoder = MakeDecoder(
      LoadTinyWhisper("cpu", /*num_threads=*/1, /*text_context=*/256));
  const std::vector<Token> previous(200, 72);
  WindowRequest request;
  request.prompt.previous = previous;
  const Said whole = Decode(*decoder, request);
  EXPECT_NE(whole, Decode(*decoder, {}));
  EXPECT_EQ(DecodeInSlices(*decoder, request), whole);
}

// Letters, so that some are whole at once, and pairs that break.
HotwordBias TinyHotwords(const WindowDecoder& decoder) {
  std::string hotwords;
  for (char first = 'a'; first <= 'z'; ++first) {
    hotwords += std::string(1, first) + ",";
    for (const char* end : {"xq", "ee", "r", "\xC3\xA9\xC3"})
      hotwords += first + std::string(end) + ",";
  }
  auto bias = HotwordBias::Create(decoder.tokens(), decoder.model().tokenizer(),
                                  hotwords, 3.0f);
  EXPECT_TRUE(bias.ok()) << bias.status();
  return *std::move(bias);
}

TEST_F(WindowDecoderTest, HearsHotwordsTheSameWhateverIsExpectedAndInSlices) {
  const auto decoder = MakeDecoder(LoadTinyWhisper("cpu", 2), {0.0f, 0.8f});
  const HotwordBias hotwords = TinyHotwords(*decoder);
  const std::vector<Token> previous = {72, 101, 108, 108, 111};
  int num_changed = 0;
  int64_t num_taken_back = 0;
  for (const bool has_timestamps : {true, false}) {
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      WindowRequest request;
      request.seed = seed;
      request.strategy = Strategy::kOff;
      request.prompt.has_timestamps = has_timestamps;
      if (seed % 2 == 0) request.prompt.previous = previous;
      const Said plain = Decode(*decoder, request);
      request.hotwords = &hotwords;
      const int64_t first_round = decoder->times().num_rounds;
      const int64_t first_token = decoder->times().num_tokens;
      const Said said = Decode(*decoder, request);
      num_changed += said.tokens != plain.tokens;
      num_taken_back += decoder->times().num_rounds - first_round -
                        (decoder->times().num_tokens - first_token);

      std::vector<Token> wrong = said.tokens;
      for (size_t i = 2; i < wrong.size(); i += 5) wrong[i] = 65;
      request.strategy = Strategy::kAuto;
      EXPECT_EQ(DecodeInSlices(*decoder, request), said);
      for (const std::vector<Token>& expected :
           {said.tokens, plain.tokens, wrong}) {
        request.expected = expected;
        EXPECT_EQ(Decode(*decoder, request), said);
        EXPECT_EQ(DecodeInSlices(*decoder, request), said);
      }
    }
  }
  EXPECT_GT(num_changed, 3);
  EXPECT_GT(num_taken_back, 3);
}

// Hotwords that are said change nothing, nor does a bonus of next to nothing.
TEST_F(WindowDecoderTest, HotwordsThatMakeNoDifferenceMakeNone) {
  const auto decoder = MakeDecoder(LoadTinyWhisper());
  const Said plain = Decode(*decoder, {});
  const auto hotwords = HotwordBias::Create(
      decoder->tokens(), decoder->model().tokenizer(), "x y z", 1e-6f);
  ASSERT_TRUE(hotwords.ok());
  EXPECT_EQ(Decode(*decoder, {.hotwords = &*hotwords}), plain);
}

TEST_F(WindowDecoderTest, KeepsTheBestOfSeveral) {
  const auto decoder = MakeDecoder(LoadTinyWhisper(), {0.7f});
  int num_changes = 0;
  for (const bool has_hotwords : {false, true}) {
    const HotwordBias hotwords = TinyHotwords(*decoder);
    WindowRequest request;
    request.stream = 7;
    if (has_hotwords) request.hotwords = &hotwords;
    std::vector<Said> singles;
    for (int32_t i = 0; i < 5; ++i) {
      request.stream = CandidateStream(7, i);
      singles.push_back(Decode(*decoder, request));
      for (int32_t j = 0; j < i; ++j) EXPECT_NE(singles[i], singles[j]);
    }
    request.stream = 7;
    Said best = singles[0];
    for (int32_t n = 1; n <= 5; ++n) {
      const Said& last = singles[static_cast<size_t>(n - 1)];
      if (last.average_log_probability > best.average_log_probability) {
        best = last;
        ++num_changes;
      }
      request.best_of = n;
      EXPECT_EQ(Decode(*decoder, request), best) << n;
      EXPECT_EQ(DecodeInSlices(*decoder, request), best) << n;
      EXPECT_GT(num_slices_, 10 * n);
      request.expected = singles[0].tokens;
      EXPECT_EQ(Decode(*decoder, request), best) << n;
      request.expected = {};
    }
  }
  EXPECT_GT(num_changes, 1);
}

// There is one likeliest text.
TEST_F(WindowDecoderTest, DrawsOnceAtTemperatureZero) {
  const auto decoder = MakeDecoder(LoadTinyWhisper(), {0.0f});
  const int64_t first_round = decoder->times().num_rounds;
  const Said said = Decode(*decoder, {.strategy = Strategy::kOff});
  const int64_t num_rounds = decoder->times().num_rounds - first_round;
  EXPECT_EQ(Decode(*decoder, {.strategy = Strategy::kOff, .best_of = 5}), said);
  EXPECT_EQ(decoder->times().num_rounds, first_round + 2 * num_rounds);
}

TEST_F(WindowDecoderTest, HearsTheSameInSlices) {
  const auto model = LoadTinyWhisper();
  const auto decoder = MakeDecoder(model);
  const Said said = Decode(*decoder, {});
  const std::vector<float> frames = MakeFrames(*model->engine().memory);
  int num_stops = 0;
  while (absl::IsDeadlineExceeded(
      decoder->Encode(frames, {.deadline_us = NowMicros()})))
    ++num_stops;
  EXPECT_GT(num_stops, 10);
  EXPECT_EQ(Decode(*decoder, {}), said);
}

TEST_F(WindowDecoderTest, CanBeAbandonedAnywhere) {
  const auto decoder = MakeDecoder(LoadTinyWhisper());
  const Said plain = Decode(*decoder, {});
  WindowRequest other;
  other.prompt.has_timestamps = false;
  const Said said = Decode(*decoder, other);
  ASSERT_NE(said, plain);
  WindowRequest request;
  request.expected = plain.tokens;
  for (int num_slices = 1;; num_slices += num_slices / 4 + 3) {
    for (int i = 0; i < num_slices; ++i) {
      const auto decoded =
          decoder->Decode(request, {.deadline_us = NowMicros()});
      if (decoded.ok()) return;  // all of its moments have been tried
      ASSERT_TRUE(absl::IsDeadlineExceeded(decoded.status()));
    }
    decoder->Abandon();
    ASSERT_EQ(Decode(*decoder, other), said) << num_slices;
  }
}

TEST_F(WindowDecoderTest, WaitsForMoreUrgentWork) {
  const auto model = LoadTinyWhisper();
  const auto decoder = MakeDecoder(model);
  const Said plain = Decode(*decoder, {});
  Turn turn(*model->engine().turns, Urgency::kRaised);
  Turn urgent(*model->engine().turns, Urgency::kHighest);
  {
    const ScopedTurn scoped(&urgent);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(absl::IsDeadlineExceeded(
          decoder
              ->Decode({}, {.deadline_us = NowMicros() + 2000, .turn = &turn})
              .status()));
    }
    EXPECT_GE(turn.waited_us(), 1);
  }
  const auto decoded = decoder->Decode({}, {.turn = &turn});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ((*decoded)->tokens, plain.tokens);
}

TEST_F(WindowDecoderTest, PromptsChangeWhatIsSaidAndPassAway) {
  const auto decoder = MakeDecoder(LoadTinyWhisper());
  const Said plain = Decode(*decoder, {});
  const std::vector<Token> previous = {72, 101, 108, 108, 111};
  WindowRequest request;
  request.prompt.previous = previous;
  EXPECT_NE(Decode(*decoder, request), plain);
  EXPECT_EQ(Decode(*decoder, {}), plain);
}

TEST(TinyTranscriberTest, CoversARecordingWindowByWindow) {
  auto transcriber = Transcriber::Create(LoadTinyWhisper(), {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  std::vector<float> done;
  TranscriptionOptions options;
  options.uses_previous_text = true;
  options.initial_prompt = "Hello";
  options.progress = [&](float fraction) {
    done.push_back(fraction);
    return true;
  };

  const auto result =
      (*transcriber)->Transcribe(MakeNoise(16000 * 40, 0.3), options);

  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_DOUBLE_EQ(result->audio_seconds, 40.0);
  EXPECT_GE(done.size(), 2u);
  EXPECT_EQ(done.back(), 1.0f);
  double last = 0.0;
  for (const Segment& segment : result->segments) {
    EXPECT_GE(segment.start, last);
    EXPECT_GE(segment.end, segment.start);
    EXPECT_LE(segment.end, 40.0);
    last = segment.start;
  }
}

TEST(TinyTranscriberTest, TakesAnyFormatAndRefusesOthers) {
  auto transcriber = Transcriber::Create(LoadTinyWhisper(), {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  const std::vector<float> sound = MakeNoise(48000, 0.3);
  TranscriptionOptions options;
  options.format = {.sample_rate = 48000, .num_channels = 2};
  const auto result = (*transcriber)->Transcribe(sound, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_DOUBLE_EQ(result->audio_seconds, 0.5);

  options.format.num_channels = 7;
  EXPECT_TRUE(absl::IsInvalidArgument(
      (*transcriber)->Transcribe(sound, options).status()));
  options.format = {};
  // Nobody reads what is longer than a day.
  const absl::Span<const float> endless(sound.data(),
                                        size_t{16000} * 3600 * 25);
  EXPECT_TRUE(absl::IsInvalidArgument(
      (*transcriber)->Transcribe(endless, options).status()));
}

TEST(TinyTranscriberTest, OfEnglishAloneTranslatesNothing) {
  auto transcriber = Transcriber::Create(LoadTinyWhisper(), {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  TranscriptionOptions options;
  options.task = SpeechTask::kTranslate;
  EXPECT_TRUE(absl::IsInvalidArgument(
      (*transcriber)->Transcribe(MakeNoise(16000, 0.3), options).status()));
}

TEST(TinyTranscriberTest, TimesEveryWord) {
  auto transcriber = Transcriber::Create(LoadTinyWhisper(), {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  TranscriptionOptions options;
  options.has_word_times = true;
  const auto result =
      (*transcriber)->Transcribe(MakeNoise(16000 * 40, 0.3), options);
  ASSERT_TRUE(result.ok()) << result.status();

  size_t num_words = 0;
  for (const Segment& segment : result->segments) {
    for (const SpokenWord& word : segment.words) {
      EXPECT_FALSE(word.text.empty());
      EXPECT_LE(word.start, word.end);
      EXPECT_GE(word.start, 0.0);
      EXPECT_LE(word.end, 40.0);
      EXPECT_GT(word.probability, 0.0f);
      EXPECT_LE(word.probability, 1.0f);
      ++num_words;
    }
  }
  EXPECT_GT(num_words, 2u);
}

TEST(TinyTranscriberTest, SaysTheSameWithWordsWhereThereAreNoTimestamps) {
  auto transcriber = Transcriber::Create(LoadTinyWhisper(), {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  std::string texts[2];
  for (const bool has_word_times : {false, true}) {
    TranscriptionOptions options;
    options.has_timestamps = false;
    options.has_word_times = has_word_times;
    const auto result =
        (*transcriber)->Transcribe(MakeNoise(16000 * 40, 0.3), options);
    ASSERT_TRUE(result.ok()) << result.status();
    for (const Segment& segment : result->segments) {
      texts[has_word_times] += segment.text;
      EXPECT_EQ(segment.words.empty(), !has_word_times);
    }
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_FALSE(texts[0].empty());
}

TEST(TinyTranscriberTest, NeedsAlignmentHeadsForWords) {
  auto transcriber = Transcriber::Create(
      LoadTinyWhisper("cpu", /*num_threads=*/1, /*text_context=*/64,
                      /*has_alignment_heads=*/false),
      {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  TranscriptionOptions options;
  options.has_word_times = true;
  const auto result =
      (*transcriber)->Transcribe(MakeNoise(16000, 0.3), options);
  EXPECT_TRUE(absl::IsFailedPrecondition(result.status())) << result.status();
  EXPECT_NE(result.status().ToString().find("alignment_heads"),
            std::string::npos);

  options.has_word_times = false;
  EXPECT_TRUE((*transcriber)->Transcribe(MakeNoise(16000, 0.3), options).ok());
}

TEST(TinyTranscriberTest, IsCancelledFromAnotherThread) {
  auto transcriber = Transcriber::Create(LoadTinyWhisper(), {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  std::thread other;
  TranscriptionOptions options;
  options.progress = [&](float) {
    if (!other.joinable())
      other = std::thread([&] { (*transcriber)->Cancel(); });
    return true;
  };
  const auto result =
      (*transcriber)->Transcribe(MakeNoise(16000 * 600, 0.3), options);
  other.join();
  EXPECT_TRUE(absl::IsCancelled(result.status())) << result.status();
}

}  // namespace
}  // namespace specinfer
