#include "agent/verify/source.h"

#include <algorithm>

#include <sys/stat.h>

#include "agent/scan/folder.h"
#include "agent/scan/structure.h"
#include "common/codec/digest.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;

class Reader {
 public:
  Reader(Contents contents, const std::atomic<bool>& stop) : contents_(contents), stop_(stop) {}

  Result<SourceListing> run(const os::Directory& root, const std::string& account) {
    auto structure = scan_structure(root, account, [](const os::Directory&, const std::string&, Part) {});
    listing_.manifest.exists = structure.manifest.exists;
    listing_.manifest.structure_whole = structure.manifest.structure_whole;
    take_problems(structure.problems);
    listing_.acls += structure.acls;
    if (!structure.manifest.exists) return std::move(listing_);
    auto directory = root.open_directory(account);
    if (!directory) {
      if (directory.error().code != ErrorCode::vanished) return Failure(directory.error());
      listing_.manifest.exists = false;
      return std::move(listing_);
    }
    for (const auto& folder : structure.manifest.folders)
      MAILDIRSYNC_TRY(this->folder(*directory, folder.path));
    return std::move(listing_);
  }

 private:
  void take_problems(std::vector<ScanProblem>& problems) {
    for (auto& problem : problems) {
      if (problem.code != ErrorCode::special_file) listing_.problems.push_back(std::move(problem));
    }
  }

  Result<> folder(const os::Directory& account, const std::string& path) {
    auto scan = scan_folder(account, path, {}, Depth::full);
    if (!scan) {
      listing_.manifest.structure_whole = false;  // it moved or went meanwhile, or cannot be read
      if (scan.error().code != ErrorCode::vanished) {
        listing_.problems.push_back({scan.error().code, path, scan.error().message()});
      }
      return {};
    }
    take_problems(scan->problems);
    listing_.acls += scan->acls;
    for (auto& entry : scan->manifest.entries) {
      if (stop_) return failure(ErrorCode::cancelled, path, "the comparison was given up");
      if (entry.kind != sync::EntryKind::file) continue;
      if (const auto seen = scan->control.find(entry.name); entry.area == Area::folder && seen != scan->control.end()) {
        entry.digest = digest_of(seen->second);
      } else if (entry.area == Area::folder || contents_ == Contents::all) {
        MAILDIRSYNC_TRY(read(account, path, entry));
      }
    }
    scan->manifest.path = path;
    listing_.manifest.folders.push_back(std::move(scan->manifest));
    return {};
  }

  Result<> read(const os::Directory& account, const std::string& folder, Entry& entry) {
    const std::string path = sync::path_of({folder, entry.area, entry.name});
    const auto fd = account.open_for_reading(path);
    if (!fd) return unread(path, fd.error());
    auto digest = codec::digest_of(fd->get(), path, &stop_);
    if (!digest)
      return digest.error().code == ErrorCode::cancelled ? Result<>(Failure(digest.error()))
                                                         : unread(path, digest.error());
    struct stat status {};
    const bool rested = ::fstat(fd->get(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) == entry.size &&
                        os::nanoseconds(status.st_mtim) == entry.mtime;
    if (rested) entry.digest = *digest;
    return {};
  }

  /// What vanished or changed meanwhile is a matter of the next look.
  Result<> unread(const std::string& path, const Error& error) {
    if (error.code != ErrorCode::vanished) listing_.problems.push_back({error.code, path, error.message()});
    return {};
  }

  Contents contents_;
  const std::atomic<bool>& stop_;
  SourceListing listing_;
};

}  // namespace

Result<SourceListing> list_source(const os::Directory& root, const std::string& account, Contents contents,
                                  const std::atomic<bool>& stop) {
  return Reader(contents, stop).run(root, account);
}

std::int64_t change_stamp(const os::Directory& root, const std::string& account, const std::string& folder, Area area,
                          const std::string& name) {
  const auto directory = root.open_directory(os::join(account, sync::directory_of({folder, area, ""})));
  const auto status = directory ? directory->status(name) : Result<struct stat>(Failure(directory.error()));
  return status ? os::nanoseconds(status->st_ctim) : 0;
}

}  // namespace maildirsync::agent
