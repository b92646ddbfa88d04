#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/inventory/inventory.h"
#include "common/os/kept_times.h"

namespace maildirsync::agent {

/// The file system of a root at the destination, as the receiver tells.
struct Space {
  std::uint64_t file_system = 0;  ///< the same number: the same file system
  std::uint64_t total_bytes = 0, free_bytes = 0;
  std::uint64_t total_inodes = 0;  ///< 0: it has no fixed number of them
  std::uint64_t free_inodes = 0;
  std::uint64_t longest_name = 0;  ///< bytes; 0: not told
  os::KeptTimes times;             ///< of its files
  struct Trash {
    unsigned days = 0;        ///< for which the root keeps what is deleted in masses; 0: not at all
    std::uint64_t files = 0;  ///< that lie there now
    std::uint64_t bytes = 0;
    std::string oldest;  ///< the day; "" without any
  };
  std::optional<Trash> trash;  ///< of the root; nothing where the receiver does not tell
};

/// What `plan` found out, before it is judged.
struct Facts {
  struct Account {
    std::string root, name;
    Inventory inventory;
    std::uint64_t there_bytes = 0, there_messages = 0;  ///< acknowledged by the receiver already
  };
  struct Root {
    std::string name, path, mode;
    std::string accounts;       ///< the pattern
    bool may_be_empty = false;  ///< its accounts are those of a list
    std::string trouble;        ///< why it cannot be looked at here; "" when it can
    ErrorCode trouble_code = ErrorCode::root_gone;
    std::string distant_trouble;  ///< the same at the destination
    ErrorCode distant_code = ErrorCode::root_gone;
    std::vector<ScanProblem> left_out;
    std::optional<Space> space;
  };
  struct Owner {
    std::string root;
    std::uint32_t uid = 0, gid = 0;
    std::string user, group;  ///< their names here, or ""
    bool is_mapped = false;
    std::string detail;  ///< when it is not
  };
  /// What `status` names and no inventory shows, and what stops a cutover.
  struct Standing {
    std::string code, root, account, path, detail;
  };
  std::vector<Standing> standing;
  bool is_of_all = true;  ///< and not of some accounts
  std::vector<Account> accounts;
  std::vector<Root> roots;
  bool is_receiver_asked = false;
  std::string receiver_address, receiver_trouble;
  std::vector<Owner> owners;  ///< as far as the receiver was asked
  bool needs_watches = true;  ///< one for each directory
  std::uint64_t watch_limit = 0;
  std::uint64_t directories_above = 0;   ///< between roots and accounts, watched too
  std::uint64_t bandwidth_limit = 0;     ///< bytes a second; 0: none
  double measured_bytes_per_second = 0;  ///< of the first copy until now; 0: nothing yet
  double elapsed_seconds = 0;
};

/// The answer to `plan`: inventory, space, watches, owners, times, and under "to_do" what must be put right before the
/// migration, each with its remedy. "ready" when that is empty. Pure.
nlohmann::json forecast(const Facts& facts);

}  // namespace maildirsync::agent
