#pragma once

#include <cstddef>

namespace maildirsync::service {

/// Sets the C library's heap up for a daemon that runs for months on a mail server: few heaps for all threads, and what
/// is large comes from the kernel and goes back to it. Must be called before any thread is started.
void bound_heap();

/// Gives memory that has become free back to the kernel, so that a process is as small after a first copy, or after a
/// peer that asked for much, as it was before. Belongs to one thread.
class FreeMemory {
 public:
  /// Call it now and then: takes some milliseconds when much has become free since the last time, else nothing.
  void give_back();

 private:
  std::size_t left_ = 0;  ///< free bytes after the last time; most of these are the kernel's already
};

}  // namespace maildirsync::service
