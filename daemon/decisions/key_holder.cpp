#include "daemon/decisions/key_holder.h"

#include <algorithm>

#include <fmt/format.h>

namespace maildirsync::daemon {

namespace {

bool differ(const std::string& left, const std::string& right) {
  return !left.empty() && !right.empty() && left != right;
}

}  // namespace

bool may_be_holders(const KeyHolder& holder, const KeyHolder::Copy& shown) {
  return shown.instance == holder.who.instance &&
         (shown.lease == holder.given || (!holder.kept && shown.lease == holder.before));
}

KeyJudgement judge_process(const KeyHolder& holder, const Speaker& speaker, bool is_here, bool was_followed) {
  const KeyJudgement obeyed;
  if (holder.who.session == 0 || speaker.session == holder.who.session) return obeyed;
  if (!speaker.tells_place && was_followed) return {Standing::refused, Why::later_one_came};
  if (!speaker.tells_place && !holder.who.tells_place) return obeyed;
  const KeyHolder::Copy shown{speaker.instance, speaker.lease};
  if (std::find(holder.beside.begin(), holder.beside.end(), speaker.session) != holder.beside.end()) {
    return {Standing::refused, Why::seen_beside};
  }
  if (std::find(holder.copies.begin(), holder.copies.end(), shown) != holder.copies.end()) {
    return {Standing::refused, Why::seen_beside};
  }
  // Given by a later state of this receiver, which was lost: whoever was obeyed since shows less.
  if (speaker.lease.number > holder.given.number) return obeyed;
  if (!speaker.home.empty() && speaker.home == holder.who.home) return obeyed;
  if (is_here) return {Standing::waits, Why::other_is_here};
  const bool goes_on = may_be_holders(holder, shown);
  if (differ(speaker.machine, holder.who.machine) || (differ(speaker.hardware, holder.who.hardware) && !goes_on)) {
    return {Standing::refused, Why::other_machine};
  }
  return obeyed;
}

std::string describe(Why why, const Speaker& holder, const Speaker& speaker) {
  const std::string cloned = "the old server was cloned, or its key or state is in use on a second one";
  const std::string other = fmt::format("the one that goes on is on host {} ({}), this one on host {} ({})",
                                        holder.host, holder.address, speaker.host, speaker.address);
  switch (why) {
    case Why::nothing:
      break;
    case Why::other_is_here:
      return fmt::format(
          "another agent with the same key is connected; {}. If that one is gone, this one goes on by itself as soon "
          "as "
          "the receiver has noticed, within a minute. If not, {}",
          other, cloned);
    case Why::seen_beside:
      return fmt::format("two agents with the same key were connected at the same time; {}: {}", other, cloned);
    case Why::other_machine:
      return fmt::format(
          "an agent with the same key was on another machine before, host {} ({}), and this one is on "
          "host {} ({}): the old server was moved, restored or cloned",
          holder.host, holder.address, speaker.host, speaker.address);
    case Why::later_one_came:
      return fmt::format("another agent with the same key came later, on host {} ({}): {}", holder.host, holder.address,
                         cloned);
  }
  return "";
}

}  // namespace maildirsync::daemon
