#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/config/config.h"
#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::daemon {

/// Which agent and root each account here belongs to: those that brought it first. Another that would write to it, or
/// to what lies in it or around it, is refused by name. Kept in the file `owners` of the state directory, a line for
/// each account, written as accounts come; a power cut may take the last seconds' lines, which come again when the
/// account is opened next. Thread-safe, by a lock: the strands of all connections ask.
class Ownership {
 public:
  struct Owner {
    std::string fingerprint;  ///< of the agent's key
    std::string root;
    auto operator<=>(const Owner&) const = default;
  };

  static Result<std::unique_ptr<Ownership>> open(const std::string& state_dir);

  /// The peers and roots that there are from now on: what belonged to others belongs to nobody.
  void use(const config::Receiver& config);

  /// `place`: the account's absolute path, without links. owned_by_another when it, or an account below or above it,
  /// belongs to somebody else.
  Result<> check(const std::string& place, const Owner& owner) const;
  /// The same, and from now on it belongs to that one.
  Result<> claim(const std::string& place, const Owner& owner, const std::string& name);
  /// The places of all that belong to that one.
  std::vector<std::string> accounts_of(const Owner& owner) const;
  /// It is gone: whoever brings it next has it.
  void end(const std::string& place, const Owner& owner);
  /// Accounts of a peer (by its name) and root whose name matches a glob belong to nobody. `root` and `glob` may be
  /// empty: all. Their number.
  std::size_t disown(const std::string& peer, const std::string& root, const std::string& glob);

 private:
  struct Owned {
    std::uint32_t owner = 0;  ///< a number in `known_`
    std::string name;         ///< of the account, for people
  };
  using Owners = std::map<std::string, Owned>;  ///< by place

  explicit Ownership(std::string path) : path_(std::move(path)) {}
  Result<> read();
  Result<> write_anew();
  void append(const std::string& line);
  std::uint32_t number_of(const Owner& owner);
  Result<> check_locked(const std::string& place, const Owner& owner) const;
  const Owners::value_type* other_than(const std::string& place, const Owner& owner) const;
  std::string describe(const Owner& owner) const;

  const std::string path_;
  mutable std::mutex mutex_;
  os::Fd file_;
  std::vector<Owner> known_;
  Owners owners_;
  std::map<std::string, std::string> peer_names_;  ///< by fingerprint
};

/// Where an account really is, whatever links lead to its root.
std::string place_of(const os::Directory& root, const std::string& account);

}  // namespace maildirsync::daemon
