// Failure: how a verb ends early. main() prints it as one line and exits with
// status 1.
#ifndef SPECINFER_TOOLS_SPECINFER_FAILURE_H_
#define SPECINFER_TOOLS_SPECINFER_FAILURE_H_

#include <stdexcept>
#include <string>

#include "specinfer.h"

namespace specinfer_cli {

struct Failure : std::runtime_error {
  explicit Failure(const std::string& text, int exit = 1)
      : std::runtime_error(text), exit_status(exit) {}
  int exit_status;
};

// What the library says about the last call of this thread, led by `where`
// (may be empty).
std::string LibraryError(specinfer_status status, const std::string& where);

// Throws Failure unless `status` is OK.
void Check(specinfer_status status, const std::string& where = "");

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_FAILURE_H_
