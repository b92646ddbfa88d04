#include "daemon/session/destinations.h"

namespace maildirsync::daemon {

wire::Destination destination_of(const ServedRoot& root) {
  wire::Destination told;
  told.set_root(root.name);
  if (!root.directory) return told;
  const auto trouble = root.directory->trouble();
  if (trouble && (trouble->code == ErrorCode::destination_gone || trouble->code == ErrorCode::timed_out)) {
    told.set_held(trouble->detail);
  } else if (const auto known = root.directory->known()) {
    told.set_id(known->marker.id);
    told.set_counter(known->marker.counter);
    told.set_former_id(known->marker.former);
    if (const auto file = root.directory->marker_file()) {
      told.set_marker_inode(file->inode);
      told.set_marker_changed(file->changed);
    }
  }
  return told;
}

void look_at_destinations(const Peer& peer, const wire::Hello& agent, const ServedDirectories& directories) {
  for (const auto& [name, root] : peer.roots) {
    if (!root.directory) continue;
    std::optional<Marker> last;
    for (const auto& told : agent.destinations()) {
      if (told.root() == name && !told.id().empty() && !directories.has_moved(peer.name, name))
        last = Marker{told.id(), told.counter()};
    }
    root.directory->greet(last);
  }
}

}  // namespace maildirsync::daemon
