#pragma once

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/directory.h"

namespace maildirsync::testing {

/// A temporary directory that is built up in one expression and goes with the object:
/// `Tree{}.maildir(".Sent").message("cur/1.x:2,S", "…")`. What cannot be made ends the test.
class Tree {
 public:
  explicit Tree(const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
    std::string pattern = (parent / "maildirsync-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), pattern);
    path_ = pattern;
  }
  Tree(Tree&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Tree& operator=(Tree&&) = delete;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  /// A file with its directories; "cur/…" and "new/…" as messages are named.
  Tree& file(const std::string& relative, std::string_view content = "") & {
    const auto path = path_ / relative;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << content;
    out.close();
    if (!out) throw std::system_error(EIO, std::generic_category(), path.string());
    return *this;
  }
  Tree& message(const std::string& relative, std::string_view content = "Subject: x\n\nbody\n") & {
    return file(relative, content);
  }
  Tree& directory(const std::string& relative) & {
    std::filesystem::create_directories(path_ / relative);
    return *this;
  }
  Tree& maildir(const std::string& relative = "") & {
    for (const auto* area : {"cur", "new", "tmp"})
      directory(os::join(relative, area));
    return *this;
  }
  Tree& link(const std::string& target, const std::string& relative) & {
    std::filesystem::create_symlink(target, path_ / relative);
    return *this;
  }
  Tree& hard_link(const std::string& existing, const std::string& relative) & {
    std::filesystem::create_hard_link(path_ / existing, path_ / relative);
    return *this;
  }
  Tree& fifo(const std::string& relative) & {
    if (::mkfifo((path_ / relative).c_str(), 0600) != 0)
      throw std::system_error(errno, std::generic_category(), relative);
    return *this;
  }
  Tree& rename(const std::string& from, const std::string& to) & {
    std::filesystem::rename(path_ / from, path_ / to);
    return *this;
  }
  Tree& remove(const std::string& relative) & {
    std::filesystem::remove_all(path_ / relative);
    return *this;
  }
  Tree& mode(const std::string& relative, mode_t mode) & {
    if (::chmod((path_ / relative).c_str(), mode) != 0)
      throw std::system_error(errno, std::generic_category(), relative);
    return *this;
  }
  Tree& mtime(const std::string& relative, std::int64_t nanoseconds) & {
    const struct timespec times[2] = {{0, UTIME_OMIT}, os::to_timespec(nanoseconds)};
    if (::utimensat(AT_FDCWD, (path_ / relative).c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
      throw std::system_error(errno, std::generic_category(), relative);
    }
    return *this;
  }
  /// Gives every directory an mtime an hour ago, as those have that nobody touches now.
  Tree& settle() & {
    std::error_code ignored;
    const auto then = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (entry.is_directory() && !entry.is_symlink()) std::filesystem::last_write_time(entry.path(), then, ignored);
    }
    std::filesystem::last_write_time(path_, then, ignored);
    return *this;
  }

  // The same on a temporary, so that a tree can be built in its own declaration.
  Tree&& message(const std::string& relative, std::string_view content = "Subject: x\n\nbody\n") && {
    message(relative, content);
    return std::move(*this);
  }
  Tree&& file(const std::string& relative, std::string_view content = "") && {
    file(relative, content);
    return std::move(*this);
  }
  Tree&& directory(const std::string& relative) && {
    directory(relative);
    return std::move(*this);
  }
  Tree&& maildir(const std::string& relative = "") && {
    maildir(relative);
    return std::move(*this);
  }
  Tree&& link(const std::string& target, const std::string& relative) && {
    link(target, relative);
    return std::move(*this);
  }

  std::string path(const std::string& relative = "") const {
    return (relative.empty() ? path_ : path_ / relative).string();
  }
  os::Directory open() const { return os::Directory::open_root(path()).value(); }
  bool exists(const std::string& relative) const {
    return std::filesystem::exists(std::filesystem::symlink_status(path_ / relative));
  }
  std::string content(const std::string& relative) const {
    std::ifstream in(path_ / relative, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  struct stat status(const std::string& relative) const {
    struct stat status {};
    if (::lstat((path_ / relative).c_str(), &status) != 0)
      throw std::system_error(errno, std::generic_category(), relative);
    return status;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace maildirsync::testing
