#pragma once

#include "common/os/fd.h"

namespace maildirsync::cli {

/// Makes Ctrl-C and the other signals that ask for an end (SIGINT, SIGTERM, SIGHUP) readable from a descriptor, instead
/// of ending the process: something must be undone first. For the rest of the process.
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
