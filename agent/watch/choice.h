#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/watch/watcher.h"
#include "common/config/config.h"

namespace maildirsync::agent {

/// A watcher, and in words why it is this one.
struct Choice {
  std::unique_ptr<Watcher> watcher;
  std::string reason;
};

/// The watcher that the configuration asks for. fanotify is tried on every root that is there: `automatic` takes it
/// only when it works on all of them, and inotify otherwise; `fanotify` fails with the reason. A root that comes later
/// is not asked.
Result<Choice> choose_watcher(config::WatchBackend backend, const std::vector<config::AgentRoot>& roots);

}  // namespace maildirsync::agent
