#pragma once

#include "common/os/fd.h"

namespace maildirsync::cli {

/// Ctrl-C, and a wish to end (SIGINT, SIGTERM, SIGHUP), as a descriptor instead of an end: for what must be undone
/// first. For the rest of the process.
class Interrupts {
 public:
  Interrupts();
  /// Readable once one came and until it was taken.
  int fd() const { return fd_.get(); }
  /// Whether one came since the last call.
  bool take();

 private:
  os::Fd fd_;
};

}  // namespace maildirsync::cli
