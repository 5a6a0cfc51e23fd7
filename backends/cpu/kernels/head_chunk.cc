#include "backends/cpu/kernels/head_chunk.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>

#include "src/backend/noise.h"
#include "src/base/scalar_math.h"

namespace specinfer::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kGreatestFloat = std::numeric_limits<float>::max();

// Finite, unless a bias of -infinity says that the token does not exist. NaN
// becomes the lowest float.
float Adjust(float logit, const Adjustment& adjustment) {
  if (adjustment.bias == -kInfinity) return -kInfinity;
  const float repeated = logit > 0.0f ? logit / adjustment.repetition
                                      : logit * adjustment.repetition;
  const float adjusted = std::min(repeated, kGreatestFloat) + adjustment.bias;
  return adjusted >= -kGreatestFloat ? std::min(adjusted, kGreatestFloat)
                                     : -kGreatestFloat;
}

void ApplyAdjustments(const HeadQuery& query, Token first_token, int64_t count,
                      float* logits) {
  auto at = std::lower_bound(
      query.adjustments.begin(), query.adjustments.end(), first_token,
      [](const Adjustment& a, Token token) { return a.token < token; });
  for (; at != query.adjustments.end() && at->token < first_token + count;
       ++at) {
    float& logit = logits[at->token - first_token];
    logit = Adjust(logit, *at);
  }
}

// Chunks begin at whole words of the bit set.
void ApplyAllowed(const HeadQuery& query, Token first_token, int64_t count,
                  float* logits) {
  if (query.allowed.empty()) return;
  for (int64_t begin = 0; begin < count; begin += 64) {
    const size_t word = static_cast<size_t>((first_token + begin) / 64);
    uint64_t banned =
        word < query.allowed.size() ? ~query.allowed[word] : ~uint64_t{0};
    if (count - begin < 64) banned &= (uint64_t{1} << (count - begin)) - 1;
    for (; banned != 0; banned &= banned - 1)
      logits[begin + std::countr_zero(banned)] = -kInfinity;
  }
}

void RaiseTo(float value, float* shared) {
  std::atomic_ref<float> least(*shared);
  float seen = least.load(std::memory_order_relaxed);
  while (value > seen &&
         !least.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

// Tokens that cannot win, here or against what another chunk has found, are
// passed over without their noise.
void FindNoisyBest(const HeadKernels& kernels, const HeadQuery& query,
                   Token first_token, int64_t count, const float* logits,
                   float* least_value, ChunkAnswer* answer) {
  const float scale = query.inverse_temperature;
  float bound =
      std::atomic_ref<float>(*least_value).load(std::memory_order_relaxed);
  std::array<uint32_t, 4> bits = {};
  Token bits_quad = -1;
  const auto visit = [&](int64_t i) {
    const Token token = first_token + static_cast<Token>(i);
    if (token / 4 != bits_quad) {
      bits_quad = token / 4;
      bits = NoiseBits(query.noise, static_cast<uint32_t>(bits_quad));
    }
    const uint32_t token_bits = bits[static_cast<size_t>(token % 4)];
    const float scaled = logits[i] * scale;
    if (scaled + GumbelNoiseBound(token_bits) < bound) return;
    const float value = scaled + GumbelNoise(token_bits);
    const bool is_better =
        answer->best.token < 0 || value > answer->best_value ||
        (value == answer->best_value && token < answer->best.token);
    if (!is_better) return;
    answer->best = {token, logits[i]};
    answer->best_value = value;
    bound = std::max(bound, value);
  };
  const auto find = [&](int64_t from) {
    return kernels.find_at_least(logits, count, from, scale, kMaxGumbelNoise,
                                 bound);
  };
  // The likeliest token first: it sets a bound that most others cannot reach.
  visit(kernels.find_at_least(logits, count, 0, 1.0f, 0.0f, answer->greatest));
  for (int64_t i = find(0); i < count; i = find(i + 1)) {
    if (logits[i] != -kInfinity) visit(i);
  }
  if (answer->best.token >= 0) RaiseTo(answer->best_value, least_value);
}

// Keeps the first `capacity` of the candidates offered, as a heap with the last
// of them on top.
class TopHeap {
 public:
  TopHeap(Candidate* places, int64_t capacity)
      : places_(places), capacity_(capacity) {}

  bool is_full() const { return size_ == capacity_; }
  int64_t size() const { return size_; }
  const Candidate& last() const { return places_[0]; }

  // False if the candidate comes after all that are kept.
  bool Offer(const Candidate& candidate) {
    if (is_full()) {
      if (!ComesBefore(candidate, places_[0])) return false;
      std::pop_heap(places_, places_ + size_, ComesBefore);
      --size_;
    }
    places_[size_++] = candidate;
    std::push_heap(places_, places_ + size_, ComesBefore);
    return true;
  }
  void Sort() { std::sort_heap(places_, places_ + size_, ComesBefore); }

 private:
  Candidate* const places_;
  const int64_t capacity_;
  int64_t size_ = 0;
};

int32_t FindTop(const HeadKernels& kernels, const HeadQuery& query,
                Token first_token, int64_t count, const float* logits,
                Candidate* top) {
  TopHeap heap(
      top, std::min<int64_t>(static_cast<int64_t>(query.top.size()), count));
  const auto find = [&](int64_t from) {
    const float bound = heap.is_full() ? heap.last().logit : -kGreatestFloat;
    return kernels.find_at_least(logits, count, from, 1.0f, 0.0f, bound);
  };
  for (int64_t i = find(0); i < count; i = find(i + 1))
    heap.Offer({first_token + static_cast<Token>(i), logits[i]});
  heap.Sort();
  return static_cast<int32_t>(heap.size());
}

// ln x within 1e-15 for x >= 1, from exact and correctly rounded operations
// alone.
double NaturalLog(double x) {
  int exponent;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752440) {
    m = m * 2.0;
    exponent -= 1;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 1.0 / 23.0;
  for (int k = 21; k >= 1; k -= 2)
    p = std::fma(p, z, 1.0 / static_cast<double>(k));
  return std::fma(static_cast<double>(exponent), 0.69314718055994530942,
                  2.0 * s * p);
}

double JoinLogSumExp(absl::Span<const ChunkAnswer> answers) {
  float greatest = -kInfinity;
  for (const ChunkAnswer& answer : answers)
    greatest = std::max(greatest, answer.greatest);
  if (greatest == -kInfinity) return -std::numeric_limits<double>::infinity();
  double sum = 0.0;
  for (const ChunkAnswer& answer : answers) {
    if (answer.greatest == -kInfinity) continue;
    sum += double{answer.sum_of_exp} * double{Exp(answer.greatest - greatest)};
  }
  return double{greatest} + NaturalLog(sum);
}

}  // namespace

void AnswerChunk(const HeadKernels& kernels, const HeadArgs& args,
                 const HeadQuery& query, Token first_token, int64_t count,
                 float* logits, float* least_value, ChunkAnswer* answer,
                 Candidate* top) {
  const int64_t padded = (count + 15) / 16 * 16;
  std::fill(logits + count, logits + padded, 0.0f);
  kernels.finish_logits(logits, padded, args.multiplier, args.soft_cap);
  std::fill(logits + count, logits + padded, -kInfinity);
  ApplyAdjustments(query, first_token, count, logits);
  ApplyAllowed(query, first_token, count, logits);

  *answer = ChunkAnswer();
  answer->best = {-1, -kInfinity};
  answer->greatest = kernels.greatest(logits, padded);
  if (!query.full.empty())
    std::copy(logits, logits + count, query.full.begin() + first_token);
  if (query.score != nullptr && query.score_token >= first_token &&
      query.score_token < first_token + count) {
    *query.score = logits[query.score_token - first_token];
  }
  if (answer->greatest == -kInfinity) return;
  if (query.log_sum_exp != nullptr)
    answer->sum_of_exp = kernels.sum_of_exp(logits, padded, answer->greatest);
  if (!query.top.empty())
    answer->num_top = FindTop(kernels, query, first_token, count, logits, top);
  if (query.arg_max == nullptr) return;
  if (query.has_noise)
    return FindNoisyBest(kernels, query, first_token, count, logits,
                         least_value, answer);
  const int64_t best =
      kernels.find_at_least(logits, padded, 0, 1.0f, 0.0f, answer->greatest);
  answer->best = {first_token + static_cast<Token>(best), answer->greatest};
  answer->best_value = answer->greatest;
}

void JoinChunks(const HeadQuery& query, absl::Span<const ChunkAnswer> answers,
                const Candidate* top, int64_t top_stride) {
  if (query.arg_max != nullptr) {
    const ChunkAnswer* best = nullptr;
    for (const ChunkAnswer& answer : answers) {
      if (answer.best.token >= 0 &&
          (best == nullptr || answer.best_value > best->best_value))
        best = &answer;
    }
    *query.arg_max = best != nullptr ? best->best : Candidate{-1, -kInfinity};
  }
  if (query.log_sum_exp != nullptr) *query.log_sum_exp = JoinLogSumExp(answers);
  if (query.top.empty()) return;
  TopHeap heap(query.top.data(), static_cast<int64_t>(query.top.size()));
  for (size_t chunk = 0; chunk < answers.size(); ++chunk) {
    const Candidate* candidates =
        top + static_cast<int64_t>(chunk) * top_stride;
    for (int32_t i = 0; i < answers[chunk].num_top && heap.Offer(candidates[i]);
         ++i) {
    }
  }
  heap.Sort();
  std::fill(query.top.begin() + heap.size(), query.top.end(),
            Candidate{-1, -kInfinity});
}

}  // namespace specinfer::cpu
