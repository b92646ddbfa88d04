#include "common/control/socket_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/os/path.h"

namespace maildirsync::control {

namespace {

constexpr mode_t k_socket_mode = 0660;
constexpr mode_t k_directory_mode = 0755;

Result<> make_parent(const std::string& path) {
  const std::string parent = os::directory_of(path);
  if (::mkdir(parent.c_str(), k_directory_mode) != 0) {
    if (errno == EEXIST) return {};
    return os_failure(parent, "cannot make the directory of the control socket", errno);
  }
  if (::chmod(parent.c_str(), k_directory_mode) != 0) {  // whatever the umask is
    return os_failure(parent, "cannot set the mode of the control socket's directory", errno);
  }
  return {};
}

/// Takes away the socket file of a daemon that was killed, and nothing else.
Result<> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) {
    if (errno == ENOENT) return {};
    return os_failure(path, "cannot look at the control socket", errno);
  }
  if (!S_ISSOCK(file.st_mode)) {
    return failure(ErrorCode::exists, path,
                   "what stands in the place of the control socket is no socket; move it away");
  }
  const os::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return os_failure(path, "cannot make a socket", errno);
  // EAGAIN: somebody listens and is busy.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
    return failure(ErrorCode::exists, path,
                   "another daemon runs already and answers on this control socket; stop it, or give this one another "
                   "(control)");
  }
  if (errno != ECONNREFUSED && errno != ENOENT) return os_failure(path, "cannot tell whether a daemon answers", errno);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_failure(path, "cannot replace the old socket", errno);
  return {};
}

}  // namespace

Result<SocketFile> SocketFile::listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return failure(
        ErrorCode::config, path,
        "the control socket's path must have 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  MAILDIRSYNC_TRY(make_parent(path));
  MAILDIRSYNC_TRY(remove_stale(path, address));
  os::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The file is made with the descriptor's mode, less the umask: never with more than it may have. The umask itself is
  // the whole process's and stays alone.
  if (!listener || ::fchmod(listener.get(), k_socket_mode) != 0) return os_failure(path, "cannot make a socket", errno);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return os_failure(path, "cannot make the control socket", errno);
  }
  struct stat file {};
  if (::chmod(path.c_str(), k_socket_mode) != 0 || ::lstat(path.c_str(), &file) != 0 ||
      ::listen(listener.get(), SOMAXCONN) != 0) {
    const int error_number = errno;
    ::unlink(path.c_str());
    return os_failure(path, "cannot listen on the control socket", error_number);
  }
  return SocketFile(path, std::move(listener), file.st_dev, file.st_ino);
}

SocketFile::SocketFile(std::string path, os::Fd listener, dev_t device, ino_t inode)
    : path_(std::move(path)), listener_(std::move(listener)), device_(device), inode_(inode) {}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      listener_(std::move(other.listener_)),
      device_(other.device_),
      inode_(other.inode_) {}

SocketFile::~SocketFile() {
  if (path_.empty()) return;
  struct stat file {};
  // Somebody may have removed our file, and another daemon's may be there now.
  if (::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace maildirsync::control
