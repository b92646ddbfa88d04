#include <algorithm>

#include "common/sync/plan.h"

namespace maildirsync::sync {

namespace {

class Model {
 public:
  explicit Model(AccountManifest manifest) : manifest_(std::move(manifest)) {}

  void step(const Operation& operation) {
    switch (operation.kind) {
      case OperationKind::make_folder:
        return make_folder(operation);
      case OperationKind::rename_folder:
        return rename_folder(operation);
      case OperationKind::put:
      case OperationKind::put_control:
      case OperationKind::link:
      case OperationKind::set_attributes:
        return upsert(operation.to, operation.result);
      case OperationKind::rename:
        erase(operation.from);
        return upsert(operation.to, operation.result);
      case OperationKind::remove:
        return erase(operation.from);
      case OperationKind::remove_folder:
        std::erase_if(manifest_.folders, [&](const auto& folder) { return folder.path == operation.from.folder; });
        return;
    }
  }

  AccountManifest take() { return std::move(manifest_); }

 private:
  std::vector<FolderManifest>::iterator position(std::string_view path) {
    return std::lower_bound(manifest_.folders.begin(), manifest_.folders.end(), path,
                            [](const FolderManifest& folder, std::string_view p) { return folder.path < p; });
  }

  void make_folder(const Operation& operation) {
    auto* folder = manifest_.find(operation.to.folder);
    if (folder == nullptr) {
      folder = &*manifest_.folders.insert(position(operation.to.folder), FolderManifest{.path = operation.to.folder});
    }
    folder->inode = operation.folder_inode;
    folder->self = operation.folder.self;
    folder->cur = operation.folder.cur;
    folder->new_ = operation.folder.new_;
    folder->tmp = operation.folder.tmp;
  }

  void rename_folder(const Operation& operation) {
    const std::string& from = operation.from.folder;
    for (auto& folder : manifest_.folders) {
      if (folder.path == from) {
        folder.path = operation.to.folder;
        folder.inode = operation.folder_inode;
      } else if (folder.path.starts_with(from + "/")) {
        folder.path = operation.to.folder + folder.path.substr(from.size());
      }
    }
    std::sort(manifest_.folders.begin(), manifest_.folders.end(), before_in_account);
  }

  void upsert(const Location& at, const Entry& result) {
    auto* folder = manifest_.find(at.folder);
    if (folder == nullptr) return;
    Entry entry = result;
    entry.area = at.area;
    entry.name = at.name;
    auto& entries = folder->entries;
    const auto found = std::lower_bound(entries.begin(), entries.end(), entry, before_in_folder);
    if (found != entries.end() && found->area == at.area && found->name == at.name) {
      if (!entry.digest) entry.digest = found->digest;
      *found = std::move(entry);
    } else {
      entries.insert(found, std::move(entry));
    }
  }

  void erase(const Location& at) {
    auto* folder = manifest_.find(at.folder);
    if (folder == nullptr) return;
    std::erase_if(folder->entries, [&](const Entry& entry) { return entry.area == at.area && entry.name == at.name; });
  }

  AccountManifest manifest_;
};

}  // namespace

AccountManifest apply(AccountManifest manifest, const std::vector<Operation>& operations) {
  Model model(std::move(manifest));
  for (const auto& operation : operations)
    model.step(operation);
  return model.take();
}

}  // namespace maildirsync::sync
