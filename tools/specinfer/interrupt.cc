#include "interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "failure.h"

namespace specinfer_cli {
namespace {

// A signal handler may do little more than write to a pipe; a thread at its
// other end does the rest.
volatile sig_atomic_t press_pipe = -1;

void WritePress(int /*signal*/) {
  const int saved_errno = errno;
  const char press = 'c';
  if (write(press_pipe, &press, 1) < 0) {
    // The pipe is full of presses already.
  }
  errno = saved_errno;
}

}  // namespace

Interrupt::Interrupt() {
  if (pipe2(pipe_, O_CLOEXEC) != 0) throw Failure("no pipe can be made");
  fcntl(pipe_[1], F_SETFL, O_NONBLOCK);
  press_pipe = pipe_[1];
  watcher_ = std::thread(&Interrupt::WaitForPresses, this);
  struct sigaction action = {};
  action.sa_handler = WritePress;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

Interrupt::~Interrupt() {
  signal(SIGINT, SIG_DFL);
  close(pipe_[1]);
  watcher_.join();
  close(pipe_[0]);
}

void Interrupt::Watch(specinfer_session* session) {
  Watch([session] { specinfer_session_cancel(session); });
}

void Interrupt::Watch(specinfer_transcriber* transcriber) {
  Watch([transcriber] { specinfer_transcriber_cancel(transcriber); });
}

void Interrupt::Watch(std::function<void()> cancel) {
  const std::lock_guard<std::mutex> lock(mutex_);
  cancel_ = std::move(cancel);
  if (cancel_) happened_ = false;
}

void Interrupt::WaitForPresses() {
  char press;
  while (true) {
    const ssize_t num_read = read(pipe_[0], &press, 1);
    if (num_read < 0 && errno == EINTR) continue;
    if (num_read <= 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    happened_ = true;
    if (cancel_) {
      cancel_();
    } else if (const char* hint = idle_hint_) {
      std::fputs(hint, stderr);
      std::fflush(stderr);
    }
  }
}

}  // namespace specinfer_cli
