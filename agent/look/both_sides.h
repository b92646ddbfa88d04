#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/look/look.h"

namespace maildirsync::agent {

/// Whether the account's folders are as the state says, or as they were walked; if not, they are walked by the next
/// turn.
enum class Structure : std::uint8_t { as_known, changed };

/// The two sides of a look while they are filled, with what both ways of looking do to them. One turn's, on its thread.
class BothSides {
 public:
  BothSides(const TurnOrder& order, State& state, sync::AccountManifest known, Look& look)
      : order_(order), state_(state), known_(std::move(known)), look_(look) {}

  /// The account's folders as the state says, without their entries.
  const sync::AccountManifest& known() const { return known_; }
  Look& look() { return look_; }

  bool is_looked_at(const std::string& folder) const;
  /// A folder that is not there, or is not listed: as the state says, on the side of what was acknowledged alone.
  Result<> add_before(const sync::FolderManifest& folder);
  void add(sync::FolderManifest before, sync::FolderManifest after);
  /// What a scan found beside the manifest.
  void take_scan(const std::string& folder, FolderScan& scan);
  /// Widens both sides of a folder by some names and all that share their base names, so that a renamed message is
  /// seen from both ends. `vanished` when the folder is gone.
  Result<> add_names(const os::Directory& account, sync::FolderManifest& before, sync::FolderManifest& after,
                     const std::set<AreaName>& names);
  /// A message that is new in its folder may be known in another one that no event has named: that one is looked at
  /// too.
  Result<Structure> follow_inodes(const os::Directory& account);

  /// By path.
  void sort();

 private:
  void keep_snapshot(const sync::Location& at, Snapshot snapshot);
  void add_as_known(sync::FolderManifest& before, sync::FolderManifest& after,
                    const std::vector<State::Known>& found) const;

  const TurnOrder& order_;
  State& state_;
  sync::AccountManifest known_;
  Look& look_;
  std::size_t snapshot_bytes_ = 0;
};

}  // namespace maildirsync::agent
