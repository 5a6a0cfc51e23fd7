// The part of Session that asks the model and leaves the content as it is:
// scores and embeddings.
#include <algorithm>
#include <cmath>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/session/session.h"

namespace specinfer {
namespace {

// vector / |vector|; zero stays zero.
void Normalize(absl::Span<float> vector) {
  double sum = 0.0;
  for (const float value : vector) sum += static_cast<double>(value) * value;
  if (sum == 0.0) return;
  const double inverse = 1.0 / std::sqrt(sum);
  for (float& value : vector) value = static_cast<float>(value * inverse);
}

}  // namespace

bool Session::DraftsGaveWay(const absl::Status& status) {
  return absl::IsResourceExhausted(status) &&
         speculation_->GiveBackMemory(status, tokens_.size());
}

absl::StatusOr<int32_t> Session::PrefillChunk(const PassControl& control) {
  const auto prefill = [&] {
    return generator_->Prefill(*sequence_, tokens_,
                               options_.prefill_chunk_tokens, control);
  };
  const absl::StatusOr<int32_t> num_fed = prefill();
  return DraftsGaveWay(num_fed.status()) ? prefill() : num_fed;
}

absl::Status Session::ForwardChunk(Sequence& sequence,
                                   absl::Span<const Token> nodes,
                                   const ForwardAnswer& answer,
                                   const PassControl& control) {
  const auto forward = [&] {
    return generator_->Forward(sequence, nodes, answer, control);
  };
  const absl::Status status = forward();
  return DraftsGaveWay(status) ? forward() : status;
}

absl::Status Session::PrefillContent(const PassControl& control) {
  if (tokens_.empty()) return absl::OkStatus();
  while (true) {
    SPECINFER_ASSIGN_OR_RETURN(const int32_t num_fed, PrefillChunk(control));
    if (num_fed == 0) break;
    statistics_.num_prefilled_tokens += static_cast<uint64_t>(num_fed);
  }
  sequence_->Truncate(static_cast<int32_t>(tokens_.size()) - 1);
  return absl::OkStatus();
}

absl::Status Session::ScoreTokens(absl::Span<const Token> tokens,
                                  absl::Span<float> log_probabilities) {
  if (tokens.empty()) return absl::OkStatus();
  for (const Token token : tokens) {
    if (token < 0 || token >= model_->architecture().vocabulary_size) {
      return absl::OutOfRangeError(
          Cat("token ", token, " is not in this model's vocabulary"));
    }
  }
  SPECINFER_RETURN_IF_ERROR(CheckRoom(tokens_.size() + tokens.size()));
  AbandonRound();
  // A cancel that is meant for the answer in progress stays.
  if (!is_answering_) is_cancelled_.store(false, std::memory_order_relaxed);
  const PassControl control = MakeControl();

  // The content's last token predicts the first of `tokens`; the last of
  // `tokens` predicts nothing that is asked.
  std::vector<Token> chain(tokens_.end() - (tokens_.empty() ? 0 : 1),
                           tokens_.end());
  chain.insert(chain.end(), tokens.begin(), tokens.end() - 1);
  absl::Span<float> scores = log_probabilities.first(tokens.size());
  absl::Span<const Token> targets = tokens;
  std::vector<float> result(tokens.size(), 0.0f);
  size_t next = tokens_.empty() ? 1 : 0;

  SPECINFER_RETURN_IF_ERROR(PrefillContent(control));
  SPECINFER_ASSIGN_OR_RETURN(const std::unique_ptr<Sequence> sequence,
                             sequence_->Fork());
  const size_t max_rows = static_cast<size_t>(generator_->max_rows());
  std::vector<int32_t> rows;
  std::vector<HeadQuery> queries;
  std::vector<double> sums(max_rows);
  std::vector<float> logits(max_rows);
  for (size_t first = 0; first < chain.size(); first += max_rows) {
    const size_t num_nodes = std::min(max_rows, chain.size() - first);
    rows.clear();
    queries.clear();
    for (size_t i = 0; i < num_nodes; ++i) {
      rows.push_back(static_cast<int32_t>(i));
      queries.push_back({.row = static_cast<int32_t>(i),
                         .allowed = model_->samplable_tokens(),
                         .log_sum_exp = &sums[i],
                         .score_token = targets[next + i],
                         .score = &logits[i]});
    }
    SPECINFER_RETURN_IF_ERROR(ForwardChunk(
        *sequence, absl::MakeConstSpan(chain).subspan(first, num_nodes),
        {.rows = rows, .queries = queries}, control));
    for (size_t i = 0; i < num_nodes; ++i)
      result[next + i] = static_cast<float>(logits[i] - sums[i]);
    next += num_nodes;
  }
  std::copy(result.begin(), result.end(), scores.begin());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> Session::Embed(std::string_view text,
                                                  TextFlags flags,
                                                  Pooling pooling,
                                                  bool normalize) {
  SPECINFER_ASSIGN_OR_RETURN(const std::vector<Token> tokens,
                             Tokenize(text, flags));
  if (tokens.empty())
    return absl::InvalidArgumentError("there is no text to embed");
  SPECINFER_RETURN_IF_ERROR(CheckRoom(tokens.size()));
  AbandonRound();
  // A cancel that is meant for the answer in progress stays.
  if (!is_answering_) is_cancelled_.store(false, std::memory_order_relaxed);
  const PassControl control = MakeControl();
  SPECINFER_ASSIGN_OR_RETURN(
      const std::unique_ptr<Sequence> sequence,
      Sequence::Create(*model_->engine().backend, cache_layout(),
                       static_cast<int32_t>(tokens.size()),
                       generator_->max_rows()));
  const size_t width = static_cast<size_t>(model_->architecture().hidden_size);
  const size_t max_rows = static_cast<size_t>(generator_->max_rows());
  std::vector<float> hidden(tokens.size() * width);
  std::vector<int32_t> rows;
  for (size_t first = 0; first < tokens.size(); first += max_rows) {
    const size_t num_nodes = std::min(max_rows, tokens.size() - first);
    rows.clear();
    for (size_t i = 0; i < num_nodes; ++i)
      rows.push_back(static_cast<int32_t>(i));
    SPECINFER_RETURN_IF_ERROR(ForwardChunk(
        *sequence, absl::MakeConstSpan(tokens).subspan(first, num_nodes),
        {.rows = rows,
         .hidden =
             absl::MakeSpan(hidden).subspan(first * width, num_nodes * width)},
        control));
  }
  std::vector<float> pooled;
  if (pooling == Pooling::kNone) {
    pooled = std::move(hidden);
  } else if (pooling == Pooling::kLast) {
    pooled.assign(hidden.end() - static_cast<int64_t>(width), hidden.end());
  } else {
    pooled.assign(width, 0.0f);
    for (size_t i = 0; i < hidden.size(); ++i) pooled[i % width] += hidden[i];
    for (float& value : pooled) value /= static_cast<float>(tokens.size());
  }
  if (normalize) {
    for (size_t i = 0; i < pooled.size(); i += width)
      Normalize(absl::MakeSpan(pooled).subspan(i, width));
  }
  return pooled;
}

}  // namespace specinfer
