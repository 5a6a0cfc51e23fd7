// The part of Session that says what passes cost and how long they take.
#include <algorithm>
#include <vector>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/session/session.h"

namespace specinfer {
namespace {

// Counting stops at passes that no machine runs, so that nothing overflows.
constexpr int32_t kMaxPlannedRows = 1 << 20;
constexpr int32_t kMaxPlannedContext = 1 << 30;

absl::Status CheckRange(std::string_view name, int32_t value, int32_t minimum,
                        int32_t maximum) {
  if (value >= minimum && value <= maximum) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat(name, " is ", value, ", must be from ", minimum, " to ", maximum));
}

// Spread over the vocabulary: no row of the table is in the processor's cache
// by luck.
Token SpreadToken(int32_t index, int32_t vocabulary_size) {
  constexpr int64_t kStride = 7919;
  return static_cast<Token>((index + 1) * kStride % vocabulary_size);
}

}  // namespace

absl::StatusOr<PassCost> Session::PlanPass(const PassShape& shape) const {
  SPECINFER_RETURN_IF_ERROR(CheckRange(
      "num_context_tokens", shape.num_context_tokens, 0, kMaxPlannedContext));
  SPECINFER_RETURN_IF_ERROR(
      CheckRange("num_rows", shape.num_rows, 1, kMaxPlannedRows));
  SPECINFER_RETURN_IF_ERROR(
      CheckRange("num_answer_rows", shape.num_answer_rows, 0, shape.num_rows));
  return ComputePassCost(model_->architecture(), cache_layout(),
                         model_->weights(), shape);
}

absl::StatusOr<PassMeasurement> Session::MeasurePass(int32_t num_rows,
                                                     int32_t num_answer_rows) {
  SPECINFER_RETURN_IF_ERROR(
      CheckRange("num_rows", num_rows, 1, options_.prefill_chunk_tokens));
  SPECINFER_RETURN_IF_ERROR(
      CheckRange("num_answer_rows", num_answer_rows, 0, num_rows));
  AbandonRound();
  // A cancel that is meant for the answer in progress stays.
  if (!is_answering_) is_cancelled_.store(false, std::memory_order_relaxed);
  const PassControl control = MakeControl();
  SPECINFER_RETURN_IF_ERROR(PrefillContent(control));

  std::vector<Token> nodes;
  std::vector<int32_t> rows;
  std::vector<Candidate> answers(static_cast<size_t>(num_answer_rows));
  std::vector<HeadQuery> queries;
  for (int32_t row = 0; row < num_rows; ++row) {
    const bool is_root = row == 0 && !tokens_.empty();
    nodes.push_back(
        is_root ? tokens_.back()
                : SpreadToken(row, model_->architecture().vocabulary_size));
    if (row < num_rows - num_answer_rows) continue;
    const int32_t answer = static_cast<int32_t>(rows.size());
    rows.push_back(row);
    queries.push_back({.row = answer,
                       .allowed = model_->samplable_tokens(),
                       .arg_max = &answers[static_cast<size_t>(answer)]});
  }
  PassMeasurement measurement;
  measurement.shape = {.num_context_tokens = sequence_->num_committed(),
                       .num_rows = num_rows,
                       .num_answer_rows = num_answer_rows};
  // Pages are taken before the clock starts, as a running answer has them.
  SPECINFER_RETURN_IF_ERROR(sequence_->Prepare(num_rows));
  const int64_t begin_us = control.WorkMicros();
  const absl::Status status = generator_->ForwardUncommitted(
      *sequence_, nodes, {.rows = rows, .queries = queries}, control);
  measurement.duration_us =
      std::max<int64_t>(control.WorkMicros() - begin_us, 1);
  sequence_->Truncate(measurement.shape.num_context_tokens);
  SPECINFER_RETURN_IF_ERROR(status);
  // Such a pass is a round's.
  if (num_answer_rows == num_rows) {
    model_->pass_times().Record(
        num_rows, measurement.shape.num_context_tokens,
        static_cast<double>(measurement.duration_us) * 1e-6);
  }
  return measurement;
}

}  // namespace specinfer
