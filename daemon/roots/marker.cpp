#include "daemon/roots/marker.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
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
constexpr std::size_t k_id_digits = 2 * k_id_bytes;
constexpr std::size_t k_longest = 4096;
constexpr std::string_view k_digits = "0123456789abcdef";
constexpr std::string_view k_head =
    "maildirsyncd knows this directory again by this file: do not change, copy or remove it.\n";
constexpr std::string_view k_id = "id ", k_counter = "counter ", k_former = "former ";

/// Takes "WORD value\n" off the text.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view word) {
  const auto end = text.find('\n');
  if (!text.starts_with(word) || end == std::string_view::npos) return std::nullopt;
  const auto value = text.substr(word.size(), end - word.size());
  text.remove_prefix(end + 1);
  return value;
}

std::string name_of_new_one() {
  return std::string(k_marker_name) + ".new";
}

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

std::string to_text(const Marker& marker) {
  return std::string(k_head) + std::string(k_id) + marker.id + '\n' + std::string(k_counter) +
         std::to_string(marker.counter) + '\n' +
         (marker.former.empty() ? "" : std::string(k_former) + marker.former + '\n');
}

std::optional<Marker> parse_marker(std::string_view text) {
  if (!text.starts_with(k_head)) return std::nullopt;
  text.remove_prefix(k_head.size());
  const auto id = take_line(text, k_id);
  const auto counter = id ? take_line(text, k_counter) : std::nullopt;
  if (!counter || id->size() != k_id_digits || id->find_first_not_of(k_digits) != std::string_view::npos)
    return std::nullopt;
  Marker marker{.id = std::string(*id)};
  const auto* const end = counter->data() + counter->size();
  const auto read = std::from_chars(counter->data(), end, marker.counter);
  if (read.ec != std::errc() || read.ptr != end || marker.counter == 0) return std::nullopt;
  marker.former = take_line(text, k_former).value_or("");
  return marker;
}

Result<std::optional<Marker>> read_marker(const os::Directory& root) {
  const std::string name(k_marker_name);
  const auto fd = root.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd && fd.error().code == ErrorCode::vanished) return std::nullopt;
  if (!fd) return Failure(fd.error());
  MAILDIRSYNC_ASSIGN(const auto text, os::read_all(fd->get(), k_longest, os::join(root.path(), name)));
  auto marker = parse_marker(text);
  if (!marker) return failure(ErrorCode::io, os::join(root.path(), name), "the file is damaged");
  return marker;
}

Result<> write_marker(const os::Directory& root, const Marker& marker) {
  const std::string aside = name_of_new_one(), name(k_marker_name);
  const auto cannot = [&](const char* what) { return os_failure(os::join(root.path(), name), what, errno); };
  MAILDIRSYNC_ASSIGN(const auto fd, os::create_own(root, aside, O_WRONLY));
  MAILDIRSYNC_TRY(os::write_all(fd.get(), to_text(marker), os::join(root.path(), aside)));
  if (::fsync(fd.get()) != 0) return cannot("cannot sync");
  if (::renameat(root.fd(), aside.c_str(), root.fd(), name.c_str()) != 0) return cannot("cannot give the name");
  if (::fsync(root.fd()) != 0) return cannot("cannot sync the directory");
  return {};
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
