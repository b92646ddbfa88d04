#include "cli/cutover/interrupts.h"

#include <cerrno>
#include <csignal>
#include <system_error>

#include <sys/signalfd.h>
#include <unistd.h>

namespace maildirsync::cli {

Interrupts::Interrupts() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&set, number);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) == 0) fd_ = os::Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  // A terminal or a pipe that is gone keeps nothing from being undone.
  (void)std::signal(SIGPIPE, SIG_IGN);
  if (!fd_) throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
}

bool Interrupts::take() {
  bool any = false;
  signalfd_siginfo signal{};
  while (::read(fd_.get(), &signal, sizeof signal) == sizeof signal)
    any = true;
  return any;
}

}  // namespace maildirsync::cli
