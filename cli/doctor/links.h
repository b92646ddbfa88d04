#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/identity.h"

namespace maildirsync::cli {

/// Symbolic links below a receiver's root that lead out of the account that they lie in: a mail server follows them,
/// with the rights of every account.
struct LinksOut {
  std::uint64_t accounts = 0;  ///< looked at
  std::uint64_t links = 0;     ///< that lead out
  std::string first;           ///< of these: its path and target
  bool is_whole = true;        ///< false: the time was over before all accounts were looked at
};

/// Lists the accounts' directories, as the service, until the time is over. An account is the first directory on its
/// way down that holds a cur or a new.
Result<LinksOut> find_links_out(const ServiceIdentity& identity, const std::string& root,
                                std::chrono::milliseconds most);

}  // namespace maildirsync::cli
