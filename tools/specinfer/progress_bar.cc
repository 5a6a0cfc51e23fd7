#include "progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace specinfer_cli {

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)),
      is_terminal_(isatty(STDERR_FILENO) != 0),
      last_drawn_(std::chrono::steady_clock::now()) {}

void ProgressBar::Show(double fraction, const std::string& note) {
  constexpr auto kInterval = std::chrono::milliseconds(100);
  constexpr int kWidth = 30;
  const auto now = std::chrono::steady_clock::now();
  // What is over within the first interval never flickers on the screen.
  if (!is_terminal_ || now - last_drawn_ < kInterval) return;
  last_drawn_ = now;
  is_drawn_ = true;
  fraction = std::clamp(fraction, 0.0, 1.0);
  const int filled = static_cast<int>(fraction * kWidth);
  std::fprintf(stderr, "\r%s [%s%s] %3d%% %s\033[K", label_.c_str(),
               std::string(filled, '#').c_str(),
               std::string(kWidth - filled, '.').c_str(),
               static_cast<int>(fraction * 100), note.c_str());
  std::fflush(stderr);
}

void ProgressBar::Clear() {
  if (!is_drawn_) return;
  is_drawn_ = false;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

}  // namespace specinfer_cli
