#pragma once

#include <chrono>

#include "agent/turn/work.h"

namespace maildirsync::agent {

/// As far back before a receiver's unclean end as it looks itself: longer than any file system keeps what is dirty.
inline constexpr auto k_look_back = std::chrono::minutes(10);

/// Whether what a receiver had acknowledged of an account may not have survived its unclean end. `started`: this run;
/// `last` and `account`: when anything, and when something of the account, was last acknowledged in this run, Time{} if
/// never. What an earlier run heard is not remembered: then it may be any account. Pure.
inline bool is_in_doubt(Time started, Time last, Time account) {
  const bool is_known = last != Time{} && started < last - k_look_back;
  return !is_known || account >= last - k_look_back;
}

}  // namespace maildirsync::agent
