#include "daemon/decisions/fence.h"

#include <utility>

namespace maildirsync::daemon {

using decisions::Admits;

namespace {

/// New mail, and the folders that it needs.
bool adds_new_mail(const sync::Operation& operation) {
  return operation.kind == sync::OperationKind::make_folder ||
         (operation.kind == sync::OperationKind::put && operation.to.area != sync::Area::folder && !operation.expected);
}

}  // namespace

std::optional<Error> Fence::refusal(const decisions::Token& token, bool only_adds) const {
  if (held_) return held_;
  const Admits admits = decisions::admits(chain_, token);
  if (admits == Admits::everything || (admits == Admits::new_mail && only_adds)) return std::nullopt;
  if (admits == Admits::new_mail) {
    return Error{ErrorCode::older_decision, "",
                 "the root is drained (" + decisions::describe(chain_) +
                     "): its users are here, and nothing but new mail is taken until maildirsync mirror is said at the "
                     "agent",
                 0};
  }
  return Error{ErrorCode::older_decision, "",
               "the agent goes by another decision (number " + std::to_string(token.number) +
                   ") than the one that is known here (" + decisions::describe(chain_) + ")",
               0};
}

std::optional<Error> Fence::refusal(const decisions::Token& token, const sync::Operation& operation) const {
  return refusal(token, adds_new_mail(operation));
}

bool Fence::drains() const {
  const auto* last = decisions::newest(chain_);
  return last != nullptr && last->word == decisions::Word::drain;
}

std::optional<Error> Fence::refusal_of_change(const decisions::Token& token) const {
  const std::lock_guard lock(mutex_);
  return refusal(token, false);
}

void Fence::set(decisions::Chain chain, std::optional<Error> held) {
  const std::lock_guard lock(mutex_);
  chain_ = std::move(chain);
  held_ = std::move(held);
  is_set_ = true;
}

bool Fence::is_set() const {
  const std::lock_guard lock(mutex_);
  return is_set_;
}

}  // namespace maildirsync::daemon
