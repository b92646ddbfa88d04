#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace maildirsync::daemon {

// Which process is obeyed, of those that work with one agent's key. Machines are cloned, and states restored on a
// second machine: two agents of one key would each make the destination equal to its own source. What tells them apart
// is a chain of leases: the receiver gives a new one whenever another process is obeyed, and the agent keeps it.
// Whoever shows an older one began with an older copy of the state. That alone holds nobody, for a state may be lost or
// put back where it was; it does so on another machine, beside a process that is still there, or in one that was seen
// beside it before. Pure.

/// Another one each time that another process is obeyed.
struct Lease {
  std::uint64_t number = 0;  ///< grows; 0: none
  std::string id;            ///< by chance: two receivers may have given the same number
  bool operator==(const Lease&) const = default;
};

/// An agent's process, as its greeting tells. `home`, `machine` and `hardware` are digests; empty where not known.
struct Speaker {
  std::uint64_t session = 0;  ///< by chance, of one process; 0: not an agent, but a look by one of its tools
  std::string instance;       ///< names its state, copies of it among them
  std::string host, address;
  bool tells_place = false;  ///< false: an agent of an earlier release; the rest is empty then
  std::string home;          ///< its state directory in this boot: one process at a time can have it open
  std::string machine, hardware;
  Lease lease;  ///< the last that it keeps
};

/// What is known of the process that is obeyed.
struct KeyHolder {
  Speaker who;        ///< session 0: none is known
  Lease given;        ///< its own
  Lease before;       ///< that it showed when it began …
  bool kept = false;  ///< … and may show again, until it has told that it keeps its own
  struct Copy {
    std::string instance;
    Lease lease;  ///< it shows it for ever, for it is given none
    bool operator==(const Copy&) const = default;
  };
  std::vector<Copy> copies;  ///< that were seen beside the holder
  std::vector<Copy> unsure;  ///< the same; the holder itself could be taken for one until it keeps another lease
  std::vector<std::uint64_t> beside;  ///< processes that were seen beside the holder, or whose place it took
};

/// Whether that lease may be the one of the holder's state, as far as it is known to be kept.
bool may_be_holders(const KeyHolder& holder, const KeyHolder::Copy& shown);

enum class Standing : std::uint8_t {
  obeyed,
  waits,   ///< for the holder, which is connected: if that answers no more, its connection ends, and this one is next
  refused  ///< until a person says that it takes the other one's place
};

enum class Why : std::uint8_t {
  nothing,
  other_is_here,   ///< waits
  seen_beside,     ///< it has been connected at the same time as the holder, and is a copy
  other_machine,   ///< the key came from another machine before
  later_one_came,  ///< an agent of an earlier release, after which another one came
};

struct KeyJudgement {
  Standing standing = Standing::obeyed;
  Why why = Why::nothing;
};

/// `is_here`: the holder has a connection. `was_followed`: another process was obeyed after this one.
KeyJudgement judge_process(const KeyHolder& holder, const Speaker& speaker, bool is_here, bool was_followed);

/// The sentence without what to do about it.
std::string describe(Why why, const Speaker& holder, const Speaker& speaker);

}  // namespace maildirsync::daemon
