// Ctrl-C and SIGTERM while native code runs: the session is told to stop before its next batch.
#pragma once

#include "runtime/session/session.h"

namespace tarn {

// While one lives, the signals stop `session` instead of ending the process; a second signal ends it at once.
class InterruptGuard {
 public:
  explicit InterruptGuard(Session& session);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

}  // namespace tarn
