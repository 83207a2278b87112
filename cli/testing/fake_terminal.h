// A terminal in memory, which interprets the output of Block and shows what a person would see.
#ifndef ASSETGATE_CLI_TESTING_FAKE_TERMINAL_H_
#define ASSETGATE_CLI_TESTING_FAKE_TERMINAL_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "cli/terminal.h"

namespace assetgate::cli {

// One byte is one column. Lines that scroll off the top are kept, but the cursor cannot reach them.
class FakeTerminal final : public Terminal {
 public:
  FakeTerminal(int width, int height) : size_{width, height} {}

  Size size() override { return size_; }
  void SetQuiet(bool quiet) override { quiet_ = quiet; }
  void Write(absl::string_view bytes) override {
    ++writes_;
    while (!bytes.empty()) {
      if (bytes[0] == '\x1b') {
        TakeSequence(bytes);
        continue;
      }
      TakeCharacter(bytes[0]);
      bytes.remove_prefix(1);
    }
  }

  // The lines from the top to the last one that is not empty.
  std::vector<std::string> Screen() const {
    std::vector<std::string> lines;
    lines.reserve(lines_.size());
    for (const std::string& line : lines_) {
      lines.emplace_back(absl::StripTrailingAsciiWhitespace(line));
    }
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
  }

  // Makes it narrower, as terminals do: wraps lines that no longer fit; the cursor keeps its place.
  void Reflow(int width) {
    std::vector<std::string> broken;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (i == row_) row_ = broken.size();
      std::string rest = lines_[i];
      do {
        broken.push_back(rest.substr(0, static_cast<std::size_t>(width)));
        rest.erase(0, static_cast<std::size_t>(width));
      } while (!rest.empty());
    }
    if (row_ >= broken.size()) row_ = broken.size() - 1;
    lines_ = broken;
    size_.width = width;
    ScrollToCursor();
  }

  // Changes the height: lines from above reappear, or scroll off.
  void SetHeight(int height) {
    const std::size_t grown = static_cast<std::size_t>(std::max(0, height - size_.height));
    top_ -= std::min(top_, grown);
    size_.height = height;
    ScrollToCursor();
  }

  // The visible part of Screen().
  std::vector<std::string> Visible() const {
    std::vector<std::string> lines = Screen();
    const std::size_t hidden = std::min(top_, lines.size());
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(hidden));
    return lines;
  }

  int writes() const { return writes_; }
  bool cursor_visible() const { return cursor_visible_; }
  bool wraps() const { return wraps_; }
  bool quiet() const { return quiet_; }

 private:
  void ScrollToCursor() {
    const std::size_t height = static_cast<std::size_t>(size_.height);
    if (row_ >= top_ + height) top_ = row_ + 1 - height;
  }

  void TakeCharacter(char c) {
    if (c == '\r') {
      column_ = 0;
    } else if (c == '\n') {
      ++row_;
      if (row_ >= lines_.size()) lines_.emplace_back();
      ScrollToCursor();
    } else {
      std::string& line = lines_[row_];
      if (column_ >= static_cast<std::size_t>(size_.width)) column_ = line.size() - 1;
      if (line.size() <= column_) line.resize(column_ + 1, ' ');
      line[column_++] = c;
    }
  }

  void TakeSequence(absl::string_view& bytes) {
    std::size_t end = 2;  // After "\x1b[".
    while (end < bytes.size() && !absl::ascii_isalpha(static_cast<unsigned char>(bytes[end])))
      ++end;
    const absl::string_view argument = bytes.substr(2, end - 2);
    const char command = bytes[end];
    bytes.remove_prefix(end + 1);
    if (argument == "?25") cursor_visible_ = command == 'h';
    if (argument == "?7") wraps_ = command == 'h';
    if (command == 'A') {
      int up = 1;
      (void)absl::SimpleAtoi(argument, &up);
      row_ = std::max(top_, row_ - std::min(row_, static_cast<std::size_t>(up)));
    }
    if (command == 'H') {
      row_ = top_;
      column_ = 0;
      return;
    }
    if (command == 'J' && argument == "2") {
      for (std::size_t i = top_; i < lines_.size(); ++i) lines_[i].clear();
      return;
    }
    if (command == 'K' || command == 'J') {
      // After a character in the last column, the cursor is still on it.
      column_ = std::min(column_, static_cast<std::size_t>(size_.width) - 1);
      if (lines_[row_].size() > column_) lines_[row_].resize(column_);
    }
    if (command == 'J') lines_.resize(row_ + 1);
  }

  Size size_;
  std::vector<std::string> lines_ = {""};
  std::size_t top_ = 0;  // The first visible line.
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  int writes_ = 0;
  bool cursor_visible_ = true;
  bool wraps_ = true;
  bool quiet_ = false;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_TESTING_FAKE_TERMINAL_H_
