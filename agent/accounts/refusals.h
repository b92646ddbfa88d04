#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "common/os/result.h"

namespace maildirsync::agent {

/// What to do about an operation that the receiver refused.
enum class AfterRefusal : std::uint8_t {
  again,  ///< it waited for something else, or its file changed: it comes with the next turn
  look,   ///< the destination is not as it was believed to be: it is looked at, and then tried again
  later,  ///< a problem that may pass by itself: tried again, ever later
  stuck,  ///< the destination does not stay as it is found to be: a problem; looked at and tried again, ever later
  named,  ///< a problem that waits for a person: looked at and tried again at intervals, by a flush, by its next event
};

/// Whether a refusal tells of something at the destination that the agent did not know: the next try comes after a
/// look at it.
bool tells_of_destination(ErrorCode code);

/// Whether `beside` is what a receiver calls a message whose `name` is taken at the destination: "base.c01234567,…".
/// One that says anything else is not believed: by that name the message would be renamed and removed from then on.
bool is_name_beside(std::string_view name, std::string_view beside);

/// How often what is at the destination is looked at, and the operation tried again, before that becomes a problem.
inline constexpr unsigned k_looks_before_problem = 3;

/// What the receiver refused of an account in its present turn and in those just before it. Decides what follows, so
/// that nothing is refused for ever: a belief that was wrong once is not tried again without a look, and what looks do
/// not settle is said to people. Event loop only.
class Refusals {
 public:
  /// An operation on `path` (below the account) was refused in the present turn.
  AfterRefusal note(ErrorCode code, const std::string& path);
  /// The turn is over: what it did not hear again is settled.
  void end_turn();

 private:
  using Times = std::map<std::pair<ErrorCode, std::string>, unsigned>;
  Times before_;  ///< how often in a row, until the turn before
  Times now_;
};

}  // namespace maildirsync::agent
