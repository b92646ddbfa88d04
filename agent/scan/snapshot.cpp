#include "agent/scan/snapshot.h"

#include <utility>

#include <sys/stat.h>

#include "agent/scan/entry.h"
#include "common/codec/digest.h"
#include "common/os/content.h"
#include "common/os/kept_times.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

namespace {

constexpr int k_tries = 3;

Result<Snapshot> snapshot_of(const os::Content& file) {
  Snapshot snapshot;
  codec::Digester digester;
  const bool is_kept = file.size() <= k_snapshot_limit;
  MAILDIRSYNC_TRY(file.read(0, file.size(), [&](std::string_view piece) -> Result<> {
    if (is_kept) {
      snapshot.content.append(piece);
    } else {
      digester.update(piece);
    }
    return {};
  }));
  if (!is_kept) snapshot.digest = digester.finish();
  return snapshot;
}

}  // namespace

sync::Digest digest_of(const Snapshot& snapshot) {
  return snapshot.digest ? *snapshot.digest : codec::digest(snapshot.content);
}

SnapshotEnd take_snapshot(const os::Directory& directory, const std::string& folder, sync::Entry& entry,
                          Snapshot& snapshot) {
  for (int i = 0; i < k_tries; ++i) {
    const auto fd = directory.open_for_reading(entry.name);
    if (!fd) return fd.error().code == ErrorCode::vanished ? SnapshotEnd::restless : SnapshotEnd::unreadable;
    struct stat before {
    }, after{};
    if (::fstat(fd->get(), &before) != 0 || !S_ISREG(before.st_mode)) return SnapshotEnd::restless;
    const auto size = static_cast<std::uint64_t>(before.st_size);
    auto taken = snapshot_of(os::Content(fd->get(), size, sync::path_of({folder, sync::Area::folder, entry.name})));
    if (!taken && taken.error().code == ErrorCode::changed_while_read) continue;
    if (!taken) return SnapshotEnd::unreadable;
    if (::fstat(fd->get(), &after) != 0) return SnapshotEnd::restless;
    const bool rested =
        before.st_size == after.st_size && os::nanoseconds(before.st_mtim) == os::nanoseconds(after.st_mtim);
    if (!rested) continue;
    entry.inode = after.st_ino;
    entry.size = size;
    entry.mtime = os::nanoseconds(after.st_mtim);
    std::size_t counted_already = 0;
    entry.attributes = attributes_of(directory, entry.name, after, counted_already);
    snapshot = std::move(*taken);
    return SnapshotEnd::taken;
  }
  return SnapshotEnd::restless;
}

}  // namespace maildirsync::agent
