// Turns on the working state of a session of the C API: short calls wait for each other, training refuses all others,
// but lets them in between its epochs.
#pragma once

#include <mutex>

#include "runtime/library/library.h"

namespace tarn {

class LibrarySession::Turn {
 public:
  // `restarts`: the call leaves nothing of the training before it, so it is refused between epochs, too, as another
  // call that trains is.
  Turn(LibrarySession& session, Use use, bool changes, bool restarts = false)
      : session_(session), use_(use), changes_(changes) {
    std::unique_lock lock(session_.mutex_);
    session_.free_.wait(lock, [&] { return session_.use_ != Use::brief; });
    if (session_.use_ == Use::training) return;
    if (session_.is_lent_ && (restarts || use == Use::training)) return;
    take();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (taken_) give_back();
  }

  // What to answer where another thread trains; TARN_OK where the turn is ours.
  Answer refusal() const {
    if (taken_) return {};
    return {TARN_BUSY, {error("the session is training in another call")}};
  }

  // The working state is as it was before.
  void nothing_changed() { changed_ = false; }

  // Lets others in while `action` runs.
  template <class Action>
  auto lent(const Action& action) {
    struct Return {
      Turn& turn;
      ~Return() { turn.take_back(); }
    };
    give_back(/*lends=*/true);
    const Return at_the_end{*this};
    return action();
  }

 private:
  void take() {
    session_.use_ = use_;
    taken_ = true;
    changed_ = changes_;
    if (changes_) session_.served_.begin_change();
  }
  void take_back() {
    std::unique_lock lock(session_.mutex_);
    session_.free_.wait(lock, [&] { return session_.use_ == Use::none; });
    session_.is_lent_ = false;
    take();
  }
  void give_back(bool lends = false) {
    if (changes_) session_.served_.end_change(changed_);
    taken_ = false;
    const std::scoped_lock lock(session_.mutex_);
    session_.use_ = Use::none;
    session_.is_lent_ |= lends;
    session_.free_.notify_all();
  }

  LibrarySession& session_;
  const Use use_;
  const bool changes_;
  bool taken_ = false, changed_ = false;
};

}  // namespace tarn
