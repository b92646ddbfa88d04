#include "cli/report/remedy.h"

#include <array>
#include <utility>

namespace maildirsync::cli {

std::string_view remedy(std::string_view code) {
  using Pair = std::pair<std::string_view, std::string_view>;
  static constexpr std::array k_remedies{
      Pair{"unreachable", "start maildirsyncd, open its port, check receiver in agent.toml"},
      Pair{"timed-out",
           "look whether the directory that is named hangs (its disk, or its mount's server), else on the new server "
           "whether maildirsyncd or its machine does: systemctl status maildirsyncd"},
      Pair{"wrong-service", "put the port of receiver in agent.toml right: it is that of listen at maildirsyncd"},
      Pair{"config", "mend the file, then: systemctl reload"},
      Pair{"tls",
           "compare the fingerprints in the message with what maildirsync fingerprint FILE prints on both servers"},
      Pair{"protocol", "install the same release on both servers; configure the root that is named on both"},
      Pair{"permission",
           "do as its message says, on the server that it names: a service that lacks rights is started by its unit, "
           "which gives them"},
      Pair{"immutable", "chattr -i (or -a) what is named, on the server that is named"},
      Pair{"read-only",
           "mount it read-write on the server that is named, or name it in ReadWritePaths= of maildirsyncd's "
           "paths.conf"},
      Pair{"in-the-way",
           "put the directory itself in the place of what is named, on the server that is named: no link is followed"},
      Pair{
          "destination-overlaps",
          "put path right in agent.toml or receiver.toml, so that the root does not land in its own source; it goes on "
          "by itself"},
      Pair{"unmapped-owner",
           "add the id to users or groups of the root in receiver.toml, or set unmapped; then systemctl reload "
           "maildirsyncd"},
      Pair{"foreign-owner",
           "look who put it there; take it away or chown it, or say owners = \"mixed\" for the root in agent.toml"},
      Pair{"special-file", "nothing, or move it away: it is no mail"},
      Pair{"mail-left-out",
           "do as its message says: this is mail that would be missing, and neither verify nor cutover goes past it"},
      Pair{"acl-left-behind",
           "nothing, if owner and mode are enough there (the modes were narrowed); else setfacl at the destination "
           "after "
           "the cutover"},
      Pair{"no-accounts", "put path, accounts, include and exclude right in agent.toml, or take the [[root]] out"},
      Pair{"bad-name", "rename it at the source: the destination's file system cannot hold that name"},
      Pair{"no-space", "make space at the destination; what did not fit is sent again by itself"},
      Pair{
          "cutover-open",
          "maildirsync cutover --resume goes on, maildirsync cutover --undo takes it back; both say what they will do"},
      Pair{"conflict",
           "move the other file away at the destination; then maildirsync flush gives ours, which is beside it, its "
           "name back"},
      Pair{"not-empty", "move away at the destination what others put there"},
      Pair{"unexpected", "find out what else writes at the destination: a Dovecot, a copy, a second agent"},
      Pair{"basis-mismatch", "find out what else writes at the destination: a Dovecot, a copy, a second agent"},
      Pair{"cancelled", "find the second agent that sends to this account, and stop one of them"},
      Pair{"paused", "maildirsync resume"},
      Pair{"time-range", "give the file a date that both sides hold (touch -d DATE FILE, at the source)"},
      Pair{"unwatched",
           "do what the message says (raise fs.inotify.max_user_watches, or set watch.backend), then restart "
           "maildirsync-agent"},
      Pair{"mass-deletion", "look at the account; if it is meant: maildirsync release --account NAME"},
      Pair{"owned-by-another",
           "take the account out of one of the two agents (exclude in agent.toml); to hand it over, then: maildirsync "
           "disown PEER --account NAME, on the destination's server"},
      Pair{"account-gone",
           "mount its file system, or put the directory back; if the user left: maildirsync release --account NAME"},
      Pair{"root-gone", "mount the root; if it is meant: maildirsync release"},
      Pair{
          "destination-gone",
          "mount at the destination what belongs there, and it goes on by itself; if it is right as it is: maildirsync "
          "release"},
      Pair{"mount-gone", "mount what belongs there; if it is meant to be so: maildirsync release --account NAME"},
      Pair{"decisions-lost",
           "say it anew: maildirsync drain ROOT, or, if nobody works at the destination, maildirsync mirror ROOT"},
      Pair{"foreign-agent",
           "on the agent that is to fill the root: maildirsync mirror ROOT --adopt, or drain ROOT --adopt"},
      Pair{"users-at-destination",
           "if they have moved: maildirsync drain ROOT; if it may be undone: maildirsync release --account NAME"},
      Pair{"stale-index",
           "keep the destination's Dovecot from serving the account until its cutover, then: maildirsync repair-index "
           "--account NAME"},
      Pair{"state", "make space in state_dir of the service that is named"},
      Pair{"io-error",
           "mend what the operating system complains of, on the server that is named; it is tried again by itself"},
  };
  for (const auto& [known, text] : k_remedies) {
    if (known == code) return text;
  }
  return {};
}

}  // namespace maildirsync::cli
