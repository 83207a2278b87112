#include "cli/terminal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/text.h"

namespace assetgate::cli {
namespace {

constexpr absl::string_view kHideCursor = "\x1b[?25l";
constexpr absl::string_view kShowCursor = "\x1b[?25h";
// Terminals with "synchronized output" show everything between the two at once; others ignore them.
constexpr absl::string_view kBeginFrame = "\x1b[?2026h";
constexpr absl::string_view kEndFrame = "\x1b[?2026l";
// A line that is wider than measured must not push the others down.
constexpr absl::string_view kNoWrap = "\x1b[?7l";
constexpr absl::string_view kWrap = "\x1b[?7h";
constexpr absl::string_view kClearLine = "\x1b[K";
constexpr absl::string_view kClearBelow = "\x1b[J";
// Clears the visible screen and moves the cursor to its top.
constexpr absl::string_view kClearScreen = "\x1b[2J\x1b[H";

sigset_t OurSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGUSR1}) sigaddset(&set, signal);
  return set;
}

}  // namespace

std::string Block::ToTop(Terminal::Size size) const {
  // A terminal that became narrower has wrapped the old lines.
  int rows = 0;
  for (const std::string& line : lines_) {
    rows += drawn_.width <= size.width
                ? 1
                : std::max(1, (PaintedWidth(line) + size.width - 1) / size.width);
  }
  // The cursor cannot reach lines that have scrolled off the top, and they reappear when the
  // terminal grows. So where a frame did not fit, the screen is cleared.
  if (rows + 1 >= std::min(size.height, drawn_.height) &&
      (size.width != drawn_.width || size.height != drawn_.height)) {
    return std::string(kClearScreen);
  }
  return rows == 0 ? "\r" : absl::StrCat("\r\x1b[", rows, "A");
}

void Block::Draw(const std::vector<std::string>& lines) {
  const Terminal::Size size = terminal_.size();
  std::string bytes;
  if (!drawing_) {
    drawing_ = true;
    drawn_ = size;
    terminal_.SetQuiet(true);
    absl::StrAppend(&bytes, kHideCursor);
  }
  absl::StrAppend(&bytes, kBeginFrame, kNoWrap, ToTop(size));
  for (const std::string& line : lines) {
    // After a line that fills the terminal, the cursor is still on its last character.
    absl::StrAppend(&bytes, line, PaintedWidth(line) < size.width ? kClearLine : "", "\r\n");
  }
  absl::StrAppend(&bytes, kClearBelow, kWrap, kEndFrame);
  terminal_.Write(bytes);
  lines_ = lines;
  drawn_ = size;
}

void Block::Erase() {
  if (!drawing_) return;
  terminal_.Write(absl::StrCat(ToTop(terminal_.size()), kClearBelow));
  lines_.clear();
}

void Block::End() {
  if (!drawing_) return;
  drawing_ = false;
  lines_.clear();
  terminal_.Write(kShowCursor);
  terminal_.SetQuiet(false);
}

Terminal::Size FileTerminal::size() {
  winsize size{};
  if (ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void FileTerminal::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return;  // The terminal was closed: SIGHUP follows.
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void FileTerminal::SetQuiet(bool quiet) {
  if (!quiet) {
    if (saved_.has_value()) tcsetattr(STDIN_FILENO, TCSANOW, &*saved_);
    saved_.reset();
    return;
  }
  // Changing the terminal from the background would stop the process.
  termios modes{};
  if (saved_.has_value() || isatty(STDIN_FILENO) == 0 || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
      tcgetattr(STDIN_FILENO, &modes) != 0) {
    return;
  }
  saved_ = modes;
  modes.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
  tcsetattr(STDIN_FILENO, TCSANOW, &modes);
}

Signals::Signals(Terminal* terminal) : terminal_(terminal) {
  const sigset_t set = OurSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

Signals::~Signals() {
  thread_.request_stop();
  // Interrupts sigwait, so that the thread checks its stop token.
  pthread_kill(thread_.native_handle(), SIGUSR1);
}

void Signals::Run(const std::stop_token& stop) {
  const sigset_t set = OurSignals();
  while (!stop.stop_requested()) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    switch (signal) {
      case SIGWINCH:
        if (terminal_ != nullptr) terminal_->NotifyResize();
        break;
      case SIGINT:
      case SIGTERM:
      case SIGHUP:
        if (interrupted_.stop_requested()) {
          // A second signal: something hangs. Restore the cursor before the exit.
          if (terminal_ != nullptr) {
            terminal_->Write(kShowCursor);
            terminal_->SetQuiet(false);
          }
          _exit(128 + signal);
        }
        interrupted_.request_stop();
        break;
      default:
        break;
    }
  }
}

}  // namespace assetgate::cli
