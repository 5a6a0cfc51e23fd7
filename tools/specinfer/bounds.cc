#include "bounds.h"

#include <algorithm>

#include "failure.h"

namespace specinfer_cli {

void Bounds::Sample() {
  specinfer_machine_rates rates = SPECINFER_MACHINE_RATES_INIT;
  Check(specinfer_model_measure(model_, &rates));
  read_bytes_per_second_.push_back(rates.read_bytes_per_second);
  int8_products_per_second_.push_back(rates.int8_products_per_second);
  float_products_per_second_.push_back(rates.float_products_per_second);
}

specinfer_machine_rates Bounds::Rates() const {
  specinfer_machine_rates rates = SPECINFER_MACHINE_RATES_INIT;
  rates.read_bytes_per_second = Quantile(read_bytes_per_second_, 0.5);
  rates.int8_products_per_second = Quantile(int8_products_per_second_, 0.5);
  rates.float_products_per_second = Quantile(float_products_per_second_, 0.5);
  return rates;
}

void Bounds::Put(BenchRow& row) const {
  const specinfer_machine_rates rates = Rates();
  const double read_seconds =
      row["read_bytes"].get<double>() / rates.read_bytes_per_second;
  const double multiply_seconds =
      row["int8_products"].get<double>() / rates.int8_products_per_second +
      row["float_products"].get<double>() / rates.float_products_per_second;
  const double bound_milliseconds =
      1e3 * std::max(read_seconds, multiply_seconds);
  row["bandwidth_gbs"] = 1e-9 * rates.read_bytes_per_second;
  row["peak_int8_gmacs"] = 1e-9 * rates.int8_products_per_second;
  row["peak_float_gmacs"] = 1e-9 * rates.float_products_per_second;
  row["bound_milliseconds"] = bound_milliseconds;
  row["bound_fraction"] =
      bound_milliseconds / row["milliseconds"].get<double>();
  row["bound_by"] =
      read_seconds >= multiply_seconds ? "reading" : "multiplying";
}

void PutCost(const specinfer_pass& pass, BenchRow& row) {
  row["read_bytes"] = pass.read_bytes;
  row["int8_products"] = pass.int8_products;
  row["float_products"] = pass.float_products;
}

specinfer_pass PlanPass(specinfer_session* session, uint32_t num_context_tokens,
                        uint32_t num_rows, uint32_t num_answer_rows) {
  specinfer_pass pass = SPECINFER_PASS_INIT;
  Check(specinfer_session_plan_pass(session, num_context_tokens, num_rows,
                                    num_answer_rows, &pass));
  return pass;
}

}  // namespace specinfer_cli
