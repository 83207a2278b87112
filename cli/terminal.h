// The terminal that a live table is drawn on.
#ifndef ASSETGATE_CLI_TERMINAL_H_
#define ASSETGATE_CLI_TERMINAL_H_

#include <termios.h>

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace assetgate::cli {

// Where frames go. One thread draws; NotifyResize may come from another.
class Terminal {
 public:
  struct Size {
    int width = 80;
    int height = 24;
  };
  virtual ~Terminal() = default;
  virtual Size size() = 0;
  // All of `bytes`, in one write where the system allows.
  virtual void Write(absl::string_view bytes) = 0;
  // Called by Block: no echo of keys while a table is drawn, and back.
  virtual void SetQuiet(bool quiet) = 0;

  // `callback` is called, on any thread, whenever the size has changed; null to stop that. No call
  // is under way when this returns.
  void OnResize(std::function<void()> callback) {
    absl::MutexLock lock(&mu_);
    on_resize_ = std::move(callback);
  }
  void NotifyResize() {
    absl::MutexLock lock(&mu_);
    if (on_resize_) on_resize_();
  }

 private:
  absl::Mutex mu_;
  std::function<void()> on_resize_ ABSL_GUARDED_BY(mu_);
};

// Lines that are redrawn in place, at the bottom of what the terminal shows; what was there before
// stays in its history. Each frame is one write, so nothing flickers. The cursor is hidden from the
// first frame on, and comes back when the block ends.
class Block {
 public:
  explicit Block(Terminal& terminal) : terminal_(terminal) {}
  ~Block() { End(); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Replaces the previous frame. `lines` must not be wider than the terminal, and, but for the last
  // frame, fewer than its height.
  void Draw(const std::vector<std::string>& lines);
  // Takes the last frame away.
  void Erase();
  // Leaves the last frame where it is and gives the terminal back. Idempotent.
  void End();

 private:
  // To where the frame on a terminal of this size begins.
  std::string ToTop(Terminal::Size size) const;

  Terminal& terminal_;
  bool drawing_ = false;
  // The frame that is on the terminal, and the size that it was drawn for.
  std::vector<std::string> lines_;
  Terminal::Size drawn_;
};

// A terminal behind a file descriptor, which stays the caller's.
class FileTerminal final : public Terminal {
 public:
  explicit FileTerminal(int fd) : fd_(fd) {}
  ~FileTerminal() override { SetQuiet(false); }
  Size size() override;
  void Write(absl::string_view bytes) override;
  void SetQuiet(bool quiet) override;

 private:
  int fd_;
  std::optional<termios> saved_;
};

// Signals as calls: SIGINT and SIGTERM request a stop (the second one ends the process at once),
// SIGWINCH tells the terminal. They are blocked in this thread and in all that it starts, so this
// must be made before any other thread.
class Signals {
 public:
  // `terminal` may be null.
  explicit Signals(Terminal* terminal);
  ~Signals();
  std::stop_token interrupted() const { return interrupted_.get_token(); }

 private:
  void Run(const std::stop_token& stop);

  Terminal* const terminal_;
  std::stop_source interrupted_;
  std::jthread thread_;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_TERMINAL_H_
