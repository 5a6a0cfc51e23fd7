#include "src/speech/token_aligner.h"

#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/forward/encoder.h"
#include "tests/speech/recordings.h"
#include "tests/speech/tiny_whisper.h"

namespace specinfer {
namespace {

constexpr int32_t kFrames = 400;

struct Aligned {
  std::vector<int32_t> positions;
  std::vector<float> probabilities;

  bool operator==(const Aligned&) const = default;
};

// A model that has heard four seconds of noise.
class TokenAlignerTest : public ::testing::Test {
 protected:
  void Hear(std::shared_ptr<const Model> model, int32_t max_rows = 64) {
    aligner_.reset();
    sequence_.reset();
    generator_.reset();
    model_ = std::move(model);  // what used the last one is gone
    const Architecture& architecture = model_->architecture();
    Backend& backend = *model_->engine().backend;
    tokens_ = std::make_unique<SpeechTokens>(*SpeechTokens::Create(
        model_->tokenizer(), architecture.vocabulary_size));
    const std::shared_ptr<Sequence> memory = *Sequence::Create(
        backend, model_->cache_layout(CacheType::kQ8), 1500, 1500);
    auto encoder = *Encoder::Create(backend, architecture, model_->weights(), 1,
                                    CacheType::kQ8);
    const std::vector<float> mel =
        testing::RandomFloats(size_t{kFrames} * 80, 9, 1.0f);
    const EncoderWindow window = {.mel = mel, .memory = memory.get()};
    ASSERT_TRUE(encoder->Encode({&window, 1}, {}).ok());
    generator_ = *Generator::Create(*model_, max_rows);
    sequence_ = *Sequence::Create(backend, model_->cache_layout(),
                                  architecture.max_context, max_rows);
    sequence_->Bind(memory);
    aligner_ = std::make_unique<TokenAligner>(*model_, *tokens_);
  }

  absl::StatusOr<TokenTimes> Align(absl::Span<const Token> text,
                                   const PassControl& control = {}) {
    return aligner_->Align({.text = text, .num_frames = kFrames}, *generator_,
                           *sequence_, control);
  }
  Aligned MustAlign(absl::Span<const Token> text) {
    const auto times = Align(text);
    EXPECT_TRUE(times.ok()) << times.status();
    if (!times.ok()) return {};
    return {{times->positions.begin(), times->positions.end()},
            {times->probabilities.begin(), times->probabilities.end()}};
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<SpeechTokens> tokens_;
  std::unique_ptr<Generator> generator_;
  std::unique_ptr<Sequence> sequence_;
  std::unique_ptr<TokenAligner> aligner_;
};

const std::vector<Token> kText = {72, 101, 108, 108, 111, 32, 87, 111, 114};

TEST_F(TokenAlignerTest, PositionsGrowWithinTheSound) {
  Hear(LoadTinyWhisper());
  const Aligned aligned = MustAlign(kText);

  ASSERT_EQ(aligned.positions.size(), kText.size() + 1);
  int32_t last = 0;
  for (const int32_t position : aligned.positions) {
    EXPECT_GE(position, last);
    last = position;
  }
  EXPECT_LT(last, kFrames / 2);
  EXPECT_GT(last, 0);
}

// The softmax over the logits of text alone.
TEST_F(TokenAlignerTest, ProbabilitiesAreThoseAmongText) {
  Hear(LoadTinyWhisper());
  const Aligned aligned = MustAlign(kText);
  ASSERT_EQ(aligned.probabilities.size(), kText.size());

  std::vector<Token> rows = {tokens_->start_of_transcript(),
                             tokens_->no_timestamps()};
  rows.insert(rows.end(), kText.begin(), kText.end());
  std::vector<float> logits(
      static_cast<size_t>(model_->architecture().vocabulary_size));
  for (size_t i = 0; i < kText.size(); ++i) {
    const int32_t row = static_cast<int32_t>(i) + 1;
    const HeadQuery query = {.full = absl::MakeSpan(logits)};
    ASSERT_TRUE(
        generator_
            ->ForwardUncommitted(
                *sequence_, rows,
                {.rows = {&row, 1}, .queries = absl::MakeConstSpan(&query, 1)},
                {})
            .ok());
    double sum = 0.0;
    for (Token token = 0; token < tokens_->end_of_text(); ++token)
      sum += std::exp(double{logits[static_cast<size_t>(token)]});
    EXPECT_NEAR(aligned.probabilities[i],
                std::exp(double{logits[static_cast<size_t>(kText[i])]}) / sum,
                1e-5);
  }
}

TEST_F(TokenAlignerTest, ReadsTheTextInAnyChunks) {
  Hear(LoadTinyWhisper());
  const Aligned whole = MustAlign(kText);
  for (const int32_t max_rows : {1, 4, 11}) {
    Hear(LoadTinyWhisper(), max_rows);
    EXPECT_EQ(MustAlign(kText), whole) << max_rows;
    EXPECT_EQ(MustAlign(kText), whole) << "again";
  }
}

TEST_F(TokenAlignerTest, IsTheSameOnEveryInstructionSet) {
  Hear(LoadTinyWhisper("cpu-reference"));
  const Aligned expected = MustAlign(kText);
  for (const std::string& backend : testing::CpuBackends()) {
    const auto model = LoadTinyWhisper(backend, 3);
    if (model == nullptr) continue;
    Hear(model);
    EXPECT_EQ(MustAlign(kText), expected) << backend;
  }
}

TEST_F(TokenAlignerTest, TakesAsMuchAsTheContextHolds) {
  Hear(LoadTinyWhisper());
  // 64 positions: three of them are start, no timestamps and end.
  EXPECT_EQ(MustAlign(std::vector<Token>(61, 65)).positions.size(), 62u);
  EXPECT_TRUE(
      absl::IsInvalidArgument(Align(std::vector<Token>(62, 65)).status()));
}

TEST_F(TokenAlignerTest, RefusesWhatIsNoText) {
  Hear(LoadTinyWhisper());
  for (const Token token : {tokens_->end_of_text(), tokens_->timestamp_begin(),
                            Token{-1}, Token{1 << 20}}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(Align(std::vector<Token>{65, token}).status()));
  }
}

TEST_F(TokenAlignerTest, NeedsToKnowTheHeads) {
  Hear(LoadTinyWhisper("cpu", /*num_threads=*/1, /*text_context=*/64,
                       /*has_alignment_heads=*/false));
  EXPECT_TRUE(absl::IsFailedPrecondition(Align(kText).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(aligner_->CheckHeads()));
}

TEST_F(TokenAlignerTest, StopsWhenItIsCancelledAndWorksAfterwards) {
  Hear(LoadTinyWhisper());
  const Aligned aligned = MustAlign(kText);
  const std::atomic<bool> is_cancelled{true};

  EXPECT_TRUE(absl::IsCancelled(
      Align(kText, {.is_cancelled = &is_cancelled}).status()));
  EXPECT_EQ(MustAlign(kText), aligned);
}

}  // namespace
}  // namespace specinfer
