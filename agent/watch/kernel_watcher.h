#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agent/watch/places.h"
#include "agent/watch/translate.h"
#include "agent/watch/watcher.h"

namespace maildirsync::agent {

/// What the watchers by inotify and fanotify share: the kernel's queue, and under one lock the watched directories by
/// what the kernel calls them.
template <class Key, class Hash = std::hash<Key>>
class KernelWatcher : public Watcher {
 public:
  explicit KernelWatcher(os::Fd fd) : fd_(std::move(fd)) {}

  int fd() const final { return fd_.get(); }

  std::size_t watches() const final {
    const std::lock_guard lock(mutex_);
    return places_.size();
  }

  std::vector<std::string> recent() const final {
    const std::lock_guard lock(mutex_);
    return translator_.recent();
  }

 protected:
  os::Fd fd_;
  mutable std::mutex mutex_;
  Places<Key, Hash> places_;
  Translator translator_;
};

}  // namespace maildirsync::agent
