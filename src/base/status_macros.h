// The only two macros that hide control flow.
#ifndef SPECINFER_SRC_BASE_STATUS_MACROS_H_
#define SPECINFER_SRC_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expr` from the enclosing function unless it is OK.
#define SPECINFER_RETURN_IF_ERROR(expr)                    \
  do {                                                     \
    absl::Status specinfer_status_ = (expr);               \
    if (!specinfer_status_.ok()) return specinfer_status_; \
  } while (false)

#define SPECINFER_CONCAT_INNER_(a, b) a##b
#define SPECINFER_CONCAT_(a, b) SPECINFER_CONCAT_INNER_(a, b)
#define SPECINFER_ASSIGN_OR_RETURN_(result, lhs, expr) \
  auto result = (expr);                                \
  if (!result.ok()) return std::move(result).status(); \
  lhs = std::move(result).value()

// Assigns the value of the absl::StatusOr `expr` to `lhs`, or returns its
// status.
#define SPECINFER_ASSIGN_OR_RETURN(lhs, expr)                                 \
  SPECINFER_ASSIGN_OR_RETURN_(SPECINFER_CONCAT_(specinfer_result_, __LINE__), \
                              lhs, expr)

#endif  // SPECINFER_SRC_BASE_STATUS_MACROS_H_
