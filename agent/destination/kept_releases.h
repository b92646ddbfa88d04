#pragma once

#include <string>

#include "agent/accounts/roster.h"
#include "agent/decisions/decisions.h"

namespace maildirsync::agent {

/// A person's word of now. `account` is its path; "" for the root as a whole.
decisions::Release release_of(const Root& root, const std::string& account, ErrorCode code);

/// Releases, which last over restarts until they were made use of. Event loop only.
class KeptReleases {
 public:
  KeptReleases(Roster& roster, Decisions& decisions) : roster_(roster), decisions_(decisions) {}

  /// Where an account is let go by another word than the command's, which notes its own.
  void note(const Account& account);
  /// It was made use of, if there was one. A release of the root lasts until every account that it let go was looked
  /// at.
  void forget(Account& account);
  /// There is no account that it could let go.
  void forget(const Root& root);

  /// Whether a person has said that users' work in the root may be undone; that lasts until all of it was compared.
  bool may_undo_users_work(const Root& root) const;
  void forget_users_work(const Root& root);

 private:
  void forget(const Root& root, ErrorCode code);

  Roster& roster_;
  Decisions& decisions_;
};

}  // namespace maildirsync::agent
