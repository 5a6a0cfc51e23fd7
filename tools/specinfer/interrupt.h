// Interrupt: while one exists, Ctrl-C cancels the watched work instead of
// ending the program. At most one exists at a time.
#ifndef SPECINFER_TOOLS_SPECINFER_INTERRUPT_H_
#define SPECINFER_TOOLS_SPECINFER_INTERRUPT_H_

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "specinfer.h"
#include "specinfer/speech.h"

namespace specinfer_cli {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // Forgets earlier presses. nullptr: Ctrl-C prints `idle_hint` instead.
  void Watch(specinfer_session* session);
  void Watch(specinfer_transcriber* transcriber);
  void Watch(std::nullptr_t) { Watch(std::function<void()>()); }
  void SetIdleHint(const char* hint) { idle_hint_ = hint; }
  bool Happened() const { return happened_; }

 private:
  void Watch(std::function<void()> cancel);
  void WaitForPresses();

  std::mutex mutex_;
  std::function<void()> cancel_;  // guarded by mutex_; may be empty
  std::atomic<bool> happened_ = false;
  std::atomic<const char*> idle_hint_ = nullptr;
  int pipe_[2] = {-1, -1};
  std::thread watcher_;
};

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_INTERRUPT_H_
