#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/engine/parts.h"

namespace maildirsync::agent {

/// What only the destination has of accounts that are mirrored, as the last comparison of each found it. In a drained
/// root such mail is its users' own, and does not count.
struct ExtraMail {
  std::uint64_t files = 0;
  std::uint64_t accounts = 0;        ///< that have any of these
  std::uint64_t whole_accounts = 0;  ///< that only the destination has
  nlohmann::json first =
      nlohmann::json::array();  ///< whole ones, then those that have most: root, account, extra, whole
  bool has_trash = false;       ///< there is one for some of them
};

/// Of the accounts that `counts` names, and of what the source lacks as a whole in the roots that `counts_root` names;
/// without these, of all. Event loop only.
ExtraMail extra_mail(const Parts& parts, const std::function<bool(const Account&)>& counts = {},
                     const std::function<bool(const Root&)>& counts_root = {});

/// How much it is, whose, what it hinders and what a person does about it; "" when there is none. Pure.
std::string describe(const ExtraMail& extra);

}  // namespace maildirsync::agent
