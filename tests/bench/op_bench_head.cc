// The head's queries: what choosing costs beyond the linear layer.
#include "tests/bench/op_bench_machine.h"

namespace specinfer::bench {
namespace {

constexpr int64_t kRowCounts[] = {1, 8, 64};
constexpr size_t kNumTop = 40;

enum class Question { kArgMax, kArgMaxWithNoise, kTop };

struct Answer {
  Candidate arg_max;
  double log_sum_exp = 0;
  Candidate top[kNumTop];
};

void TimeHead(benchmark::State& state, const BenchSetting& setting, DType dtype,
              Question question) {
  const int64_t rows = state.range(0);
  BenchMachine& machine = GetMachine(setting);
  const auto& weights = machine.Weights(dtype, kVocabulary, kHidden);
  const Tensor hidden = machine.MakeTensor(rows, kHidden);
  std::vector<Answer> answers(static_cast<size_t>(rows));
  std::vector<HeadQuery> queries;
  for (int32_t row = 0; row < rows; ++row) {
    Answer& answer = answers[static_cast<size_t>(row)];
    HeadQuery query;
    query.row = row;
    if (question == Question::kTop) {
      query.top = answer.top;
      query.log_sum_exp = &answer.log_sum_exp;
    } else {
      query.arg_max = &answer.arg_max;
      query.has_noise = question == Question::kArgMaxWithNoise;
      query.noise = {.seed = 7, .stream = 0, .position = row};
    }
    queries.push_back(query);
  }
  OpCost cost;
  cost.read_bytes = static_cast<double>(weights[0]->packed_bytes);
  cost.int8_products = static_cast<double>(rows * kVocabulary * kHidden);
  machine.Time(state, cost, [&](int64_t call) {
    const size_t index = static_cast<size_t>(call) % weights.size();
    return machine.stream().Head(
        {.hidden = hidden, .weight = weights[index].get(), .queries = queries});
  });
  machine.Clear();
}

}  // namespace

void RegisterHead(const BenchSetting& setting) {
  const struct {
    const char* name;
    Question question;
  } questions[] = {{"arg_max", Question::kArgMax},
                   {"arg_max_with_noise", Question::kArgMaxWithNoise},
                   {"top_40", Question::kTop}};
  for (const DType dtype : {DType::kQ6_K, DType::kQ8_0}) {
    for (const auto& each : questions) {
      const Question question = each.question;
      const std::string name = std::string("head/") + each.name + "/" +
                               std::string(GetDTypeTraits(dtype).name) +
                               setting.Suffix();
      auto* registered = benchmark::RegisterBenchmark(
          name.c_str(), [=](benchmark::State& state) {
            TimeHead(state, setting, dtype, question);
          });
      registered->UseRealTime()->Unit(benchmark::kMicrosecond);
      registered->ArgName("rows");
      for (const int64_t rows : kRowCounts) registered->Arg(rows);
    }
  }
}

}  // namespace specinfer::bench
