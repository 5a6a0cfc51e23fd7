// What passes cost, how long they take, and what the machine does at best.
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "include/specinfer/speculation.h"
#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/api/handles.h"
#include "src/api/session_handle.h"
#include "src/api/sized_struct.h"
#include "src/session/session.h"

namespace specinfer {
namespace {

constexpr SizedStruct kRates = {
    "specinfer_machine_rates", "out_rates", "SPECINFER_MACHINE_RATES_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_machine_rates, float_products_per_second)};
constexpr SizedStruct kPass = {"specinfer_pass", "out_pass",
                               "SPECINFER_PASS_INIT",
                               SPECINFER_BYTES_UP_TO(specinfer_pass, seconds)};
constexpr SizedStruct kPassTime = {
    "specinfer_pass_time", "out_time", "SPECINFER_PASS_TIME_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_pass_time, seconds)};
constexpr double kSecondsPerMicro = 1e-6;
constexpr uint32_t kMaxRows = 1u << 20;
constexpr uint32_t kMaxContext = 1u << 30;

absl::Status CheckPassTime(int32_t kind, uint32_t num_rows,
                           uint32_t num_context_tokens) {
  if (kind < 0 || kind >= static_cast<int32_t>(kNumPassKinds)) {
    return absl::InvalidArgumentError(
        absl::StrCat("kind is ", kind, ", must be a SPECINFER_PASS_..."));
  }
  if (num_rows < 1 || num_rows > kMaxRows) {
    return absl::InvalidArgumentError(absl::StrCat(
        "num_rows is ", num_rows, ", must be from 1 to ", kMaxRows));
  }
  if (num_context_tokens > kMaxContext) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_context_tokens is ", num_context_tokens,
                     ", the limit is ", kMaxContext));
  }
  return absl::OkStatus();
}

absl::Status ReadCount(const char* parameter, uint32_t value, int32_t* out) {
  if (value > INT32_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat(parameter, " is ", value, ", the limit is ", INT32_MAX));
  }
  *out = static_cast<int32_t>(value);
  return absl::OkStatus();
}

specinfer_pass ToC(const PassShape& shape, const PassCost& cost) {
  specinfer_pass pass = SPECINFER_PASS_INIT;
  pass.num_context_tokens = static_cast<uint32_t>(shape.num_context_tokens);
  pass.num_rows = static_cast<uint32_t>(shape.num_rows);
  pass.num_answer_rows = static_cast<uint32_t>(shape.num_answer_rows);
  pass.read_bytes = cost.read_bytes;
  pass.int8_products = cost.int8_products;
  pass.float_products = cost.float_products;
  return pass;
}

}  // namespace
}  // namespace specinfer

using specinfer::CheckPointer;
using specinfer::Edge;
using specinfer::ReadCount;
using specinfer::SessionEdge;

extern "C" {

specinfer_status specinfer_model_measure(const specinfer_model* model,
                                         specinfer_machine_rates* out_rates) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_rates, specinfer::kRates));
    const specinfer::Engine& engine = model->model->engine();
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::MachineRates measured,
                               model->model->Measure());
    specinfer_machine_rates rates = SPECINFER_MACHINE_RATES_INIT;
    rates.num_threads = static_cast<uint32_t>(engine.executor->num_threads());
    rates.read_bytes_per_second = measured.read_bytes_per_second;
    rates.int8_products_per_second = measured.int8_products_per_second;
    rates.float_products_per_second = measured.float_products_per_second;
    specinfer::WriteSizedStruct(rates, out_rates);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_model_get_pass_time(const specinfer_model* model,
                                               int32_t kind, uint32_t num_rows,
                                               uint32_t num_context_tokens,
                                               specinfer_pass_time* out_time) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_time, specinfer::kPassTime));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckPassTime(kind, num_rows, num_context_tokens));
    specinfer::KeptTimes& kept =
        model->model->times(static_cast<specinfer::PassKind>(kind));
    specinfer_pass_time time = SPECINFER_PASS_TIME_INIT;
    time.is_kept = kept.begins_with_kept() ? 1 : 0;
    time.num_passes = kept.times().num_recorded();
    time.seconds = kept.times().Seconds(static_cast<int32_t>(num_rows),
                                        num_context_tokens);
    specinfer::WriteSizedStruct(time, out_time);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_session_plan_pass(specinfer_session* session,
                                             uint32_t num_context_tokens,
                                             uint32_t num_rows,
                                             uint32_t num_answer_rows,
                                             specinfer_pass* out_pass) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_pass, specinfer::kPass));
    specinfer::PassShape shape;
    SPECINFER_RETURN_IF_ERROR(ReadCount(
        "num_context_tokens", num_context_tokens, &shape.num_context_tokens));
    SPECINFER_RETURN_IF_ERROR(ReadCount("num_rows", num_rows, &shape.num_rows));
    SPECINFER_RETURN_IF_ERROR(
        ReadCount("num_answer_rows", num_answer_rows, &shape.num_answer_rows));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::PassCost cost,
                               handle.session->PlanPass(shape));
    specinfer::WriteSizedStruct(specinfer::ToC(shape, cost), out_pass);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_session_measure_pass(specinfer_session* session,
                                                uint32_t num_rows,
                                                uint32_t num_answer_rows,
                                                specinfer_pass* out_pass) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_pass, specinfer::kPass));
    specinfer::PassShape shape;
    SPECINFER_RETURN_IF_ERROR(ReadCount("num_rows", num_rows, &shape.num_rows));
    SPECINFER_RETURN_IF_ERROR(
        ReadCount("num_answer_rows", num_answer_rows, &shape.num_answer_rows));
    SPECINFER_ASSIGN_OR_RETURN(
        const specinfer::PassMeasurement measured,
        handle.session->MeasurePass(shape.num_rows, shape.num_answer_rows));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::PassCost cost,
                               handle.session->PlanPass(measured.shape));
    specinfer_pass pass = specinfer::ToC(measured.shape, cost);
    pass.seconds =
        static_cast<double>(measured.duration_us) * specinfer::kSecondsPerMicro;
    specinfer::WriteSizedStruct(pass, out_pass);
    return absl::OkStatus();
  });
}

}  // extern "C"
