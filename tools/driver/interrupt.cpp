// Signals to Session::stop. See interrupt.h.
#include "tools/driver/interrupt.h"

#include <atomic>
#include <csignal>

namespace tarn {

namespace {

std::atomic<Session*> guarded{nullptr};

extern "C" void on_signal(int signal) {
  if (Session* session = guarded.load()) session->stop();
  // The next one of this kind gets the default action and ends the process.
  std::signal(signal, SIG_DFL);
}

}  // namespace

InterruptGuard::InterruptGuard(Session& session) {
  guarded = &session;
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  guarded = nullptr;
}

}  // namespace tarn
