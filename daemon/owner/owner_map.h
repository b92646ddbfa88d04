#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/config/config.h"
#include "common/os/result.h"

namespace maildirsync::daemon {

struct OwnerId {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const OwnerId&) const = default;
};

/// What a peer said about its ids on one connection: their names, and which local id has the same name. Not
/// thread-safe; belongs to the connection.
class PeerNames {
 public:
  struct Known {
    std::string name;                    ///< "" when the source has none
    std::optional<std::uint32_t> local;  ///< of the same name here
  };

  /// Asks the name service for the local ids: may block. too_big when a peer names more ids than any server has.
  Result<> add_user(std::uint32_t uid, const std::string& name);
  Result<> add_group(std::uint32_t gid, const std::string& name);

  const Known* user(std::uint32_t uid) const;
  const Known* group(std::uint32_t gid) const;
  std::size_t size() const { return users_.size() + groups_.size(); }

 private:
  std::unordered_map<std::uint32_t, Known> users_, groups_;
};

/// How one root's owners at the source become owners here, as [peer.root.owner] says. Immutable and pure once made.
class OwnerMap {
 public:
  /// Resolves the destination's names. An unknown one gives ErrorCode::config with a sentence that names it; `where`
  /// stands for the place in the configuration, such as `root "vhosts" of peer "old-server"`.
  static Result<OwnerMap> make(const config::Owner& owner, const std::string& where);

  /// The destination's owner; unmapped_owner with a sentence that names the ids and the key to add. Root and its group
  /// are nobody's by a rule, but only where the configuration names them as destination: an agent says itself which
  /// ids and names its files have.
  Result<OwnerId> map(std::uint32_t uid, std::uint32_t gid, const PeerNames& names) const;
  /// Of a directory between the root and an account: by a rule it may be root's, which gives nobody anything, and is
  /// what such directories mostly are. Nothing when it is not mapped.
  std::optional<OwnerId> map_above_account(std::uint32_t uid, std::uint32_t gid, const PeerNames& names) const;

 private:
  using Table = std::map<std::string, std::uint32_t>;

  std::optional<std::uint32_t> by_rule(std::uint32_t id, const PeerNames::Known* known) const;
  std::optional<std::uint32_t> find(const Table& table, std::uint32_t id, const PeerNames::Known* known) const;
  Failure unmapped(const char* word, const char* key, std::uint32_t id, const PeerNames::Known* known) const;
  Failure is_roots(const char* word, const char* key, std::uint32_t id, const PeerNames::Known* known) const;
  bool maps_nobody() const { return users_.empty() && groups_.empty() && !rest_; }

  config::OwnerPolicy policy_ = config::OwnerPolicy::map;
  Table users_, groups_;
  std::optional<OwnerId> rest_;  ///< takes all that is not mapped
  std::string where_;
};

}  // namespace maildirsync::daemon
