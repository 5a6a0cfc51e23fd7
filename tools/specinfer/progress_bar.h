// ProgressBar: one line on standard error that is redrawn in place. Silent
// unless standard error is a terminal.
#ifndef SPECINFER_TOOLS_SPECINFER_PROGRESS_BAR_H_
#define SPECINFER_TOOLS_SPECINFER_PROGRESS_BAR_H_

#include <chrono>
#include <string>

namespace specinfer_cli {

class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Draws at most ten times a second. `fraction` is cut to [0, 1].
  void Show(double fraction, const std::string& note = "");
  // Wipes the line, so that what is printed next begins at its start.
  void Clear();

 private:
  const std::string label_;
  const bool is_terminal_;
  bool is_drawn_ = false;
  std::chrono::steady_clock::time_point last_drawn_;
};

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_PROGRESS_BAR_H_
