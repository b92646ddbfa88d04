#include "agent/scan/discovery.h"

#include <filesystem>

#include <dirent.h>
#include <sys/stat.h>

namespace maildirsync::agent {

namespace {

class Walk {
 public:
  Walk(const config::AgentRoot& root, std::uint32_t root_index, const maildir::Layout& layout, Watcher& watcher)
      : root_(root), index_(root_index), layout_(layout), watcher_(watcher) {}

  Discovery run() {
    auto directory = os::Directory::open_root(root_.path);
    if (!directory) {
      found_.error = directory.error();
      found_.whole = false;
      return std::move(found_);
    }
    found_.directory = std::make_shared<const os::Directory>(std::move(*directory));
    if (const auto status = found_.directory->status("")) found_.identity = {status->st_dev, status->st_ino};
    std::error_code ignored;
    found_.real_path =
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(found_.directory->fd()), ignored).string();
    level(*found_.directory, "", 0);
    return std::move(found_);
  }

 private:
  void level(const os::Directory& directory, const std::string& path, std::size_t depth) {
    if (const auto watched = watcher_.watch(directory, {Part::root, index_, path}); !watched) {
      found_.problems.push_back(watched.error());
    }
    const auto entries = directory.list();
    if (!entries) return unreadable(entries.error());
    for (const auto& entry : *entries) {
      if (!layout_.matches(depth, entry.name)) continue;
      const std::string below = os::join(path, entry.name);
      unsigned char type = entry.type;
      if (type == DT_UNKNOWN) {
        const auto status = directory.status(entry.name);
        if (!status) continue;
        type = S_ISDIR(status->st_mode) ? DT_DIR : S_ISLNK(status->st_mode) ? DT_LNK : DT_REG;
      }
      if (type == DT_LNK) {
        found_.links.push_back(below);
      } else if (type == DT_DIR && depth + 1 == layout_.depth()) {
        account(below);
      } else if (type == DT_DIR) {
        const auto next = directory.open_directory(entry.name);
        if (next) {
          level(*next, below, depth + 1);
        } else if (next.error().code != ErrorCode::vanished) {
          unreadable(next.error());
        }
      }
    }
  }

  void account(const std::string& path) {
    const auto name = layout_.account_name(path);
    if (name && maildir::is_included(root_.include, root_.exclude, *name)) found_.accounts.push_back({path, *name});
  }

  void unreadable(const Error& error) {
    found_.whole = false;
    found_.problems.push_back(error);
  }

  const config::AgentRoot& root_;
  std::uint32_t index_;
  const maildir::Layout& layout_;
  Watcher& watcher_;
  Discovery found_;
};

}  // namespace

Discovery discover(const config::AgentRoot& root, std::uint32_t root_index, const maildir::Layout& layout,
                   Watcher& watcher) {
  return Walk(root, root_index, layout, watcher).run();
}

}  // namespace maildirsync::agent
