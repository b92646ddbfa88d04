#include "common/config/landing.h"

#include <filesystem>

#include "common/config/values.h"

namespace maildirsync::config {

namespace {

struct Place {
  const Peer* peer;
  const PeerRoot* root;
  std::string path;  ///< without links
};

std::string real_path(const std::string& path) {
  std::error_code ignored;
  std::string real = std::filesystem::weakly_canonical(path, ignored).string();
  if (real.empty()) real = path;
  while (real.size() > 1 && real.ends_with('/'))
    real.pop_back();
  return real;
}

bool is_below(const std::string& path, const std::string& above) {
  return above == "/" || (path.size() > above.size() && path.starts_with(above) && path[above.size()] == '/');
}

std::string name_of(const Place& place) {
  return "root " + in_quotes(place.root->name) + " of peer " + in_quotes(place.peer->name);
}

}  // namespace

Result<> check_landing(const Receiver& receiver) {
  std::vector<Place> places;
  for (const auto& peer : receiver.peers) {
    for (const auto& root : peer.roots) {
      const Place place{&peer, &root, real_path(root.path)};
      for (const auto& other : places) {
        if (root.shared && other.root->shared) continue;
        const char* how = place.path == other.path           ? " lands in the same directory as "
                          : is_below(place.path, other.path) ? " lands in a directory below that of "
                          : is_below(other.path, place.path) ? " lands in a directory above that of "
                                                             : nullptr;
        if (how == nullptr) continue;
        return failure(ErrorCode::config, "",
                       receiver.file + ": " + name_of(place) + " (" + root.path + ")" + how + name_of(other) + " (" +
                           other.root->path +
                           "); an account that both bring would be deleted by one where the other has it. Give it a "
                           "directory of its own, or, if they bring different accounts, write shared = true in both");
      }
      places.push_back(place);
    }
  }
  return {};
}

}  // namespace maildirsync::config
