#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/codec/delta.h"
#include "common/codec/digest.h"
#include "common/os/result.h"
#include "common/sync/operation.h"
#include "daemon/apply/account.h"
#include "daemon/apply/aside.h"
#include "daemon/owner/owner_map.h"

namespace maildirsync::daemon {

/// An operation that is ready for its transition: its body, if any, is written aside, whole and verified, with owner,
/// mode and time; attributes are the destination's. Or it failed already, and only its turn to be answered waits.
struct StagedOperation {
  std::uint64_t sequence = 0;
  std::shared_ptr<const Account> account;
  sync::Operation operation;
  std::optional<Aside> aside;
  std::optional<Error> error;
  std::uint64_t bytes = 0;  ///< written aside
  bool delta = false;
  std::optional<std::uint32_t> lesser_mode;  ///< given instead of the one that was asked for
  std::optional<OwnerId> former_owner;       ///< of what the operation expects to find, where that is mapped
  bool foreign = false;                      ///< refused where it would belong to the owner of its directory
  bool unless_written = false;               ///< refused where what it replaces is younger than expected
  bool touched = false;                      ///< something of it may have been done, even when it fails
};

/// Takes a connection's operations and their bodies in the order they came and writes them aside. Blocks on files.
/// Belongs to the connection's strand. A Result that fails is a violation of the protocol and ends the connection;
/// what is wrong with one operation only is in its StagedOperation.
class Stager {
 public:
  /// Opens an account. `owners` null: the root is not there.
  Result<> open(std::shared_ptr<const Account> account, std::shared_ptr<const OwnerMap> owners);

  struct Arrival {
    std::uint64_t sequence = 0;
    Result<sync::Operation> operation;  ///< as checked on its way from the wire
    std::string_view piece;             ///< of the body, the first or only one
    bool more = false;
    std::optional<sync::Digest> basis;
    bool foreign = false;
    bool unless_written = false;
  };
  /// Nothing while pieces are to come.
  Result<std::optional<StagedOperation>> operation(Arrival arrival, const PeerNames& names);

  struct Rest {
    std::string_view piece;
    bool last = false;
    bool abandoned = false;
    std::optional<sync::Digest> digest;
  };
  Result<std::optional<StagedOperation>> body(Rest rest);

 private:
  struct Current {
    StagedOperation staged;
    std::optional<sync::Digest> basis;
    os::Fd basis_file;
    std::unique_ptr<codec::Patcher> patcher;  ///< of a delta, from its first piece on
    codec::Digester digester;
    std::uint64_t received = 0;
    std::uint64_t reserved = 0;
  };

  Result<> map_owners(StagedOperation& staged, const PeerNames& names) const;
  Result<> prepare(Current& current);
  struct StagingPlace {
    DirectoryPtr directory;
    os::WayToWrite way = os::WayToWrite::careful;
  };
  Result<StagingPlace> staging_place(const sync::Location& to);
  Result<> take(Current& current, std::string_view plain) const;
  Result<> write(Current& current, std::string_view plain) const;
  Result<> finish(Current& current, const std::optional<sync::Digest>& digest) const;
  Result<> open_basis(Current& current) const;
  StagedOperation close(std::optional<sync::Digest> digest);

  std::shared_ptr<const Account> account_;
  std::shared_ptr<const OwnerMap> owners_;
  std::optional<Current> current_;
  std::uint64_t last_sequence_ = 0;
  /// Where the last body was staged, for the next one of the same directory.
  std::string staging_path_;
  std::optional<StagingPlace> staging_place_;
};

}  // namespace maildirsync::daemon
