#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "common/sync/operation.h"

namespace maildirsync::agent {

/// What a full destination has room for, as far as the receiver told and it is not given out yet; shared by all turns
/// of a root. Any thread.
class Room {
 public:
  /// Whether a file of that size may be sent; takes its room. Always, while the destination is not known to be full.
  bool take(std::uint64_t size);

  /// A file was refused: nothing more is sent until the receiver tells.
  void is_full();
  /// What is free there now, of bytes and of files. Some of it is left to whatever is sent without a question.
  void tell(std::uint64_t bytes, std::uint64_t files);
  void is_no_longer_full() { full_ = false; }
  bool full() const { return full_; }

 private:
  std::atomic<bool> full_{false};
  std::atomic<std::int64_t> bytes_{0}, files_{0};
};

/// What an account holds that the destination has no room for.
struct WantOfRoom {
  std::uint64_t messages = 0, bytes = 0;
  std::uint64_t smallest = 0;  ///< bytes of the smallest of them
  sync::Attributes owner;      ///< of that one: a quota may be its owner's
  std::string path;            ///< of the first
  std::string detail;          ///< what the receiver said, if it was asked

  void add(const sync::Operation& operation, const std::string& said);
  void merge(const WantOfRoom& other);
};

/// "3 messages (1.5 MiB) wait for room …": for people.
std::string sentence_of(const WantOfRoom& want);

}  // namespace maildirsync::agent
