#include "src/sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/backend/noise.h"

namespace specinfer {
namespace {

constexpr int kVocabulary = 400;
constexpr float kNone = -std::numeric_limits<float>::infinity();

// Answers a query from a row of logits by the definition of HeadQuery.
void Answer(std::vector<float> row, const HeadQuery& query) {
  for (const Adjustment& adjustment : query.adjustments) {
    float& logit = row[adjustment.token];
    logit = logit > 0 ? logit / adjustment.repetition
                      : logit * adjustment.repetition;
    logit += adjustment.bias;
  }
  for (size_t i = 0; i < row.size(); ++i) {
    if (!query.allowed.empty() &&
        ((query.allowed[i / 64] >> (i % 64)) & 1) == 0)
      row[i] = kNone;
  }
  std::vector<Candidate> sorted;
  double sum = 0.0;
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i] > kNone) sorted.push_back({static_cast<Token>(i), row[i]});
    sum += std::exp(static_cast<double>(row[i]));
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const Candidate& a, const Candidate& b) {
              return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
            });
  if (query.log_sum_exp != nullptr) *query.log_sum_exp = std::log(sum);
  for (size_t i = 0; i < query.top.size(); ++i)
    query.top[i] = i < sorted.size() ? sorted[i] : Candidate{-1, kNone};
  for (size_t i = 0; i < query.full.size(); ++i) query.full[i] = row[i];
  if (query.arg_max != nullptr) {
    *query.arg_max = {-1, kNone};
    float best = kNone;
    for (const Candidate& candidate : sorted) {
      const float value = query.has_noise
                              ? candidate.logit * query.inverse_temperature +
                                    GumbelNoise(query.noise, candidate.token)
                              : candidate.logit;
      if (value > best) {
        best = value;
        *query.arg_max = candidate;
      }
    }
  }
}

std::vector<float> Row(int salt, float spread) {
  std::vector<float> row;
  for (int i = 0; i < kVocabulary; ++i) {
    const uint32_t bits = Philox(static_cast<uint64_t>(salt),
                                 {static_cast<uint32_t>(i), 0, 0, 0})[0];
    row.push_back(spread * (static_cast<float>(bits) * 0x1p-32f - 0.5f));
  }
  return row;
}

std::vector<uint64_t> AllTokens() {
  return std::vector<uint64_t>((kVocabulary + 63) / 64, ~uint64_t{0});
}

Token Choose(const SamplingOptions& options, const std::vector<float>& row,
             int64_t position, bool force_full = false) {
  const std::vector<uint64_t> allowed = AllTokens();
  Sampler sampler(options, allowed);
  SampleSlot slot;
  const HeadQuery query = sampler.Ask(0, position, {}, {}, {}, &slot);
  Answer(row, query);
  Token token = sampler.Choose(slot);
  if (token == Sampler::kNeedsFullRow || force_full) {
    Answer(row, sampler.AskFull(0, kVocabulary, &slot));
    token = sampler.ChooseFull(&slot);
  }
  return token;
}

TEST(Sampler, AtTemperatureZeroTakesTheLikeliest) {
  const std::vector<float> row = Row(1, 10);

  EXPECT_EQ(Choose({}, row, 0),
            std::max_element(row.begin(), row.end()) - row.begin());
}

TEST(Sampler, DependsOnSeedStreamAndPosition) {
  const std::vector<float> row(kVocabulary, 0.0f);
  SamplingOptions options;
  options.temperature = 1.0f;
  const Token first = Choose(options, row, 5);
  SamplingOptions other_seed = options;
  other_seed.seed = 2;
  SamplingOptions other_stream = options;
  other_stream.stream = 1;

  EXPECT_EQ(Choose(options, row, 5), first);
  EXPECT_NE(Choose(options, row, 6), first);
  EXPECT_NE(Choose(other_seed, row, 5), first);
  EXPECT_NE(Choose(other_stream, row, 5), first);
}

TEST(Sampler, DrawsTheSameFromCandidatesAndFromTheFullRow) {
  SamplingOptions options;
  options.temperature = 0.9f;
  options.top_p = 0.9f;
  for (int64_t position = 0; position < 200; ++position) {
    const std::vector<float> row =
        Row(static_cast<int>(position), position % 2 == 0 ? 20.0f : 2.0f);
    EXPECT_EQ(Choose(options, row, position),
              Choose(options, row, position, /*force_full=*/true));
  }
}

TEST(Sampler, AsksForTheFullRowWhereCandidatesDoNotReach) {
  const std::vector<uint64_t> allowed = AllTokens();
  SamplingOptions options;
  options.temperature = 1.0f;
  options.top_p = 0.99f;
  Sampler sampler(options, allowed);
  SampleSlot slot;
  Answer(std::vector<float>(kVocabulary, 0.0f),
         sampler.Ask(0, 0, {}, {}, {}, &slot));

  EXPECT_EQ(sampler.Choose(slot), Sampler::kNeedsFullRow);
}

TEST(Sampler, NeverChoosesABannedToken) {
  const std::vector<uint64_t> allowed = AllTokens();
  const std::vector<float> row = Row(1, 10);
  const Token likeliest = static_cast<Token>(
      std::max_element(row.begin(), row.end()) - row.begin());
  Sampler sampler({}, allowed);
  SampleSlot slot;
  Answer(row, sampler.Ask(0, 0, {}, {}, {&likeliest, 1}, &slot));

  EXPECT_NE(sampler.Choose(slot), likeliest);
  EXPECT_GE(sampler.Choose(slot), 0);
}

TEST(Sampler, SaysWhenNoTokenIsLeft) {
  const std::vector<uint64_t> none((kVocabulary + 63) / 64, 0);
  Sampler greedy({}, none);
  SamplingOptions options;
  options.temperature = 1.0f;
  options.top_k = 5;
  Sampler cut(options, none);
  SampleSlot slot;

  Answer(Row(1, 1), greedy.Ask(0, 0, {}, {}, {}, &slot));
  EXPECT_EQ(greedy.Choose(slot), Sampler::kNoToken);
  Answer(Row(1, 1), cut.Ask(0, 0, {}, {}, {}, &slot));
  EXPECT_EQ(cut.Choose(slot), Sampler::kNoToken);
  std::vector<float> law(kVocabulary);
  Answer(Row(1, 1), cut.AskLaw(0, 0, {}, {}, {}, absl::MakeSpan(law), &slot));
  EXPECT_EQ(cut.MakeLaw(slot, absl::MakeSpan(law)), Sampler::LawState::kEmpty);
  options.top_k = 0;
  Sampler uncut(options, none);
  Answer(Row(1, 1), uncut.AskLaw(0, 0, {}, {}, {}, absl::MakeSpan(law), &slot));
  EXPECT_EQ(uncut.MakeLaw(slot, absl::MakeSpan(law)),
            Sampler::LawState::kEmpty);
}

// The law of `row`, by all the ways there are to get it.
std::vector<float> MakeLaw(const SamplingOptions& options,
                           const std::vector<float>& row,
                           bool force_full = false) {
  const std::vector<uint64_t> allowed = AllTokens();
  Sampler sampler(options, allowed);
  SampleSlot slot;
  std::vector<float> law(kVocabulary, -1.0f);
  Answer(row, sampler.AskLaw(0, 0, {}, {}, {}, absl::MakeSpan(law), &slot));
  Sampler::LawState state = sampler.MakeLaw(slot, absl::MakeSpan(law));
  if (state == Sampler::LawState::kNeedsFullRow || force_full) {
    Answer(row, sampler.AskFullLaw(0, absl::MakeSpan(law), &slot));
    state = sampler.MakeFullLaw(slot, absl::MakeSpan(law));
  }
  EXPECT_EQ(state, Sampler::LawState::kComplete);
  return law;
}

TEST(Sampler, LawIsTheSoftmaxAtTheTemperature) {
  for (const float temperature : {0.3f, 1.0f, 2.5f}) {
    const std::vector<float> row = Row(3, 12);
    SamplingOptions options;
    options.temperature = temperature;
    const std::vector<float> law = MakeLaw(options, row);
    double sum = 0.0;
    for (const float logit : row)
      sum += std::exp(static_cast<double>(logit / temperature));
    double total = 0.0;
    for (size_t i = 0; i < row.size(); ++i) {
      const double expected =
          std::exp(static_cast<double>(row[i] / temperature)) / sum;
      EXPECT_NEAR(law[i], expected, 1e-8 + 4e-6 * expected);
      total += static_cast<double>(law[i]);
    }
    EXPECT_NEAR(total, 1.0, 1e-5);
  }
}

TEST(Sampler, LawIsTheSameFromCandidatesAndFromTheFullRow) {
  SamplingOptions options;
  options.temperature = 0.9f;
  options.top_p = 0.9f;
  for (int salt = 0; salt < 50; ++salt) {
    const std::vector<float> row = Row(salt, salt % 2 == 0 ? 20.0f : 2.0f);
    EXPECT_EQ(MakeLaw(options, row),
              MakeLaw(options, row, /*force_full=*/true));
  }
}

TEST(Sampler, LawGivesNothingToBannedTokensAndThoseThatAreCut) {
  const std::vector<uint64_t> allowed = AllTokens();
  const std::vector<float> row = Row(1, 10);
  const Token likeliest = static_cast<Token>(
      std::max_element(row.begin(), row.end()) - row.begin());
  SamplingOptions options;
  options.temperature = 1.0f;
  for (const int32_t top_k : {0, 3}) {
    options.top_k = top_k;
    Sampler sampler(options, allowed);
    SampleSlot slot;
    std::vector<float> law(kVocabulary);
    Answer(row, sampler.AskLaw(0, 0, {}, {}, {&likeliest, 1},
                               absl::MakeSpan(law), &slot));
    ASSERT_EQ(sampler.MakeLaw(slot, absl::MakeSpan(law)),
              Sampler::LawState::kComplete);
    EXPECT_EQ(law[static_cast<size_t>(likeliest)], 0.0f);
    EXPECT_EQ(std::count_if(law.begin(), law.end(),
                            [](float mass) { return mass > 0.0f; }),
              top_k == 0 ? kVocabulary - 1 : 3);
  }
}

TEST(Sampler, LawStaysFiniteAtAnyTemperature) {
  SamplingOptions options;
  for (const float temperature : {1e-45f, 1e-30f, 1e30f}) {
    options.temperature = temperature;
    double total = 0.0;
    for (const float mass : MakeLaw(options, Row(1, 50)))
      total += static_cast<double>(mass);
    EXPECT_NEAR(total, 1.0, 1e-5);
  }
}

// Chi-square over draws at many positions, against the law by its definition.
struct LawCase {
  const char* name;
  float temperature, top_p, min_p;
  int32_t top_k;
};

class SamplerLaw : public testing::TestWithParam<LawCase> {};

TEST_P(SamplerLaw, IsTheOneAskedFor) {
  const LawCase& law = GetParam();
  constexpr int kTokens = 8;
  constexpr int kDraws = 20000;
  std::vector<float> row(kVocabulary, kNone);
  const float logits[kTokens] = {2.0f, 1.5f,  1.0f,  0.3f,
                                 0.0f, -0.5f, -1.0f, -2.0f};
  std::copy(logits, logits + kTokens, row.begin());
  std::vector<double> expected(kTokens);
  double total = 0.0;
  for (int i = 0; i < kTokens; ++i) total += std::exp(logits[i]);
  int num_kept = law.top_k > 0 ? law.top_k : kTokens;
  double kept_mass = 0.0;
  for (int i = 0; i < num_kept; ++i) kept_mass += std::exp(logits[i]) / total;
  double mass = 0.0;
  for (int i = 0; i < num_kept; ++i) {
    mass += std::exp(logits[i]) / total / kept_mass;
    if (law.top_p < 1.0f && mass >= law.top_p) num_kept = i + 1;
  }
  while (num_kept > 1 && std::exp(logits[num_kept - 1] - logits[0]) < law.min_p)
    --num_kept;
  double norm = 0.0;
  for (int i = 0; i < num_kept; ++i)
    norm += expected[i] = std::exp(logits[i] / law.temperature);

  SamplingOptions options;
  options.temperature = law.temperature;
  options.top_p = law.top_p;
  options.min_p = law.min_p;
  options.top_k = law.top_k;
  std::vector<int> counts(kTokens, 0);
  for (int64_t position = 0; position < kDraws; ++position)
    ++counts[Choose(options, row, position)];

  double chi_square = 0.0;
  for (int i = 0; i < kTokens; ++i) {
    const double mean = kDraws * expected[i] / norm;
    if (i >= num_kept) {
      EXPECT_EQ(counts[i], 0) << i;
    } else {
      chi_square += (counts[i] - mean) * (counts[i] - mean) / mean;
    }
  }
  EXPECT_LT(chi_square,
            40.0);  // p < 1e-5 for 7 degrees of freedom; the seed is fixed

  const std::vector<float> numbers = MakeLaw(options, row);
  for (int i = 0; i < kVocabulary; ++i) {
    const double share = i < num_kept ? expected[i] / norm : 0.0;
    EXPECT_NEAR(numbers[i], share, 1e-6) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Laws, SamplerLaw,
                         testing::Values(LawCase{"Plain", 1.0f, 1.0f, 0.0f, 0},
                                         LawCase{"Cool", 0.5f, 1.0f, 0.0f, 0},
                                         LawCase{"TopK", 1.0f, 1.0f, 0.0f, 3},
                                         LawCase{"TopP", 0.8f, 0.7f, 0.0f, 0},
                                         LawCase{"MinP", 1.2f, 1.0f, 0.2f, 0},
                                         LawCase{"All", 0.7f, 0.9f, 0.1f, 6}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace specinfer
