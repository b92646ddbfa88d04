#pragma once

#include <chrono>

#include "agent/turn/work.h"

namespace maildirsync::agent {

/// As far back before a receiver's unclean end as it looks itself: longer than any file system keeps what is dirty.
inline constexpr auto k_look_back = std::chrono::minutes(10);

/// Whether what a receiver had acknowledged of an account may not have survived its unclean end. `last`: when anything
/// was acknowledged for the last time, in this run or an earlier one; `account`: when something of the account was, in
/// this run; `root_before`: when something of its root was, in earlier runs, which are remembered by root only. Time{}:
/// never. Pure.
inline bool is_in_doubt(Time last, Time account, Time root_before) {
  const auto is_young = [&](Time acknowledged) { return acknowledged != Time{} && acknowledged >= last - k_look_back; };
  return is_young(account) || is_young(root_before);
}

}  // namespace maildirsync::agent
