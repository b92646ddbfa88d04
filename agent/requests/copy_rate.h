#pragma once

#include <optional>

namespace maildirsync::agent {

/// How fast the first copy goes while it has something to send.
class CopyRate {
 public:
  /// Once a second; `sent` counts all bytes of bodies.
  void measure(double seconds, double sent, bool copies) {
    if (copies && sent > sent_before_) {
      seconds_ += seconds;
      bytes_ += sent - sent_before_;
    }
    sent_before_ = sent;
  }
  /// Nothing as long as too little was sent to say much.
  std::optional<double> bytes_per_second() const {
    constexpr double k_least_seconds = 10;
    constexpr double k_least_bytes = 32.0 * 1024 * 1024;
    if (seconds_ < k_least_seconds || bytes_ < k_least_bytes) return std::nullopt;
    return bytes_ / seconds_;
  }

 private:
  double seconds_ = 0, bytes_ = 0, sent_before_ = 0;
};

}  // namespace maildirsync::agent
