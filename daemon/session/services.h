#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "common/os/threads.h"
#include "daemon/apply/trash_walk.h"
#include "daemon/commit/committers.h"
#include "daemon/decisions/keeper.h"
#include "daemon/session/ownership.h"
#include "daemon/session/peer_load.h"
#include "daemon/session/peers.h"
#include "daemon/session/run_mark.h"

namespace maildirsync::daemon {

/// What all sessions of a receiver share.
struct Services {
  asio::io_context& loop;
  os::Threads&
      threads;  ///< for all that blocks: a connection has one at a time, and up to PeerLoad::k_listings for comparisons
  Committers& committers;
  ServedDirectories& directories;
  DecisionKeeper& decisions;
  Ownership* ownership = nullptr;
  std::size_t part = 1;  ///< operations that a session stages before it asks the committer for room again
  std::string instance;  ///< 16 bytes: names our state directory
  std::optional<UncleanEnd> unclean_end;  ///< the last one
  std::string own_fingerprint;
  std::atomic<std::uint64_t> bytes_read{0};
  /// Event loop: who a fingerprint is; null for nobody of ours.
  std::function<std::shared_ptr<const Peer>(const std::string& fingerprint)> find_peer;
  /// Event loop: numbers the runs of an agent in the order in which they greet.
  std::function<std::uint64_t(const std::string& fingerprint, std::uint64_t session)> number_of_run;
  /// Event loop: whether the process of that key that is obeyed has a connection, if it is not that one.
  std::function<bool(const std::string& fingerprint, std::uint64_t session)> holder_is_here;
  /// Event loop: it is asked for a sign of life.
  std::function<void(const std::string& fingerprint)> ask_holder;
  /// Event loop: whether it has given one that it was asked for at that time or later.
  std::function<bool(const std::string& fingerprint, std::chrono::steady_clock::time_point since)> holder_lives;
  /// Event loop: a person has said which process is to be obeyed.
  std::function<void()> look_at_processes;
  /// Event loop: a sentence that names the known peers, for the log.
  std::function<std::string()> known_fingerprints;
  /// Event loop: what all connections of a peer hold.
  std::function<std::shared_ptr<PeerLoad>(const std::string& fingerprint)> load_of;
  /// Event loop: what became of operations, for `status`.
  std::function<void(const Peer& peer, const std::vector<Committed>& done)> note;
  /// Event loop: whether an account could be listed, by the key of its ListRequest; for `status`.
  std::function<void(const std::string& account_key, const std::optional<Error>& error)> note_listing;
  /// Any thread: what lies in the trash of the root with this path.
  std::function<TrashUse(const std::string& path)> trash_use;
};

}  // namespace maildirsync::daemon
