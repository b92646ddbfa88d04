#include "cli/doctor/links.h"

#include <algorithm>
#include <array>

#include <dirent.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "common/maildir/name.h"
#include "common/os/directory.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int k_max_depth = 64;

bool is_kind(const os::Directory& parent, const os::DirectoryEntry& entry, unsigned char type, mode_t kind) {
  if (entry.type != DT_UNKNOWN) return entry.type == type;
  const auto status = parent.status(entry.name);
  return status && (status->st_mode & S_IFMT) == kind;
}

class Walk {
 public:
  explicit Walk(Clock::time_point end) : end_(end) {}

  void above(const os::Directory& directory, int depth) {
    const auto entries = directory.list();
    if (!entries || is_over() || depth > k_max_depth) return;
    const bool is_account = std::any_of(entries->begin(), entries->end(), [&](const auto& entry) {
      return (entry.name == "cur" || entry.name == "new") && is_kind(directory, entry, DT_DIR, S_IFDIR);
    });
    if (is_account) {
      inside(directory, *entries, "", depth);
      ++found_.accounts;
      return;
    }
    for (const auto& entry : *entries) {
      if (entry.name.starts_with(maildir::k_aside_prefix) || !is_kind(directory, entry, DT_DIR, S_IFDIR)) continue;
      if (const auto next = directory.open_directory(entry.name)) above(*next, depth + 1);
    }
  }

  LinksOut take() { return std::move(found_); }

 private:
  void inside(const os::Directory& directory, const std::vector<os::DirectoryEntry>& entries, const std::string& path,
              int depth) {
    for (const auto& entry : entries) {
      if (is_kind(directory, entry, DT_LNK, S_IFLNK)) {
        link(directory, entry.name, path);
      } else if (depth <= k_max_depth && !is_over() && is_kind(directory, entry, DT_DIR, S_IFDIR)) {
        const auto next = directory.open_directory(entry.name);
        const auto below = next ? next->list() : Result<std::vector<os::DirectoryEntry>>(Failure(next.error()));
        if (below) inside(*next, *below, os::join(path, entry.name), depth + 1);
      }
    }
  }

  void link(const os::Directory& directory, const std::string& name, const std::string& path) {
    std::array<char, 4097> buffer{};
    const ssize_t size = ::readlinkat(directory.fd(), name.c_str(), buffer.data(), buffer.size());
    if (size < 0) return;
    const std::string target(buffer.data(), static_cast<std::size_t>(size));
    if (maildir::link_stays_inside(path, target) || found_.links++ > 0) return;
    found_.first = os::printable(os::join(directory.path(), name)) + " -> " + os::printable(target);
  }

  bool is_over() {
    if (Clock::now() >= end_) found_.is_whole = false;
    return !found_.is_whole;
  }

  const Clock::time_point end_;
  LinksOut found_;
};

std::string to_text(const LinksOut& found) {
  return json{{"accounts", found.accounts}, {"links", found.links}, {"first", found.first}, {"whole", found.is_whole}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

LinksOut from_text(const std::string& text) {
  const json said = json::parse(text);
  return {said.at("accounts"), said.at("links"), said.at("first"), said.at("whole")};
}

}  // namespace

Result<LinksOut> find_links_out(const ServiceIdentity& identity, const std::string& root,
                                std::chrono::milliseconds most) {
  const auto said = run_as(identity, [&] {
    Walk walk(Clock::now() + most);
    if (const auto directory = os::Directory::open_root(root)) walk.above(*directory, 0);
    return to_text(walk.take());
  });
  if (!said) return Failure(said.error());
  return from_text(*said);
}

}  // namespace maildirsync::cli
