#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/codec/compression.h"
#include "common/wire/frame.h"
#include "daemon/apply/stage.h"
#include "daemon/apply/trash_walk.h"
#include "daemon/decisions/keeper.h"
#include "daemon/session/ownership.h"
#include "daemon/session/peer_load.h"
#include "daemon/session/peers.h"

namespace maildirsync::daemon {

/// A List as it was checked: what to list once all before it is done.
struct ListRequest {
  std::uint64_t id = 0;
  std::shared_ptr<const os::Directory> root;
  std::shared_ptr<ServedDirectory> served;  ///< what `root` was opened of; may be null
  std::string account;
  std::string account_key;
  Ownership::Owner owner;  ///< who asks
  std::uint64_t serial = 0;
  bool digests = false;
  bool control_digests = false;
  std::int64_t digests_since = 0;
  bool looks_only = false;
  bool remove_indexes = false;
  bool accounts = false;
  bool packed = false;
  std::string pattern;
  std::vector<wire::List::Believed> believed;
  std::vector<std::string> had;  ///< base names that are asked about, of …
  std::shared_ptr<Given> given;  ///< … what users have had in the root's directory
};

/// Names an account for the committers. Of each agent its own: of two that would bring one account, neither takes over
/// what the other began.
std::string key_of(const Peer& peer, const std::string& root, const std::string& account);

/// Whether that can be an account's path below its root; `protocol` when not.
Result<> check_account(const std::string& account);

/// Takes the frames of one connection in their order: stages operations, learns names of ids, answers what needs no
/// commit. Blocks on files and on the name service. Belongs to the connection's strand.
class Intake {
 public:
  struct Sinks {
    std::function<void(std::vector<StagedOperation>)> staged;
    std::function<void(const Account& account)> opened;
    std::function<void(ListRequest)> list;
    std::function<void(wire::Header)> answer;
    std::function<TrashUse(const std::string& path)> trash_use = {};  ///< of the root with this path; may be empty
    std::function<void()> adopted = {};  ///< this process has taken another one's place; may be empty
  };

  /// `part`: how many operations of packed frames it stages at once, each of which may hold a descriptor. `run`: the
  /// agent's run, the higher the later; what an earlier turn of a run sent may arrive after a later one's.
  /// `greeted`: who the agent said it is. `ownership` null: each account is anybody's. `load`: what it holds in memory
  /// counts there, if it is not null.
  Intake(std::shared_ptr<const Peer> peer, Sinks sinks, std::size_t part, std::uint64_t run, DecisionKeeper& decisions,
         DecisionKeeper::Agent greeted, Ownership* ownership = nullptr, const std::shared_ptr<PeerLoad>& load = nullptr)
      : peer_(std::move(peer)),
        sinks_(std::move(sinks)),
        part_(part),
        run_(run),
        ownership_(ownership),
        windows_(load, &PeerLoad::windows),
        known_names_(load, &PeerLoad::names),
        decisions_(decisions),
        greeted_(std::move(greeted)),
        tenure_(greeted_.session == 0 ? nullptr : decisions_.holders().tenure(greeted_.fingerprint)) {}

  /// From the next account that is opened on, the peer's roots and owners are these.
  void use(std::shared_ptr<const Peer> peer) { peer_ = std::move(peer); }

  /// Takes a frame, or a bounded part of it: false when it must be called again with the same frame, once there is
  /// room for more operations. Fails on a violation of the protocol, which ends the connection.
  Result<bool> handle(const wire::Frame& frame);

 private:
  struct OpenedRoot {
    std::string path;
    std::shared_ptr<const OwnerMap> owners;          ///< null for a root that is not configured
    std::shared_ptr<const os::Directory> directory;  ///< null with `error`
    std::optional<Error> error;
    bool has_trash = false;
    std::shared_ptr<ServedDirectory> served;
  };

  Result<> of_account(const wire::Header& header, std::string_view payload);
  Result<> unpack(const wire::Packed& packed, std::string_view payload);
  Result<> take_unpacked();
  Result<> names(const wire::Names& names);
  Result<> open_account(const wire::OpenAccount& open);
  Result<> operation(const wire::Operation& operation, std::string_view payload);
  Result<> body(const wire::Body& body, std::string_view payload);
  Result<> list(const wire::List& list);
  Result<> map_owners(const wire::MapOwners& question);
  Result<> tell_room(const wire::MapOwners& question, wire::MappedOwners::Room& out) const;
  Result<> decide(const wire::Decide& decide);
  Result<> keep_cutover(const wire::Decide& decide);
  void use_configured_places();
  std::shared_ptr<const Fence> fence_of(const std::string& root);
  OpenedRoot open_root(const std::string& name) const;
  std::optional<Error> refusal_of_process() const;
  void take_over(OpenedRoot& root, const std::string& name, const std::string& account) const;
  bool fence_says_drained(const std::string& root) const;
  std::uint64_t serial_of(std::uint64_t turn) const;

  std::shared_ptr<const Peer> peer_;
  Sinks sinks_;
  const std::size_t part_;
  const std::uint64_t run_;
  Ownership* const ownership_;
  Share windows_, known_names_;
  DecisionKeeper& decisions_;
  DecisionKeeper::Agent greeted_;
  const std::shared_ptr<const Tenure> tenure_;  ///< of the agent's key; null for one that names no process
  PeerNames names_;
  codec::Decompressor decompressor_;
  std::vector<char> unpacked_;  ///< room for frames
  std::string_view plain_;      ///< those that are there
  std::size_t taken_ = 0;       ///< bytes of them
  Stager stager_;
  std::vector<StagedOperation> staged_;  ///< of the frame that is being handled
};

}  // namespace maildirsync::daemon
