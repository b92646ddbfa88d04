#pragma once

#include <memory>
#include <string>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include "agent/engine/walks.h"
#include "agent/watch/mounts.h"
#include "agent/watch/watcher.h"

namespace maildirsync::agent {

/// Hears of events and of mounts, and turns them into accounts' work. Event loop only.
class Watching {
 public:
  Watching(asio::io_context& loop, Roster& roster, Watcher& watcher, Walks& walks, Schedule& schedule, Totals& totals);
  ~Watching();
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  void begin();
  void stop();
  /// Takes what the watcher was told of until now; false when it fills as fast as it is read.
  bool read_all(int most_reads);

 private:
  void wait_for_events();
  void wait_for_mounts();
  void take_event(const Event& event);
  void walk_tree(std::size_t owner);
  void lost_events();
  void mount_changed(const std::string& point);

  Roster& roster_;
  Watcher& watcher_;
  Walks& walks_;
  Schedule& schedule_;
  Totals& totals_;
  Mounts mounts_;
  asio::posix::stream_descriptor watch_descriptor_, mount_descriptor_;
};

}  // namespace maildirsync::agent
