// Draws a live table on a terminal.
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

// The terminal that frames are drawn on.
//
// Threading: one thread draws; NotifyResize may be called on another.
class Terminal {
 public:
  struct Size {
    int width = 80;
    int height = 24;
  };
  virtual ~Terminal() = default;
  virtual Size size() = 0;
  // Writes all of `bytes`, with one system call where possible.
  virtual void Write(absl::string_view bytes) = 0;
  // Turns the echo of keys off while a table is drawn, and on again. Called by Block.
  virtual void SetQuiet(bool quiet) = 0;

  // Sets the callback for changes of the size; null for none.
  // Threading: the callback runs on any thread. No earlier callback is running when this returns.
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

// Lines that are redrawn in place, at the bottom of the screen; earlier output stays in the
// terminal's history. Each frame is one write, so nothing flickers. The cursor is hidden from the
// first frame until the block ends.
class Block {
 public:
  explicit Block(Terminal& terminal) : terminal_(terminal) {}
  ~Block() { End(); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Replaces the previous frame. No line may be wider than the terminal, and every frame but the
  // last must have fewer lines than its height.
  void Draw(const std::vector<std::string>& lines);
  // Removes the last frame.
  void Erase();
  // Keeps the last frame and restores the terminal. Idempotent.
  void End();

 private:
  // The bytes that move the cursor to the top of the last frame, on a terminal of this size.
  std::string ToTop(Terminal::Size size) const;

  Terminal& terminal_;
  bool drawing_ = false;
  // The frame on the terminal, and the size that it was drawn for.
  std::vector<std::string> lines_;
  Terminal::Size drawn_;
};

// A terminal behind a file descriptor. Lifetime: the caller keeps ownership of the descriptor.
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

// Turns signals into calls: SIGINT, SIGTERM and SIGHUP request a stop (a second one ends the
// process at once), SIGWINCH notifies the terminal.
//
// Threading: blocks these signals in this thread and in all that it starts, so it must be created
// before any other thread.
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
