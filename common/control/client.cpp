#include "common/control/client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/os/fd.h"

namespace maildirsync::control {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr double k_connect_seconds = 10;
constexpr double k_longest_seconds = 365.0 * 24 * 60 * 60;
constexpr std::size_t k_max_answer = std::size_t{1} << 30U;

/// How to look after the daemon that should be there; its usual path tells which one that is.
std::string service_hint(const std::string& socket) {
  if (socket.find("maildirsyncd") != std::string::npos) {
    return "is maildirsyncd running? See: systemctl status maildirsyncd";
  }
  if (socket.find("maildirsync-agent") != std::string::npos) {
    return "is maildirsync-agent running? See: systemctl status maildirsync-agent";
  }
  return "is maildirsync-agent or maildirsyncd running, with this path as its control? See: systemctl status "
         "maildirsync-agent maildirsyncd";
}

Failure cannot_connect(const std::string& socket, int error_number) {
  switch (error_number) {
    case ENOENT:
      return failure(ErrorCode::unreachable, "", "there is no control socket " + socket + "; " + service_hint(socket));
    case ECONNREFUSED:
      return failure(ErrorCode::unreachable, "", "nobody listens on " + socket + "; " + service_hint(socket));
    case EACCES:
    case EPERM:
      return failure(
          ErrorCode::unreachable, "",
          "permission to use " + socket + " is missing; run as root or as a member of the group that owns " + socket);
    case EAGAIN:
      return failure(ErrorCode::unreachable, "",
                     "the daemon does not take the connection on " + socket + "; " + service_hint(socket));
    default:
      return failure(ErrorCode::unreachable, "",
                     "cannot connect to " + socket + ": " + std::strerror(error_number) + "; " + service_hint(socket));
  }
}

enum class Wait { ready, late, cancelled };

/// How long is left, unless it is cancelled; without an end when no time is given.
class Deadline {
 public:
  Deadline(double seconds, int cancel_fd) : cancel_fd_(cancel_fd) {
    if (seconds > 0)
      end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(std::min(seconds, k_longest_seconds)));
  }

  bool is_before(const Deadline& other) const { return end_ && (!other.end_ || *end_ < *other.end_); }

  /// Waits until the descriptor is ready, or until the earlier of the two is over.
  Wait wait(int fd, short events, const Deadline& other) const {
    const Deadline& first = other.is_before(*this) ? other : *this;
    for (;;) {
      std::array descriptors{pollfd{fd, events, 0}, pollfd{cancel_fd_, POLLIN, 0}};
      const int ready = ::poll(descriptors.data(), descriptors.size(), first.milliseconds());
      if (ready > 0) return descriptors[1].revents != 0 ? Wait::cancelled : Wait::ready;
      if (ready == 0 && first.milliseconds() == 0) return Wait::late;
      if (ready < 0 && errno != EINTR) return Wait::ready;  // the call that follows will say what it is
    }
  }

 private:
  int milliseconds() const {
    constexpr std::int64_t k_most = 60L * 60 * 1000;
    if (!end_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end_ - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, k_most));
  }

  int cancel_fd_;
  std::optional<Clock::time_point> end_;
};

Result<os::Fd> connect(const std::string& socket, double timeout_seconds) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.empty() || socket.size() >= sizeof address.sun_path) return cannot_connect(socket, ENAMETOOLONG);
  std::memcpy(address.sun_path, socket.data(), socket.size());
  os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return os_failure(socket, "cannot make a socket", errno);
  // A connect(2) waits while the listener's queue is full: for the time for sending (unix(7), socket(7)).
  const double limit = timeout_seconds > 0 ? std::clamp(timeout_seconds, 0.001, k_connect_seconds) : k_connect_seconds;
  timeval time{};
  time.tv_sec = static_cast<time_t>(limit);
  time.tv_usec = static_cast<suseconds_t>((limit - std::floor(limit)) * 1e6);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  int connected = 0;
  do {
    connected = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (connected != 0 && errno == EINTR);
  if (connected != 0) return cannot_connect(socket, errno);
  return fd;
}

class Conversation {
 public:
  Conversation(os::Fd fd, std::string socket, double timeout_seconds, int cancel_fd, double silence_seconds)
      : fd_(std::move(fd)),
        socket_(std::move(socket)),
        deadline_(timeout_seconds, cancel_fd),
        silence_seconds_(silence_seconds),
        silence_(silence_seconds, cancel_fd) {}

  Result<> send(std::string_view line) {
    while (!line.empty()) {
      MAILDIRSYNC_TRY(wait(POLLOUT));
      const ssize_t size = ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (size < 0) return {};  // the daemon has ended it; what it said before that is read still
      line.remove_prefix(static_cast<std::size_t>(size));
    }
    return {};
  }

  Result<std::string> receive() {
    for (;;) {
      const auto end = received_.find('\n', searched_);
      if (end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        searched_ = 0;
        return line;
      }
      searched_ = received_.size();
      if (received_.size() > k_max_answer) return failure(ErrorCode::too_big, "", "the answer is over 1 GiB");
      MAILDIRSYNC_TRY(fill());
    }
  }

 private:
  Result<> fill() {
    for (;;) {
      MAILDIRSYNC_TRY(wait(POLLIN));
      const ssize_t size = ::recv(fd_.get(), chunk_.data(), chunk_.size(), MSG_DONTWAIT);
      if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (size <= 0) {
        return failure(
            ErrorCode::unreachable, "",
            "the daemon on " + socket_ + " ended the connection without an answer; " + service_hint(socket_));
      }
      silence_ = Deadline(silence_seconds_, -1);
      received_.append(chunk_.data(), static_cast<std::size_t>(size));
      return {};
    }
  }

  Result<> wait(short events) const {
    const bool silence_first = silence_.is_before(deadline_);
    switch (deadline_.wait(fd_.get(), events, silence_)) {
      case Wait::ready:
        break;
      case Wait::late:
        if (silence_first) {
          return failure(ErrorCode::timed_out, "",
                         "the daemon on " + socket_ + " has said nothing for " +
                             std::to_string(std::lround(silence_seconds_)) +
                             " s: it is stopped (SIGSTOP, a debugger), or waits for a disk or a name service that "
                             "hangs; " +
                             service_hint(socket_));
        }
        return failure(ErrorCode::timed_out, "",
                       "the daemon on " + socket_ + " did not answer in time; " + service_hint(socket_));
      case Wait::cancelled:
        return failure(ErrorCode::cancelled, "", "interrupted");
    }
    return {};
  }

  os::Fd fd_;
  std::string socket_;
  Deadline deadline_;
  double silence_seconds_;
  Deadline silence_;
  std::array<char, 64 * 1024> chunk_{};
  std::string received_;
  std::size_t searched_ = 0;
};

}  // namespace

Result<json> call(const std::string& socket, const json& request, const std::function<void(const json&)>& on_progress,
                  double timeout_seconds, int cancel_fd, double silence_seconds) {
  MAILDIRSYNC_ASSIGN(auto fd, connect(socket, timeout_seconds));
  Conversation conversation(std::move(fd), socket, timeout_seconds, cancel_fd, silence_seconds);
  MAILDIRSYNC_TRY(conversation.send(request.dump(-1, ' ', false, json::error_handler_t::replace) + '\n'));
  for (;;) {
    MAILDIRSYNC_ASSIGN(const auto line, conversation.receive());
    json answer = json::parse(line, nullptr, false);
    if (!answer.is_object()) {
      return failure(ErrorCode::protocol, "",
                     "what answers on " + socket + " is no daemon of ours; is the path right (--control)?");
    }
    if (!answer.contains("progress")) return answer;
    const auto& progress = answer["progress"];
    const bool only_alive = progress.is_object() && progress.empty();
    if (on_progress && !only_alive) on_progress(answer);
  }
}

}  // namespace maildirsync::control
