// By a tiny network whose words are nonsense: whoever guesses them, they stay.
#include "src/speech/speech_drafters.h"

#include <vector>

#include "gtest/gtest.h"

#include "src/base/clock.h"
#include "src/speech/log_mel.h"
#include "src/speech/transcriber.h"
#include "src/speech/window_decoder.h"
#include "tests/speech/recordings.h"
#include "tests/speech/tiny_whisper.h"

namespace specinfer {
namespace {

constexpr Strategy kAllStrategies[] = {Strategy::kAuto,  Strategy::kOff,
                                       Strategy::kNgram, Strategy::kDraft,
                                       Strategy::kTree,  Strategy::kEarlyExit};

class SpeechDraftersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto decoder = WindowDecoder::Create(model_, {}, {});
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    decoder_ = *std::move(decoder);
    Hear(1);
  }

  // Two seconds of noise.
  std::vector<float> MakeFrames(uint32_t loudness) {
    auto mel = LogMel::Create(80, *model_->engine().memory);
    std::vector<float> frames(400 * 80);
    mel->ComputeWindow(MakeNoise(32000, 0.1 * loudness), 400,
                       absl::MakeSpan(frames));
    return frames;
  }
  void Hear(uint32_t loudness) {
    ASSERT_TRUE(decoder_->Encode(MakeFrames(loudness), {}).ok());
  }

  std::vector<Token> Decode(const WindowRequest& request,
                            bool in_slices = false) {
    const int64_t rounds_before = decoder_->times().num_rounds;
    while (true) {
      const int64_t deadline_us = in_slices ? NowMicros() : kNoDeadline;
      const auto decoded =
          decoder_->Decode(request, {.deadline_us = deadline_us});
      num_rounds_ = decoder_->times().num_rounds - rounds_before;
      if (decoded.ok()) return (*decoded)->tokens;
      EXPECT_TRUE(absl::IsDeadlineExceeded(decoded.status()))
          << decoded.status();
      if (!absl::IsDeadlineExceeded(decoded.status())) return {};
    }
  }

  // Of the tokens that the target says of window 1, how many a draft model
  // guesses that heard window `heard`.
  int NumRightGuesses(uint32_t heard) {
    WindowRequest request;
    request.prompt.has_timestamps = false;
    request.strategy = Strategy::kOff;
    request.tries_once = true;
    const std::vector<Token> said = Decode(request);
    auto drafter = SoundDrafter::Create(model_, *model_, decoder_->tokens(),
                                        /*max_nodes=*/8);
    EXPECT_TRUE(drafter.ok()) << drafter.status();
    (*drafter)->BeginWindow(MakeFrames(heard), /*target_seconds=*/1.0);
    EXPECT_DOUBLE_EQ((*drafter)->PredictJoining(4), 1.0);
    std::vector<Token> text =
        MakeSpeechPrompt(decoder_->tokens(), request.prompt, 64).tokens;
    int num_right = 0;
    for (const Token token : said) {
      TokenTree tree(8);
      tree.Reset(text.back());
      const std::vector<double> free(9, 1.0);
      EXPECT_TRUE((*drafter)
                      ->Draft({.text = text,
                               .budget = {.max_nodes = 2,
                                          .max_depth = 1,
                                          .max_children = 1,
                                          .pass_seconds = free}},
                              &tree)
                      .ok());
      num_right += tree.size() > 1 && tree.token(1) == token ? 1 : 0;
      (*drafter)->Rollback(text.size());
      text.push_back(token);
    }
    return num_right;
  }

  const std::shared_ptr<const Model> model_ = LoadTinyWhisper();
  std::unique_ptr<WindowDecoder> decoder_;
  int64_t num_rounds_ = 0;
};

TEST_F(SpeechDraftersTest, WhoeverGuessesTheTextIsTheSame) {
  ASSERT_TRUE(decoder_->UseDraftModel(model_).ok());
  for (const uint32_t sound : {1u, 3u, 5u}) {
    Hear(sound);
    for (const bool has_timestamps : {true, false}) {
      WindowRequest request;
      request.prompt.has_timestamps = has_timestamps;
      request.strategy = Strategy::kOff;
      const std::vector<Token> plain = Decode(request);
      ASSERT_GT(plain.size(), 8u);
      for (const Strategy strategy : kAllStrategies) {
        request.strategy = strategy;
        EXPECT_EQ(Decode(request), plain) << static_cast<int>(strategy);
        EXPECT_EQ(Decode(request, /*in_slices=*/true), plain)
            << static_cast<int>(strategy);
        decoder_->Learn(plain);
      }
    }
  }
}

// It is its own draft model, and says what it would say as the target.
TEST_F(SpeechDraftersTest, ADraftModelHearsTheWindow) {
  const int right = NumRightGuesses(/*heard=*/1);
  EXPECT_GE(right, 24);
  EXPECT_LT(NumRightGuesses(/*heard=*/7), right);
}

TEST_F(SpeechDraftersTest, WhatWasLearntIsGuessed) {
  auto sequence = Sequence::Create(*model_->engine().backend,
                                   model_->cache_layout(), 64, 64);
  ASSERT_TRUE(sequence.ok());
  auto drafters = SpeechDrafters::Create(*model_, decoder_->tokens(), nullptr,
                                         *sequence, 64);
  ASSERT_TRUE(drafters.ok()) << drafters.status();
  const std::vector<Token> text = {70, 71, 72, 73, 74, 75, 76};
  const auto guess = [&]() -> Token {
    EXPECT_TRUE((*drafters)->BeginText({}, Strategy::kNgram).ok());
    Speculation* const speculation = (*drafters)->BeginTry({});
    Proposal proposal(64);
    EXPECT_TRUE(speculation
                    ->Draft(absl::MakeConstSpan(text).first(4), 3,
                            /*max_depth=*/4, /*num_tokens_left=*/0, {},
                            &proposal)
                    .ok());
    const TokenTree& tree = proposal.tree();
    return tree.size() > 1 ? tree.token(1) : -1;
  };
  EXPECT_EQ(guess(), -1);
  (*drafters)->Learn(text);
  EXPECT_EQ(guess(), text[4]);
}

TEST_F(SpeechDraftersTest, StrategiesOfDraftModelsNeedOne) {
  for (const Strategy strategy : {Strategy::kDraft, Strategy::kTree}) {
    EXPECT_TRUE(absl::IsInvalidArgument(
        decoder_->Decode({.strategy = strategy}, {}).status()));
  }
  ASSERT_TRUE(decoder_->UseDraftModel(model_).ok());
  EXPECT_TRUE(decoder_->CheckStrategy(Strategy::kTree).ok());
  ASSERT_TRUE(decoder_->UseDraftModel(nullptr).ok());
  EXPECT_FALSE(decoder_->CheckStrategy(Strategy::kTree).ok());
}

TEST_F(SpeechDraftersTest, ADraftModelOfAnotherEngineIsRefused) {
  ASSERT_TRUE(decoder_->UseDraftModel(model_).ok());
  const absl::Status status = decoder_->UseDraftModel(LoadTinyWhisper());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(decoder_->CheckStrategy(Strategy::kTree).ok());
}

// 61 s, three windows, each with what the one before it left unfinished.
TEST_F(SpeechDraftersTest, ARecordingIsTheSameWithEveryStrategy) {
  auto transcriber = Transcriber::Create(model_, {});
  ASSERT_TRUE(transcriber.ok()) << transcriber.status();
  ASSERT_TRUE((*transcriber)->UseDraftModel(model_).ok());
  const std::vector<float> noise = MakeNoise(61 * 16000, 0.4);
  TranscriptionOptions options;
  options.language = "en";
  options.strategy = Strategy::kOff;
  const auto plain = (*transcriber)->Transcribe(noise, options);
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_FALSE(plain->segments.empty());
  for (const Strategy strategy : kAllStrategies) {
    options.strategy = strategy;
    const auto guessed = (*transcriber)->Transcribe(noise, options);
    ASSERT_TRUE(guessed.ok()) << guessed.status();
    ASSERT_EQ(guessed->segments.size(), plain->segments.size());
    for (size_t i = 0; i < plain->segments.size(); ++i) {
      EXPECT_EQ(guessed->segments[i].tokens, plain->segments[i].tokens);
      EXPECT_EQ(guessed->segments[i].start, plain->segments[i].start);
      EXPECT_EQ(guessed->segments[i].end, plain->segments[i].end);
    }
  }
}

}  // namespace
}  // namespace specinfer
