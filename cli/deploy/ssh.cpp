#include "cli/deploy/ssh.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/child.h"
#include "common/os/fd.h"
#include "common/os/pipe.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int k_tick_milliseconds = 50;
constexpr std::size_t k_most_output = 4 * 1024 * 1024;
constexpr int k_ssh_failed = 255;
constexpr std::string_view k_begin = "maildirsync-deploy begin\n";
constexpr std::string_view k_end = "maildirsync-deploy end ";

/// A running program, and what goes to it and comes from it.
class Child {
 public:
  Result<> start(const std::vector<std::string>& command) {
    MAILDIRSYNC_ASSIGN(in_, os::make_pipe());
    MAILDIRSYNC_ASSIGN(out_, os::make_pipe());
    MAILDIRSYNC_ASSIGN(err_, os::make_pipe());
    os::Launch launch{.words = command};
    launch.input = in_.read.get();
    launch.output = out_.write.get();
    launch.errors = err_.write.get();
    MAILDIRSYNC_ASSIGN(process_, os::start(std::move(launch)));
    in_.read.reset();
    out_.write.reset();
    err_.write.reset();
    for (const int fd : {in_.write.get(), out_.read.get(), err_.read.get()})
      ::fcntl(fd, F_SETFL, O_NONBLOCK);
    return {};
  }

  /// Until it ended. Not until its output did: an ssh that stays as the master of later ones keeps stderr open.
  Said talk(const Feed& feed, double seconds) {
    const auto end = Clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
    for (;;) {
      int status = 0;
      const pid_t ended = ::waitpid(process_, &status, WNOHANG);
      exchange(feed, ended == 0 ? k_tick_milliseconds : 0);
      if (ended != 0) {
        exchange(feed, 0);
        said_.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : k_ssh_failed;
        return std::move(said_);
      }
      if (seconds > 0 && Clock::now() > end) {
        ::kill(process_, SIGTERM);
        os::wait_for(process_);
        said_.exit_status = k_ssh_failed;
        said_.err += fmt::format("\nno answer within {:.0f} s\n", seconds);
        return std::move(said_);
      }
    }
  }

 private:
  void exchange(const Feed& feed, int milliseconds) {
    if (in_.write && rest_.empty()) {
      rest_ = feed ? feed() : std::string_view();
      if (rest_.empty()) in_.write.reset();
    }
    std::array<pollfd, 3> files{pollfd{in_.write ? in_.write.get() : -1, POLLOUT, 0},
                                pollfd{out_.read.get(), POLLIN, 0}, pollfd{err_.read.get(), POLLIN, 0}};
    ::poll(files.data(), files.size(), milliseconds);
    take(out_.read, said_.out);
    take(err_.read, said_.err);
    if (!in_.write) return;
    const ssize_t size = ::write(in_.write.get(), rest_.data(), rest_.size());
    if (size > 0) rest_.remove_prefix(static_cast<std::size_t>(size));
    if (size < 0 && errno != EAGAIN && errno != EINTR) in_.write.reset();
  }

  static void take(os::Fd& from, std::string& to) {
    std::array<char, 65536> chunk{};
    while (from) {
      const ssize_t size = ::read(from.get(), chunk.data(), chunk.size());
      if (size == 0) from.reset();
      if (size <= 0) return;
      if (to.size() < k_most_output) to.append(chunk.data(), static_cast<std::size_t>(size));
    }
  }

  os::Pipe in_, out_, err_;
  pid_t process_ = -1;
  std::string_view rest_;
  Said said_;
};

Feed once(const std::string& text) {
  return [rest = std::string_view(text)]() mutable { return std::exchange(rest, {}); };
}

std::string last_line(const std::string& text) {
  std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return "";
  const std::size_t start = text.find_last_of("\r\n", end);
  return os::printable(text.substr(start == std::string::npos ? 0 : start + 1, end - (start + 1) + 1));
}

}  // namespace

std::string Said::last_words() const {
  const std::string words = last_line(err);
  return words.empty() ? last_line(out) : words;
}

Result<Said> run_caught(const std::vector<std::string>& command, const Feed& feed, double seconds) {
  ::signal(SIGPIPE, SIG_IGN);  // of a command that ends before it has read all
  Child child;
  MAILDIRSYNC_TRY(child.start(command));
  return child.talk(feed, seconds);
}

Result<Said> Ssh::speak(const std::string& remote, const Feed& feed, double seconds) const {
  std::vector<std::string> words = command_;
  words.insert(words.end(), {"--", destination_, remote});
  auto said = run_caught(words, feed, seconds);
  if (!said) {
    return failure(ErrorCode::config, "",
                   fmt::format("{} cannot be run here ({}): install openssh-client, or name another with --ssh",
                               command_.front(), std::strerror(said.error().error_number)));
  }
  const std::size_t begin = said->out.find(k_begin);
  if (begin == std::string::npos) {
    if (said->exit_status == k_ssh_failed) {
      return failure(ErrorCode::unreachable, "",
                     fmt::format("ssh does not reach {}: {}; mend that until `ssh {} true` works", destination_,
                                 said->last_words(), destination_));
    }
    return failure(ErrorCode::protocol, "",
                   fmt::format("ssh reaches {}, but no shell answers there{}: give that account an ordinary shell "
                               "without a menu, or log in as another one",
                               destination_, said->last_words().empty() ? "" : "; it says: " + said->last_words()));
  }
  std::string out = said->out.substr(begin + k_begin.size());
  const std::size_t end = out.rfind(k_end);
  if (end == std::string::npos) {
    return failure(ErrorCode::unreachable, "",
                   fmt::format("the connection to {} broke off{}; run the same command again", destination_,
                               said->last_words().empty() ? "" : ": " + said->last_words()));
  }
  const char* status = out.data() + end + k_end.size();
  std::from_chars(status, out.data() + out.size(), said->exit_status);
  out.resize(end);
  said->out = std::move(out);
  return said;
}

Result<Said> Ssh::run(const std::string& script, double seconds) const {
  // All of it is read before any of it runs, and none of what runs reads it.
  const std::string text =
      "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; export PATH LC_ALL\n"
      "echo maildirsync-deploy begin\n(\n" +
      script + "\n) </dev/null\necho \"maildirsync-deploy end $?\"\n";
  return speak(sudo_ + "/bin/sh -s", once(text), seconds);
}

Result<Said> Ssh::run_with(const std::string& line, const Feed& feed, double seconds) const {
  return speak(sudo_ + "/bin/sh -c 'echo maildirsync-deploy begin; ( " + line + " ); echo maildirsync-deploy end $?'",
               feed, seconds);
}

}  // namespace maildirsync::cli
