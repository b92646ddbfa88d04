#include "daemon/session/peers.h"

#include <sys/statvfs.h>

namespace maildirsync::daemon {

Result<Peers> make_peers(const config::Receiver& config) {
  Peers peers;
  for (const auto& configured : config.peers) {
    auto peer = std::make_shared<Peer>();
    peer->name = configured.name;
    peer->fingerprint = configured.fingerprint;
    for (const auto& root : configured.roots) {
      auto owners = OwnerMap::make(root.owner, "root \"" + root.name + "\" of peer \"" + configured.name + "\"");
      if (!owners) {
        Error error = owners.error();
        error.detail = config.file + ": " + error.detail;
        return Failure(error);
      }
      peer->roots[root.name] = {root.name, root.path, std::make_shared<const OwnerMap>(std::move(*owners)),
                                root.trash_days};
    }
    peers[configured.fingerprint] = std::move(peer);
  }
  return peers;
}

Result<os::Directory> open_served_root(const std::string& name, const std::string& path) {
  auto directory = os::Directory::open_root(path);
  if (!directory) {
    return failure(ErrorCode::root_gone, path,
                   "the destination's directory of root \"" + name + "\" cannot be opened; make or mount it (" +
                       directory.error().message() + ")");
  }
  struct statvfs status {};
  if (::fstatvfs(directory->fd(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0) {
    return failure(
        ErrorCode::permission, path,
        "the destination's directory of root \"" + name +
            "\" is read-only for maildirsyncd; name it in ReadWritePaths= of "
            "/etc/systemd/system/maildirsyncd.service.d/paths.conf, or mount its file system read-write, and "
            "restart maildirsyncd");
  }
  return directory;
}

}  // namespace maildirsync::daemon
