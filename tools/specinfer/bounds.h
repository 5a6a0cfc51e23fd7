// What the machine did at best while the arms ran: the one source of every
// bound that `specinfer bench` prints.
#ifndef SPECINFER_TOOLS_SPECINFER_BOUNDS_H_
#define SPECINFER_TOOLS_SPECINFER_BOUNDS_H_

#include <vector>

#include "measurement.h"
#include "specinfer.h"

namespace specinfer_cli {

class Bounds {
 public:
  // `model` must outlive it.
  explicit Bounds(const specinfer_model* model) : model_(model) {}

  // Measures the machine now. Called between the runs of arms, so that what
  // the neighbours do hits times and bounds alike.
  void Sample();

  // The medians of the samples. REQUIRES: one was taken.
  specinfer_machine_rates Rates() const;

  // To a row with milliseconds and the cost of what it timed, adds the bound,
  // the fraction reached, and the rates behind them.
  void Put(BenchRow& row) const;

 private:
  const specinfer_model* const model_;
  std::vector<double> read_bytes_per_second_;
  std::vector<double> int8_products_per_second_;
  std::vector<double> float_products_per_second_;
};

// Puts what a pass must read and multiply, for Bounds::Put.
void PutCost(const specinfer_pass& pass, BenchRow& row);

// What a pass of such a shape must read and multiply. Throws Failure.
specinfer_pass PlanPass(specinfer_session* session, uint32_t num_context_tokens,
                        uint32_t num_rows, uint32_t num_answer_rows);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_BOUNDS_H_
