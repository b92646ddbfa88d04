#include "common/sync/plan_folders.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace maildirsync::sync {

namespace {

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.substr(0, folder.size()) == folder && path[folder.size()] == '/';
}

FolderShape union_of(const FolderShape& wanted, const FolderShape& present) {
  return {wanted.self, wanted.cur ? wanted.cur : present.cur, wanted.new_ ? wanted.new_ : present.new_,
          wanted.tmp ? wanted.tmp : present.tmp};
}

class FolderPlanner {
 public:
  FolderPlanner(const AccountManifest& before, const AccountManifest& after, std::vector<Operation>& operations)
      : after_(after), operations_(operations) {
    for (const auto& folder : before.folders) {
      auto& present = before_.emplace_back(Present{folder.path, folder.inode, shape_of(folder), {}});
      present.entries.reserve(folder.entries.size());
      for (const auto& entry : folder.entries)
        present.entries.push_back(&entry);
    }
  }

  std::vector<Present> run() {
    for (auto& folder : before_)
      remove_files_in_the_way(folder);
    rename_folders();
    make_folders();
    std::sort(before_.begin(), before_.end(),
              [](const Present& left, const Present& right) { return left.path < right.path; });
    return std::move(before_);
  }

 private:
  Present* find_before(std::string_view path) {
    for (auto& folder : before_) {
      if (folder.path == path) return &folder;
    }
    return nullptr;
  }

  static bool has_area(const FolderManifest* folder, std::string_view name) {
    if (folder == nullptr) return false;
    return (name == "cur" && folder->cur) || (name == "new" && folder->new_) || (name == "tmp" && folder->tmp);
  }

  /// A file where a folder is to be, or a cur/, new/ or tmp/, must go first.
  void remove_files_in_the_way(Present& folder) {
    std::erase_if(folder.entries, [&](const Entry* entry) {
      if (entry->area != Area::folder) return false;
      const std::string path = folder.path.empty() ? entry->name : folder.path + "/" + entry->name;
      if (after_.find(path) == nullptr && !has_area(after_.find(folder.path), entry->name)) return false;
      operations_.push_back(
          {.kind = OperationKind::remove, .from = {folder.path, Area::folder, entry->name}, .expected = *entry});
      return true;
    });
  }

  /// A folder of the same inode at another path was renamed, with all below it. Repeated while that frees targets.
  void rename_folders() {
    if (!after_.structure_whole) return;
    std::map<std::string, const FolderManifest*> wanted;
    for (const auto& folder : after_.folders) {
      const auto* present = find_before(folder.path);
      if (folder.inode != 0 && !folder.path.empty() && (present == nullptr || present->inode != folder.inode)) {
        wanted.emplace(folder.path, &folder);
      }
    }
    for (bool progress = true; progress && !wanted.empty();) {
      progress = false;
      for (auto next = wanted.begin(); next != wanted.end();) {
        const FolderManifest& target = *next->second;
        const auto* source = source_of_rename(target);
        const auto slash = target.path.rfind('/');
        const bool parent_waits = slash != std::string::npos && wanted.contains(target.path.substr(0, slash)) &&
                                  source_of_rename(*wanted.at(target.path.substr(0, slash))) != nullptr;
        if (source == nullptr) {
          next = parent_waits ? std::next(next) : wanted.erase(next);
        } else if (parent_waits || find_before(target.path) != nullptr) {
          ++next;
        } else {
          const std::string from = source->path;  // make_parents moves what the pointer points to
          make_parents(target.path);
          rename_folder(from, target);
          next = wanted.erase(next);
          progress = true;
        }
      }
    }
  }

  const Present* source_of_rename(const FolderManifest& target) const {
    for (const auto& folder : before_) {
      if (folder.inode != target.inode || folder.path.empty() || is_below(target.path, folder.path)) continue;
      const auto* still = after_.find(folder.path);
      if (still == nullptr || still->inode != folder.inode) return &folder;
    }
    return nullptr;
  }

  void make_parents(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      const auto* folder = after_.find(parent);
      if (folder != nullptr && find_before(parent) == nullptr) make_folder(*folder, shape_of(*folder));
    }
  }

  void rename_folder(const std::string& from, const FolderManifest& target) {
    operations_.push_back({.kind = OperationKind::rename_folder,
                           .from = {from, Area::folder, ""},
                           .to = {target.path, Area::folder, ""},
                           .folder_inode = target.inode});
    for (auto& folder : before_) {
      if (folder.path == from) {
        folder.path = target.path;
      } else if (is_below(folder.path, from)) {
        folder.path = target.path + folder.path.substr(from.size());
      } else {
        continue;
      }
      remove_files_in_the_way(folder);
    }
  }

  void make_folder(const FolderManifest& folder, const FolderShape& shape) {
    operations_.push_back({.kind = OperationKind::make_folder,
                           .to = {folder.path, Area::folder, ""},
                           .folder = shape,
                           .folder_inode = folder.inode});
    if (auto* present = find_before(folder.path)) {
      present->shape = shape;
      present->inode = folder.inode;
    } else {
      before_.push_back({folder.path, folder.inode, shape, {}});
    }
  }

  /// Parents come first: a path sorts before what is below it.
  void make_folders() {
    std::unordered_map<std::string_view, const Present*> present;
    for (const auto& folder : before_)
      present.emplace(folder.path, &folder);
    std::vector<std::pair<const FolderManifest*, FolderShape>> missing;
    for (const auto& folder : after_.folders) {
      const auto found = present.find(folder.path);
      if (found == present.end()) {
        missing.emplace_back(&folder, shape_of(folder));
        continue;
      }
      const FolderShape shape = union_of(shape_of(folder), found->second->shape);
      if (shape != found->second->shape || folder.inode != found->second->inode) missing.emplace_back(&folder, shape);
    }
    for (const auto& [folder, shape] : missing)
      make_folder(*folder, shape);
  }

  const AccountManifest& after_;
  std::vector<Operation>& operations_;
  std::vector<Present> before_;
};

}  // namespace

FolderShape shape_of(const FolderManifest& folder) {
  return {folder.self, folder.cur, folder.new_, folder.tmp};
}

std::vector<Present> plan_folders(const AccountManifest& before, const AccountManifest& after,
                                  std::vector<Operation>& operations) {
  return FolderPlanner(before, after, operations).run();
}

}  // namespace maildirsync::sync
