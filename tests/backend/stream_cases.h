// Small uses of each op that reads no weight matrix. Every backend must give
// the same bits for all of them.
#ifndef SPECINFER_TESTS_BACKEND_STREAM_CASES_H_
#define SPECINFER_TESTS_BACKEND_STREAM_CASES_H_

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/backend/machine.h"

namespace specinfer::testing {

struct StreamCase {
  std::string name;
  // Runs the op on fixed inputs and returns the bits of all that it wrote.
  std::function<std::vector<uint32_t>(Machine&)> run;
};

// How GoogleTest shows a case.
inline void PrintTo(const StreamCase& stream_case, std::ostream* out) {
  *out << stream_case.name;
}

std::vector<StreamCase> AllStreamCases();

}  // namespace specinfer::testing

#endif  // SPECINFER_TESTS_BACKEND_STREAM_CASES_H_
