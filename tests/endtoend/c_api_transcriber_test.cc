// specinfer/speech.h: what it must refuse, and who may call what when. With a
// real model and a real recording, where they are.
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "include/specinfer/speech.h"
#include "tests/endtoend/c_api_fixture.h"
#include "tests/speech/recordings.h"

namespace specinfer_test {
namespace {

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;

struct DestroyTranscriber {
  void operator()(specinfer_transcriber* transcriber) const {
    specinfer_transcriber_destroy(transcriber);
  }
};
using TranscriberOwner =
    std::unique_ptr<specinfer_transcriber, DestroyTranscriber>;

TranscriberOwner CreateTranscriber(const ModelOwner& model) {
  specinfer_transcriber* transcriber = nullptr;
  EXPECT_OK(specinfer_transcriber_create(model.get(), &transcriber));
  return TranscriberOwner(transcriber);
}

TEST(CApiTranscriberWithoutModel, RefusesNull) {
  specinfer_transcriber* transcriber = nullptr;
  specinfer_transcription transcription = SPECINFER_TRANSCRIPTION_INIT;
  specinfer_segment segment = SPECINFER_SEGMENT_INIT;
  const float sample = 0;

  specinfer_transcriber_destroy(nullptr);
  specinfer_transcriber_cancel(nullptr);
  EXPECT_FAILS(specinfer_transcriber_create(nullptr, &transcriber), kInvalid,
               "model");
  EXPECT_FAILS(specinfer_transcriber_transcribe(nullptr, &sample, 1, nullptr,
                                                &transcription),
               kInvalid, "transcriber");
  EXPECT_FAILS(specinfer_transcriber_get_segment(nullptr, 0, &segment),
               kInvalid, "transcriber");
  specinfer_word word = SPECINFER_WORD_INIT;
  EXPECT_FAILS(specinfer_transcriber_get_word(nullptr, 0, 0, &word), kInvalid,
               "transcriber");
  EXPECT_FAILS(specinfer_transcriber_use_voice_activity(nullptr, "a", 1),
               kInvalid, "transcriber");
  EXPECT_FAILS(specinfer_transcriber_use_draft_model(nullptr, nullptr),
               kInvalid, "transcriber");
  EXPECT_EQ(transcriber, nullptr);
}

TEST(CApiTranscriberWithoutModel, NeedsAModelOfSpeech) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  specinfer_transcriber* transcriber = nullptr;

  EXPECT_FAILS(specinfer_transcriber_create(model.get(), &transcriber),
               SPECINFER_FAILED_PRECONDITION, "model of speech");
  EXPECT_FAILS(specinfer_transcriber_create(model.get(), nullptr), kInvalid,
               "out_transcriber");
  EXPECT_EQ(transcriber, nullptr);
}

class CApiTranscriber : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = std::string(SPECINFER_MODELS) + "/whisper-tiny.en";
    samples_ = specinfer::ReadRecording("clips/jfk.wav");
    if (!std::filesystem::exists(path) || samples_.empty()) {
      GTEST_SKIP() << "no whisper-tiny.en in SPECINFER_MODELS (\""
                   << SPECINFER_MODELS
                   << "\") or no clips/jfk.wav in SPECINFER_DATA (\""
                   << SPECINFER_DATA << "\")";
    }
    engine_ = CreateEngine();
    model_ = LoadModel(engine_, path);
    transcriber_ = CreateTranscriber(model_);
  }

  specinfer_status Transcribe(const specinfer_transcription_config* config) {
    return specinfer_transcriber_transcribe(transcriber_.get(), samples_.data(),
                                            samples_.size(), config, &result_);
  }

  std::string Text() {
    std::string text;
    for (uint32_t i = 0; i < result_.num_segments; ++i) {
      specinfer_segment segment = SPECINFER_SEGMENT_INIT;
      EXPECT_OK(
          specinfer_transcriber_get_segment(transcriber_.get(), i, &segment));
      text.append(segment.text, segment.text_length);
    }
    return text;
  }

  std::vector<float> samples_;
  EngineOwner engine_;
  ModelOwner model_;
  TranscriberOwner transcriber_;
  specinfer_transcription_config config_ = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  specinfer_transcription result_ = SPECINFER_TRANSCRIPTION_INIT;
  specinfer_segment segment_ = SPECINFER_SEGMENT_INIT;
};

TEST_F(CApiTranscriber, TellsSegmentsInOrder) {
  ASSERT_OK(Transcribe(nullptr));

  EXPECT_NE(Text().find("what you can do for your country"), std::string::npos)
      << Text();
  EXPECT_STREQ(result_.language, "en");
  EXPECT_DOUBLE_EQ(result_.audio_seconds, 11.0);
  EXPECT_GT(result_.encode_seconds, 0);
  EXPECT_GT(result_.decode_seconds, 0);
  EXPECT_GT(result_.num_passes, 0u);
  double end = 0;
  for (uint32_t i = 0; i < result_.num_segments; ++i) {
    ASSERT_OK(
        specinfer_transcriber_get_segment(transcriber_.get(), i, &segment_));
    EXPECT_GE(segment_.start, end);
    EXPECT_GE(segment_.end, segment_.start);
    EXPECT_GT(segment_.num_tokens, 0u);
    EXPECT_NE(segment_.tokens, nullptr);
    EXPECT_LE(segment_.average_log_probability, 0);
    end = segment_.end;
  }
  EXPECT_LE(end, 11.0);
}

TEST_F(CApiTranscriber, LivesLongerThanTheHandlesItCameFrom) {
  model_.reset();
  engine_.reset();

  ASSERT_OK(Transcribe(nullptr));

  EXPECT_FALSE(Text().empty());
}

TEST_F(CApiTranscriber, TakesTwoChannels) {
  ASSERT_OK(Transcribe(nullptr));
  const std::string expected = Text();
  std::vector<float> stereo;
  for (const float sample : samples_) stereo.insert(stereo.end(), 2, sample);
  samples_ = stereo;
  config_.num_channels = 2;

  ASSERT_OK(Transcribe(&config_));

  EXPECT_EQ(Text(), expected);
  EXPECT_DOUBLE_EQ(result_.audio_seconds, 11.0);
}

TEST_F(CApiTranscriber, TakesSamplesThatAreNotFinite) {
  samples_[100] = std::numeric_limits<float>::quiet_NaN();
  samples_[200] = -std::numeric_limits<float>::infinity();
  samples_[300] = 1e30f;

  EXPECT_OK(Transcribe(nullptr));
}

TEST_F(CApiTranscriber, TakesNothing) {
  ASSERT_OK(specinfer_transcriber_transcribe(transcriber_.get(), nullptr, 0,
                                             nullptr, &result_));

  EXPECT_EQ(result_.num_segments, 0u);
  EXPECT_EQ(result_.audio_seconds, 0);
}

TEST_F(CApiTranscriber, SaysTheSameWhoeverGuesses) {
  ASSERT_OK(Transcribe(nullptr));
  const std::string said = Text();
  // Itself, which hears the same.
  ASSERT_OK(
      specinfer_transcriber_use_draft_model(transcriber_.get(), model_.get()));
  specinfer_transcription_config config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  for (int32_t strategy = SPECINFER_STRATEGY_AUTO;
       strategy <= SPECINFER_STRATEGY_EARLY_EXIT; ++strategy) {
    config.strategy = strategy;
    ASSERT_OK(Transcribe(&config));
    EXPECT_EQ(Text(), said) << strategy;
  }
  config.strategy = SPECINFER_STRATEGY_OFF;
  ASSERT_OK(Transcribe(&config));
  EXPECT_EQ(result_.num_passes, result_.num_tokens);
}

TEST_F(CApiTranscriber, RefusesWhatCannotGuess) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner text_model = LoadModel(engine);
  EXPECT_FAILS(specinfer_transcriber_use_draft_model(transcriber_.get(),
                                                     text_model.get()),
               SPECINFER_FAILED_PRECONDITION, "model of speech");
  specinfer_transcription_config config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  config.strategy = SPECINFER_STRATEGY_TREE;
  EXPECT_FAILS(Transcribe(&config), kInvalid, "smaller model");
  config.strategy = 6;
  EXPECT_FAILS(Transcribe(&config), kInvalid, "strategy");
  config.strategy = -1;
  EXPECT_FAILS(Transcribe(&config), kInvalid, "strategy");

  // Nothing of that changed anything.
  ASSERT_OK(specinfer_transcriber_use_draft_model(transcriber_.get(), nullptr));
  ASSERT_OK(Transcribe(nullptr));
}

constexpr char kVoiceActivity[] =
    SPECINFER_MODELS "/silero_vad_16k.safetensors";

TEST_F(CApiTranscriber, HearsOnlySpeechWithVoiceActivity) {
  if (!std::filesystem::exists(kVoiceActivity))
    GTEST_SKIP() << "no " << kVoiceActivity;
  ASSERT_OK(specinfer_transcriber_use_voice_activity(
      transcriber_.get(), kVoiceActivity, sizeof(kVoiceActivity) - 1));
  samples_.insert(samples_.begin(), 16000 * 30, 0.0f);
  ASSERT_OK(Transcribe(nullptr));
  EXPECT_NE(Text().find("what you can do for your country"), std::string::npos)
      << Text();
  EXPECT_DOUBLE_EQ(result_.audio_seconds, 41.0);
  EXPECT_LT(result_.speech_seconds, 12.5);
  ASSERT_OK(
      specinfer_transcriber_get_segment(transcriber_.get(), 0, &segment_));
  EXPECT_GT(segment_.start, 29.0);

  samples_ = specinfer::MakeNoise(16000 * 20, 0.1);
  ASSERT_OK(Transcribe(nullptr));
  EXPECT_EQ(result_.num_segments, 0u);
  EXPECT_EQ(result_.num_passes, 0u);
  EXPECT_EQ(result_.encode_seconds, 0);
  EXPECT_EQ(result_.speech_seconds, 0);

  // Without it again: the silence is heard, too.
  ASSERT_OK(
      specinfer_transcriber_use_voice_activity(transcriber_.get(), nullptr, 0));
  ASSERT_OK(Transcribe(nullptr));
  EXPECT_EQ(result_.speech_seconds, 20);
  EXPECT_GT(result_.encode_seconds, 0);
}

TEST_F(CApiTranscriber, RefusesWrongFilesOfVoiceActivity) {
  const auto use = [&](const std::string& path) {
    return specinfer_transcriber_use_voice_activity(transcriber_.get(),
                                                    path.data(), path.size());
  };
  EXPECT_FAILS(use(TinyModel("absent.safetensors")), SPECINFER_NOT_FOUND,
               "absent.safetensors");
  EXPECT_FAILS(use(SPECINFER_MODELS), kInvalid, "");
  EXPECT_FAILS(use(TinyModel()), kInvalid, "tiny-llama.gguf");
  EXPECT_FAILS(
      specinfer_transcriber_use_voice_activity(transcriber_.get(), nullptr, 4),
      kInvalid, "path");
  EXPECT_FAILS(
      specinfer_transcriber_use_voice_activity(transcriber_.get(), "a\0b", 3),
      kInvalid, "path");

  // Nothing of that changed anything.
  ASSERT_OK(Transcribe(nullptr));
  EXPECT_EQ(result_.speech_seconds, 11);
}

TEST_F(CApiTranscriber, AWrongFileLeavesTheLastVoiceActivity) {
  if (!std::filesystem::exists(kVoiceActivity))
    GTEST_SKIP() << "no " << kVoiceActivity;
  ASSERT_OK(specinfer_transcriber_use_voice_activity(
      transcriber_.get(), kVoiceActivity, sizeof(kVoiceActivity) - 1));
  const std::string wrong = TinyModel();
  EXPECT_EQ(specinfer_transcriber_use_voice_activity(
                transcriber_.get(), wrong.data(), wrong.size()),
            kInvalid);

  samples_.assign(16000, 0.0f);
  ASSERT_OK(Transcribe(nullptr));
  EXPECT_EQ(result_.speech_seconds, 0);
}

TEST_F(CApiTranscriber, RefusesWrongArguments) {
  EXPECT_FAILS(specinfer_transcriber_transcribe(transcriber_.get(), nullptr, 5,
                                                nullptr, &result_),
               kInvalid, "samples");
  EXPECT_FAILS(specinfer_transcriber_transcribe(
                   transcriber_.get(), samples_.data(), 5, nullptr, nullptr),
               kInvalid, "out_transcription");
  result_.struct_size = 4;
  EXPECT_FAILS(Transcribe(nullptr), kInvalid, "struct_size");
  result_ = SPECINFER_TRANSCRIPTION_INIT;
  config_.struct_size = 3;
  EXPECT_FAILS(Transcribe(&config_), kInvalid, "struct_size");
  EXPECT_EQ(result_.num_segments, 0u);
}

TEST_F(CApiTranscriber, RefusesWrongConfigs) {
  const auto refuses = [&](auto change, const char* part) {
    specinfer_transcription_config config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
    change(config);
    EXPECT_FAILS(Transcribe(&config), kInvalid, part);
  };
  refuses([](auto& config) { config.flags = 1u << 24; }, "flags");
  refuses([](auto& config) { config.flags = 1u << 31; }, "flags");
  refuses([](auto& config) { config.sample_rate = 3999; }, "3999 Hz");
  refuses([](auto& config) { config.sample_rate = UINT32_MAX; }, "rate");
  refuses([](auto& config) { config.num_channels = 33; }, "channels");
  refuses([](auto& config) { config.num_channels = UINT32_MAX; }, "channels");
  refuses([](auto& config) { config.num_channels = 3; }, "channels");
  refuses([](auto& config) { config.urgency = 3; }, "urgency");
  refuses([](auto& config) { config.urgency = -1; }, "urgency");
  refuses([](auto& config) { config.strategy = 6; }, "strategy");
  refuses([](auto& config) { config.hotword_bias = -1.0f; }, "hotword_bias");
  refuses([](auto& config) { config.hotword_bias = 20.5f; }, "hotword_bias");
  refuses([](auto& config) { config.hotword_bias = std::nanf(""); },
          "hotword_bias");
  refuses([](auto& config) { config.best_of = 65; }, "best_of");
  refuses([](auto& config) { config.language_length = 2; }, "language");
  refuses([](auto& config) { config.initial_prompt_length = 2; },
          "initial_prompt");
  refuses([](auto& config) { config.hotwords_length = 2; }, "hotwords");
  refuses(
      [](auto& config) {
        config.language = "klingon";
        config.language_length = 7;
      },
      "klingon");
}

TEST_F(CApiTranscriber, HearsHotwordsWhereTheyNearlyAre) {
  ASSERT_OK(Transcribe(nullptr));
  const std::string plain = Text();
  const auto hear = [&](const char* hotwords, float bias) {
    config_.hotwords = hotwords;
    config_.hotwords_length = std::strlen(hotwords);
    config_.hotword_bias = bias;
    EXPECT_OK(Transcribe(&config_));
    return Text();
  };
  EXPECT_EQ(hear("Kubernetes, Siobhan, Wojciech", SPECINFER_HOTWORD_BIAS),
            plain);
  EXPECT_NE(hear("Amerikans", 15.0f).find(" Amerikans"), std::string::npos);
  EXPECT_EQ(hear("", 15.0f), plain);
  // A program of the time before neither field was there.
  config_.struct_size = offsetof(specinfer_transcription_config, hotword_bias);
  config_.best_of = 1000;
  EXPECT_EQ(hear("", 15.0f), plain);
}

TEST_F(CApiTranscriber, RefusesSegmentsThatDoNotExist) {
  EXPECT_FAILS(
      specinfer_transcriber_get_segment(transcriber_.get(), 0, &segment_),
      SPECINFER_OUT_OF_RANGE, "segment 0");
  ASSERT_OK(Transcribe(nullptr));

  EXPECT_FAILS(specinfer_transcriber_get_segment(
                   transcriber_.get(), result_.num_segments, &segment_),
               SPECINFER_OUT_OF_RANGE, "segment");
  EXPECT_FAILS(specinfer_transcriber_get_segment(transcriber_.get(), SIZE_MAX,
                                                 &segment_),
               SPECINFER_OUT_OF_RANGE, "segment");
  EXPECT_FAILS(
      specinfer_transcriber_get_segment(transcriber_.get(), 0, nullptr),
      kInvalid, "out_segment");
  segment_.struct_size = 5;
  EXPECT_FAILS(
      specinfer_transcriber_get_segment(transcriber_.get(), 0, &segment_),
      kInvalid, "struct_size");
}

TEST_F(CApiTranscriber, TellsWordsInOrder) {
  config_.flags = SPECINFER_TRANSCRIBE_WORDS;
  ASSERT_OK(Transcribe(&config_));

  double last = 0;
  uint32_t num_words = 0;
  for (uint32_t i = 0; i < result_.num_segments; ++i) {
    ASSERT_OK(
        specinfer_transcriber_get_segment(transcriber_.get(), i, &segment_));
    num_words += segment_.num_words;
    std::string text;
    for (uint32_t j = 0; j < segment_.num_words; ++j) {
      specinfer_word word = SPECINFER_WORD_INIT;
      ASSERT_OK(
          specinfer_transcriber_get_word(transcriber_.get(), i, j, &word));
      text.append(word.text, word.text_length);
      EXPECT_GE(word.start, last);
      EXPECT_GE(word.end, word.start);
      EXPECT_GT(word.probability, 0.0f);
      last = word.start;
    }
    EXPECT_EQ(text, std::string(segment_.text, segment_.text_length));
  }
  EXPECT_EQ(num_words, 22u);
}

TEST_F(CApiTranscriber, HasNoWordsUnlessAskedFor) {
  specinfer_word word = SPECINFER_WORD_INIT;
  ASSERT_OK(Transcribe(nullptr));
  ASSERT_OK(
      specinfer_transcriber_get_segment(transcriber_.get(), 0, &segment_));
  EXPECT_EQ(segment_.num_words, 0u);
  EXPECT_FAILS(specinfer_transcriber_get_word(transcriber_.get(), 0, 0, &word),
               SPECINFER_OUT_OF_RANGE, "SPECINFER_TRANSCRIBE_WORDS");

  config_.flags = SPECINFER_TRANSCRIBE_WORDS;
  ASSERT_OK(Transcribe(&config_));
  EXPECT_FAILS(
      specinfer_transcriber_get_word(transcriber_.get(), 0, 1000, &word),
      SPECINFER_OUT_OF_RANGE, "word 1000");
  EXPECT_FAILS(
      specinfer_transcriber_get_word(transcriber_.get(), SIZE_MAX, 0, &word),
      SPECINFER_OUT_OF_RANGE, "segment");
  EXPECT_FAILS(
      specinfer_transcriber_get_word(transcriber_.get(), 0, 0, nullptr),
      kInvalid, "out_word");
  word.struct_size = 7;
  EXPECT_FAILS(specinfer_transcriber_get_word(transcriber_.get(), 0, 0, &word),
               kInvalid, "struct_size");
}

// As a program built before segments had words calls it.
TEST_F(CApiTranscriber, TellsSegmentsToOlderPrograms) {
  config_.flags = SPECINFER_TRANSCRIBE_WORDS;
  ASSERT_OK(Transcribe(&config_));
  segment_.struct_size = offsetof(specinfer_segment, num_words);
  segment_.num_words = 77;
  ASSERT_OK(
      specinfer_transcriber_get_segment(transcriber_.get(), 0, &segment_));
  EXPECT_EQ(segment_.num_words, 77u);
  EXPECT_GT(segment_.text_length, 0u);
}

TEST_F(CApiTranscriber, FailureForgetsTheLastSegments) {
  ASSERT_OK(Transcribe(nullptr));
  config_.progress = [](void*, float) -> int32_t { return 1; };

  EXPECT_EQ(Transcribe(&config_), SPECINFER_CANCELLED);

  EXPECT_EQ(specinfer_transcriber_get_segment(transcriber_.get(), 0, &segment_),
            SPECINFER_OUT_OF_RANGE);
}

TEST_F(CApiTranscriber, ProgressGrowsToTheEnd) {
  samples_.resize(70 * 16000);
  std::vector<float> fractions;
  config_.progress = [](void* user_data, float fraction) -> int32_t {
    static_cast<std::vector<float>*>(user_data)->push_back(fraction);
    return 0;
  };
  config_.progress_user_data = &fractions;

  ASSERT_OK(Transcribe(&config_));

  ASSERT_FALSE(fractions.empty());
  for (size_t i = 1; i < fractions.size(); ++i)
    EXPECT_GT(fractions[i], fractions[i - 1]);
  EXPECT_EQ(fractions.back(), 1.0f);
}

TEST_F(CApiTranscriber, ASecondCallerIsRefused) {
  config_.progress = [](void* user_data, float) -> int32_t {
    auto* transcriber = static_cast<specinfer_transcriber*>(user_data);
    specinfer_segment segment = SPECINFER_SEGMENT_INIT;
    EXPECT_FAILS(specinfer_transcriber_get_segment(transcriber, 0, &segment),
                 SPECINFER_FAILED_PRECONDITION, "in use");
    EXPECT_FAILS(
        specinfer_transcriber_use_voice_activity(transcriber, nullptr, 0),
        SPECINFER_FAILED_PRECONDITION, "in use");
    std::thread([transcriber] {
      const float sample = 0;
      specinfer_transcription result = SPECINFER_TRANSCRIPTION_INIT;
      EXPECT_FAILS(specinfer_transcriber_transcribe(transcriber, &sample, 1,
                                                    nullptr, &result),
                   SPECINFER_FAILED_PRECONDITION, "in use");
    }).join();
    return 0;
  };
  config_.progress_user_data = transcriber_.get();

  EXPECT_OK(Transcribe(&config_));
}

TEST_F(CApiTranscriber, CancelFromAnotherThread) {
  // Of several windows: the cancel comes while the second is not yet begun.
  const std::vector<float> once = samples_;
  for (int i = 0; i < 6; ++i)
    samples_.insert(samples_.end(), once.begin(), once.end());
  config_.progress = [](void* user_data, float) -> int32_t {
    std::thread([user_data] {
      specinfer_transcriber_cancel(
          static_cast<specinfer_transcriber*>(user_data));
    }).join();
    return 0;
  };
  config_.progress_user_data = transcriber_.get();

  EXPECT_EQ(Transcribe(&config_), SPECINFER_CANCELLED);

  samples_ = once;
  EXPECT_OK(Transcribe(nullptr));
  EXPECT_FALSE(Text().empty());
}

TEST_F(CApiTranscriber, CancelAtAnyMomentLeavesItUsable) {
  ASSERT_OK(Transcribe(nullptr));
  const std::string expected = Text();
  std::atomic<bool> is_stopping{false};
  std::thread canceller([&] {
    while (!is_stopping) {
      specinfer_transcriber_cancel(transcriber_.get());
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 5; ++i) {
    const specinfer_status status = Transcribe(nullptr);
    EXPECT_TRUE(status == SPECINFER_OK || status == SPECINFER_CANCELLED)
        << specinfer_last_error();
  }
  is_stopping = true;
  canceller.join();

  ASSERT_OK(Transcribe(nullptr));
  EXPECT_EQ(Text(), expected);
}

}  // namespace
}  // namespace specinfer_test
