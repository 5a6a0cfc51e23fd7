#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "backends/cpu/cpu_buffer.h"
#include "src/backend/noise.h"
#include "tests/backend/weight_cases.h"

namespace specinfer::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kWidth = 64;
constexpr int64_t kVocabulary = 2 * 4096 + 1003;  // two whole chunks and a part
constexpr int64_t kRows = 5;

HeadQuery OfRow(int32_t row, absl::Span<const uint64_t> allowed = {}) {
  HeadQuery query;
  query.row = row;
  query.allowed = allowed;
  return query;
}

bool ComesFirst(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

struct HeadCase {
  Isa isa;
  int num_threads;
};

std::vector<HeadCase> AllCases() {
  std::vector<HeadCase> cases;
  for (const Isa isa : MachineIsas()) {
    cases.push_back({isa, 1});
    cases.push_back({isa, 2});
  }
  return cases;
}

std::string CaseName(const ::testing::TestParamInfo<HeadCase>& info) {
  return std::string(IsaName(info.param.isa)) + "With" +
         std::to_string(info.param.num_threads);
}

class HeadTest : public ::testing::TestWithParam<HeadCase> {
 protected:
  HeadTest()
      : bench_(GetParam().isa, GetParam().num_threads,
               {.max_rows = 128,
                .max_inputs = kWidth,
                .max_vocabulary = kVocabulary}) {
    UseTable(DType::kQ8_0, RandomWeightBytes(DType::kQ8_0, kVocabulary, kWidth,
                                             WeightKind::kSane, 1));
    UseHidden(RandomFloats(kRows * kWidth, 2), kRows);
  }

  void UseTable(DType dtype, const std::vector<uint8_t>& bytes) {
    table_ = bench_.Pack(
        dtype,
        bytes.size() / (dtype == DType::kF32 ? kWidth * 4 : kWidth / 32 * 34),
        kWidth, bytes);
    args_.weight = table_.get();
  }
  void UseHidden(const std::vector<float>& hidden, int64_t rows) {
    hidden_ = hidden;
    args_.hidden = bench_.MakeTensor(rows, kWidth, hidden);
  }

  void Ask(absl::Span<const HeadQuery> queries) {
    args_.queries = queries;
    const absl::Status status = bench_.Head(args_);
    ASSERT_TRUE(status.ok()) << status;
  }

  std::vector<float> FullRow(HeadQuery query) {
    std::vector<float> full(table_->outputs);
    query.full = absl::MakeSpan(full);
    Ask({query});
    return full;
  }
  Candidate ArgMax(HeadQuery query) {
    Candidate best;
    query.arg_max = &best;
    Ask({query});
    return best;
  }
  std::vector<Candidate> Top(HeadQuery query, int64_t count) {
    std::vector<Candidate> top(count);
    query.top = absl::MakeSpan(top);
    Ask({query});
    return top;
  }
  double LogSumExp(HeadQuery query) {
    double sum = 0.0;
    query.log_sum_exp = &sum;
    Ask({query});
    return sum;
  }

  Workbench bench_;
  std::unique_ptr<Weight> table_;
  std::vector<float> hidden_;
  HeadArgs args_;
};

std::vector<Candidate> SortedCandidates(const std::vector<float>& full) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < full.size(); ++i) {
    if (full[i] != -kInfinity) all.push_back({static_cast<Token>(i), full[i]});
  }
  std::sort(all.begin(), all.end(), ComesFirst);
  return all;
}

void ExpectSameCandidates(const std::vector<Candidate>& a,
                          const std::vector<Candidate>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].token, b[i].token) << "place " << i;
    ASSERT_EQ(a[i].logit, b[i].logit) << "place " << i;
  }
}

// A bit set without the tokens that `is_banned` names.
template <typename Predicate>
std::vector<uint64_t> AllowedExcept(Predicate is_banned) {
  std::vector<uint64_t> allowed((kVocabulary + 63) / 64);
  for (int64_t token = 0; token < kVocabulary; ++token) {
    if (!is_banned(token)) allowed[token / 64] |= uint64_t{1} << (token % 64);
  }
  return allowed;
}

TEST_P(HeadTest, FullRowEqualsTheLinearLayer) {
  std::vector<float> rows;
  for (int32_t row = 0; row < kRows; ++row) {
    const std::vector<float> full = FullRow(OfRow(row));
    rows.insert(rows.end(), full.begin(), full.end());
  }

  const std::vector<float> hidden = hidden_;
  EXPECT_EQ(FirstDifference(rows, bench_.Linear(*table_, kRows, hidden)), "");
}

TEST_P(HeadTest, MultipliesThenCapsLogitsSoftly) {
  const std::vector<float> plain = FullRow(OfRow(1));
  args_.multiplier = 0.75f;
  args_.soft_cap = 2.0f;

  const std::vector<float> capped = FullRow(OfRow(1));

  for (size_t i = 0; i < plain.size(); ++i) {
    ASSERT_NEAR(capped[i], 2.0 * std::tanh(double{plain[i]} * 0.75 / 2.0), 1e-6)
        << i;
  }
}

TEST_P(HeadTest, TopIsTheBeginningOfTheSortedFullRow) {
  const std::vector<Candidate> sorted = SortedCandidates(FullRow(OfRow(2)));

  for (const int64_t count : {1, 2, 40, 4096, 5000}) {
    ExpectSameCandidates(Top(OfRow(2), count),
                         {sorted.begin(), sorted.begin() + count});
  }
}

TEST_P(HeadTest, OfTheFirstTokensKnowsNoOthers) {
  for (const int32_t num_tokens : {100, 4096, 5000}) {
    std::vector<float> cut = FullRow(OfRow(2));
    std::fill(cut.begin() + num_tokens, cut.end(), -kInfinity);
    const std::vector<Candidate> sorted = SortedCandidates(cut);
    double sum = 0.0;
    for (const float logit : cut) sum += std::exp(double{logit});
    args_.num_tokens = num_tokens;

    EXPECT_EQ(FullRow(OfRow(2)), cut);
    ExpectSameCandidates(Top(OfRow(2), 40),
                         {sorted.begin(), sorted.begin() + 40});
    ExpectSameCandidates({ArgMax(OfRow(2))}, {sorted[0]});
    EXPECT_NEAR(LogSumExp(OfRow(2)), std::log(sum), 1e-5);
    args_.num_tokens = 0;
  }
}

TEST_P(HeadTest, TopBeyondTheVocabularyIsFilledWithNoToken) {
  const std::vector<uint64_t> allowed =
      AllowedExcept([](int64_t token) { return token != 7 && token != 5000; });

  const std::vector<Candidate> top = Top(OfRow(0, allowed), 4);

  EXPECT_EQ((std::vector<Token>{top[2].token, top[3].token}),
            (std::vector<Token>{-1, -1}));
  EXPECT_EQ((std::vector<Token>{std::min(top[0].token, top[1].token),
                                std::max(top[0].token, top[1].token)}),
            (std::vector<Token>{7, 5000}));
}

TEST_P(HeadTest, ArgMaxWithoutNoiseIsTheFirstOfTheTop) {
  for (int32_t row = 0; row < kRows; ++row) {
    ExpectSameCandidates({ArgMax(OfRow(row))}, Top(OfRow(row), 1));
  }
}

TEST_P(HeadTest, ArgMaxWithNoiseIsTheGreatestNoisyLogitOfTheFullRow) {
  for (const float inverse_temperature : {0.01f, 1.0f, 3.0f}) {
    for (int64_t position = 0; position < 40; ++position) {
      HeadQuery query = OfRow(3);
      query.has_noise = true;
      query.inverse_temperature = inverse_temperature;
      query.noise = {
          .seed = 11, .stream = uint64_t{5} << 32 | 9, .position = position};
      const std::vector<float> full = FullRow(query);
      Token best = 0;
      float best_value = -kInfinity;
      for (Token token = 0; token < kVocabulary; ++token) {
        const float value =
            full[token] * inverse_temperature + GumbelNoise(query.noise, token);
        if (value > best_value) {
          best = token;
          best_value = value;
        }
      }

      ExpectSameCandidates({ArgMax(query)}, {{best, full[best]}});
    }
  }
}

TEST_P(HeadTest, LogSumExpIsNearTheDoublePrecisionOracle) {
  for (int32_t row = 0; row < kRows; ++row) {
    const std::vector<float> full = FullRow(OfRow(row));
    double sum = 0.0;
    for (const float logit : full) sum += std::exp(double{logit});

    EXPECT_NEAR(LogSumExp(OfRow(row)), std::log(sum), 2e-6);
  }
}

TEST_P(HeadTest, EqualLogitsGoToTheLowestToken) {
  std::vector<uint8_t> bytes = RandomWeightBytes(DType::kQ8_0, kVocabulary,
                                                 kWidth, WeightKind::kSane, 1);
  const int64_t row_bytes = kWidth / 32 * 34;
  const Token best = ArgMax(OfRow(0)).token;
  // The winner's row again, in other groups and chunks.
  for (const Token copy : {100, 4097, 9000}) {
    std::copy_n(bytes.begin() + best * row_bytes, row_bytes,
                bytes.begin() + copy * row_bytes);
  }
  UseTable(DType::kQ8_0, bytes);
  std::vector<Token> expected = {best, 100, 4097, 9000};
  std::sort(expected.begin(), expected.end());
  expected.erase(std::unique(expected.begin(), expected.end()), expected.end());

  const std::vector<Candidate> top = Top(OfRow(0), expected.size());

  EXPECT_EQ(ArgMax(OfRow(0)).token, expected[0]);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(top[i].token, expected[i]);
}

TEST_P(HeadTest, AllEqualLogitsGoToTheLowestAllowedToken) {
  UseHidden(std::vector<float>(kWidth, 0.0f), 1);
  const std::vector<uint64_t> allowed =
      AllowedExcept([](int64_t token) { return token < 5003; });

  EXPECT_EQ(ArgMax(OfRow(0)).token, 0);
  EXPECT_EQ(Top(OfRow(0), 3)[2].token, 2);
  EXPECT_EQ(ArgMax(OfRow(0, allowed)).token, 5003);
  EXPECT_EQ(Top(OfRow(0, allowed), 3)[2].token, 5005);
  EXPECT_NEAR(LogSumExp(OfRow(0)), std::log(double{kVocabulary}), 1e-6);
}

TEST_P(HeadTest, BannedTokensDoNotExist) {
  const std::vector<float> plain = FullRow(OfRow(4));
  const std::vector<uint64_t> allowed =
      AllowedExcept([](int64_t token) { return token % 3 != 1; });
  HeadQuery query = OfRow(4, allowed);

  const std::vector<float> full = FullRow(query);

  double sum = 0.0;
  for (int64_t token = 0; token < kVocabulary; ++token) {
    ASSERT_EQ(full[token], token % 3 == 1 ? plain[token] : -kInfinity);
    if (token % 3 == 1) sum += std::exp(double{plain[token]});
  }
  ExpectSameCandidates(Top(query, 50), [&] {
    std::vector<Candidate> sorted = SortedCandidates(full);
    sorted.resize(50);
    return sorted;
  }());
  EXPECT_NEAR(LogSumExp(query), std::log(sum), 2e-6);
  EXPECT_EQ(ArgMax(query).token % 3, 1);
}

TEST_P(HeadTest, WhereEverythingIsBannedTheAnswerIsNoToken) {
  const std::vector<uint64_t> allowed((kVocabulary + 63) / 64);
  HeadQuery query = OfRow(0, allowed);

  EXPECT_EQ(ArgMax(query).token, -1);
  EXPECT_EQ(Top(query, 2)[0].token, -1);
  EXPECT_EQ(LogSumExp(query), -std::numeric_limits<double>::infinity());
  query.has_noise = true;
  EXPECT_EQ(ArgMax(query).token, -1);
}

TEST_P(HeadTest, AdjustmentsChangeTheirTokensOnly) {
  const std::vector<float> plain = FullRow(OfRow(1));
  const std::vector<Adjustment> adjustments = {
      {.token = 0, .repetition = 2.0f},
      {.token = 4095, .bias = 100.0f},
      {.token = 4096, .repetition = 1.5f, .bias = -1.0f},
      {.token = 9194, .bias = -kInfinity}};
  HeadQuery query = OfRow(1);
  query.adjustments = adjustments;

  const std::vector<float> full = FullRow(query);

  std::vector<float> expected = plain;
  expected[0] = plain[0] > 0 ? plain[0] / 2.0f : plain[0] * 2.0f;
  expected[4095] = plain[4095] + 100.0f;
  expected[4096] =
      (plain[4096] > 0 ? plain[4096] / 1.5f : plain[4096] * 1.5f) - 1.0f;
  expected[9194] = -kInfinity;
  EXPECT_EQ(FirstDifference(full, expected), "");
  EXPECT_EQ(ArgMax(query).token, 4095);
  EXPECT_EQ(Top(query, 1)[0].token, 4095);
}

TEST_P(HeadTest, ScoresOneTokenAsInTheFullRow) {
  const std::vector<float> full = FullRow(OfRow(2));
  for (const Token token : {0, 4095, 4096, 9194}) {
    float score = 0.0f;
    HeadQuery query = OfRow(2);
    query.score_token = token;
    query.score = &score;
    Ask({query});
    EXPECT_EQ(score, full[token]);
  }
}

TEST_P(HeadTest, ManyQueriesAtOnceAnswerLikeEachAlone) {
  UseHidden(RandomFloats(100 * kWidth, 7), 100);
  std::vector<HeadQuery> queries;
  std::vector<std::vector<Candidate>> tops(100);
  std::vector<Candidate> bests(100);
  std::vector<double> sums(100);
  for (int32_t i = 0; i < 100; ++i) {
    tops[i].resize(i % 7 == 0 ? 0 : i % 11 == 0 ? 3000 : i);
    HeadQuery query = OfRow(i % 13 == 0 ? 50 : i);
    query.arg_max = &bests[i];
    query.has_noise = i % 2 == 1;
    query.noise = {.seed = 3, .position = i};
    query.top = absl::MakeSpan(tops[i]);
    query.log_sum_exp = &sums[i];
    queries.push_back(query);
  }

  Ask(queries);

  for (int32_t i = 0; i < 100; ++i) {
    HeadQuery alone = queries[i];
    alone.arg_max = nullptr;
    alone.top = {};
    alone.log_sum_exp = nullptr;
    ExpectSameCandidates({bests[i]}, {ArgMax(alone)});
    ExpectSameCandidates(tops[i], Top(alone, tops[i].size()));
    EXPECT_EQ(sums[i], LogSumExp(alone));
  }
}

TEST_P(HeadTest, EqualsTheReferenceBitForBit) {
  Workbench reference(
      Isa::kReference, 1,
      {.max_rows = 1, .max_inputs = kWidth, .max_vocabulary = kVocabulary});
  const auto table =
      reference.Pack(DType::kQ8_0, kVocabulary, kWidth,
                     RandomWeightBytes(DType::kQ8_0, kVocabulary, kWidth,
                                       WeightKind::kSane, 1));
  args_.multiplier = 0.9f;
  args_.soft_cap = 3.0f;
  std::vector<float> full(kVocabulary);
  double sum = 0.0;
  HeadArgs args = args_;
  args.hidden = reference.MakeTensor(1, kWidth, hidden_);
  args.weight = table.get();
  HeadQuery query;
  query.log_sum_exp = &sum;
  query.full = absl::MakeSpan(full);
  args.queries = absl::MakeConstSpan(&query, 1);
  ASSERT_TRUE(reference.Head(args).ok());

  EXPECT_EQ(FirstDifference(FullRow(OfRow(0)), full), "");
  EXPECT_EQ(LogSumExp(OfRow(0)), sum);
}

TEST_P(HeadTest, NotANumberLosesAgainstEveryNumber) {
  std::vector<uint8_t> bytes =
      RandomWeightBytes(DType::kF32, 40, kWidth, WeightKind::kSane, 1);
  const float values[] = {NAN, kInfinity, -kInfinity};
  for (int i = 0; i < 3; ++i)
    std::memcpy(&bytes[(10 + i) * kWidth * 4], &values[i], 4);
  UseTable(DType::kF32, bytes);
  UseHidden(std::vector<float>(kWidth, 1.0f), 1);

  const std::vector<Candidate> top = Top(OfRow(0), 40);

  EXPECT_EQ(top[0].token, 11);
  EXPECT_EQ(top[38].token, 10);
  EXPECT_EQ(top[39].token, 12);
  EXPECT_EQ(ArgMax(OfRow(0)).token, 11);
  EXPECT_TRUE(std::isfinite(LogSumExp(OfRow(0))));
}

INSTANTIATE_TEST_SUITE_P(Machines, HeadTest, ::testing::ValuesIn(AllCases()),
                         CaseName);

TEST(GumbelNoise, HasTheMomentsOfTheGumbelLaw) {
  const NoiseKey key = {.seed = 1, .stream = 2, .position = 3};
  double sum = 0.0, squares = 0.0;
  constexpr int kCount = 400000;
  for (Token token = 0; token < kCount; ++token) {
    const double noise = GumbelNoise(key, token);
    sum += noise;
    squares += noise * noise;
  }

  const double mean = sum / kCount;
  EXPECT_NEAR(mean, 0.5772156649, 0.01);  // five standard errors
  EXPECT_NEAR(squares / kCount - mean * mean, 1.6449340668, 0.03);
}

TEST(GumbelNoise, EqualsTheFormulaInDoublePrecision) {
  Random random(1);
  for (int i = 0; i < 100000; ++i) {
    const uint32_t bits = random.Bits() >> (i % 32);
    for (const uint32_t b : {bits, ~bits}) {
      const double exact = -std::log(-std::log1p(-(b + 0.5) * 0x1p-32));
      ASSERT_NEAR(GumbelNoise(b), exact, 1e-6 * std::max(1.0, std::fabs(exact)))
          << b;
    }
  }
}

TEST(GumbelNoise, NeverExceedsItsBound) {
  Random random(1);
  for (int i = 0; i < 1000000; ++i) {
    const uint32_t bits = random.Bits() >> (i % 33 % 32);
    ASSERT_LE(GumbelNoise(bits), GumbelNoiseBound(bits)) << bits;
  }
  EXPECT_LE(GumbelNoise(0u), GumbelNoiseBound(0u));
  EXPECT_LE(GumbelNoise(0u), kMaxGumbelNoise);
}

}  // namespace
}  // namespace specinfer::cpu
