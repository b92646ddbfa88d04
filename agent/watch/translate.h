#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "agent/watch/watcher.h"

namespace maildirsync::agent {

/// The events that matter in a watched directory, as bits of inotify(7). Those of fanotify(7) are the same bits.
std::uint32_t mask_of(Part part);

/// Turns what the kernel says into events, and remembers the last of them. One lock of the watcher guards it.
class Translator {
 public:
  /// An event of a watched directory; `name` is empty when it is about the directory itself. Adds nothing when it
  /// says nothing new.
  void add(const Place& place, std::uint32_t mask, std::string name, std::vector<Event>& events);
  void add_overflow(std::vector<Event>& events);

  /// See Watcher::recent.
  std::vector<std::string> recent() const;

 private:
  struct Seen {
    std::uint32_t mask = 0;
    std::string where;
  };
  void remember(std::uint32_t mask, std::string where);

  std::deque<Seen> ring_;
};

}  // namespace maildirsync::agent
