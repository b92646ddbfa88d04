#include "daemon/roots/marker.h"

#include <array>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/maildir/name.h"
#include "common/os/own_file.h"
#include "common/os/random.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_id_bytes = 16;
constexpr std::string_view k_digits = "0123456789abcdef";

}  // namespace

Result<Marker> new_marker() {
  MAILDIRSYNC_ASSIGN(const auto random, os::random_bytes(k_id_bytes));
  Marker marker;
  for (const char one : random) {
    const auto byte = static_cast<unsigned char>(one);
    marker.id += k_digits[byte >> 4];
    marker.id += k_digits[byte & 15];
  }
  marker.counter = 1;
  return marker;
}

namespace {

Result<> write_and_name(const os::Directory& root, const Marker& marker, const std::string& aside) {
  const std::string name(k_marker_name);
  const auto cannot = [&](const char* what) { return os_failure(os::join(root.path(), name), what, errno); };
  MAILDIRSYNC_ASSIGN(const auto fd, os::create_own(root, aside, O_WRONLY));
  MAILDIRSYNC_TRY(os::write_all(fd.get(), to_text(marker), os::join(root.path(), aside)));
  if (::fsync(fd.get()) != 0) return cannot("cannot sync");
  if (::renameat(root.fd(), aside.c_str(), root.fd(), name.c_str()) != 0) return cannot("cannot give the name");
  if (::fsync(root.fd()) != 0) return cannot("cannot sync the directory");
  return {};
}

}  // namespace

Result<> write_marker(const os::Directory& root, const Marker& marker) {
  const std::string aside = std::string(k_marker_name) + ".new";
  auto written = write_and_name(root, marker, aside);
  if (!written) ::unlinkat(root.fd(), aside.c_str(), 0);  // on a full disk it takes room
  return written;
}

Result<> remove_marker(const os::Directory& root, const std::string& id) {
  MAILDIRSYNC_ASSIGN(const auto marker, read_marker(root));
  if (!marker || marker->id != id) return {};
  const std::string name(k_marker_name);
  if (::unlinkat(root.fd(), name.c_str(), 0) != 0 && errno != ENOENT)
    return os_failure(os::join(root.path(), name), "cannot remove", errno);
  return {};
}

/// Stops at the first name: a root may have very many.
Result<bool> is_empty_root(const os::Directory& root) {
  MAILDIRSYNC_ASSIGN(auto fd, root.open("", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> names(::fdopendir(fd.get()), &::closedir);
  if (!names) return os_failure(root.path(), "cannot list", errno);
  (void)fd.release();  // the stream closes it
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(names.get());
    if (entry == nullptr && errno != 0) return os_failure(root.path(), "cannot list", errno);
    if (entry == nullptr) return true;
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name != "lost+found" && !name.starts_with(maildir::k_aside_prefix)) return false;
  }
}

}  // namespace maildirsync::daemon
