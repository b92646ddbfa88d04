#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/engine/parts.h"

namespace maildirsync::agent {

/// What only the destination has of accounts that are mirrored, as the last comparison of each found it. In a drained
/// root that is its users' own mail, and none of this.
struct ExtraMail {
  std::uint64_t files = 0;
  std::uint64_t accounts = 0;        ///< that have any of these
  std::uint64_t whole_accounts = 0;  ///< that only the destination has
  nlohmann::json first =
      nlohmann::json::array();  ///< whole ones, then those that have most: root, account, extra, whole
  bool has_trash = false;       ///< there is one for some of them
};

/// Event loop only.
ExtraMail extra_mail(const Parts& parts);

/// How much it is, whose, what it hinders and what a person does about it; "" when there is none. Pure.
std::string describe(const ExtraMail& extra);

}  // namespace maildirsync::agent
