#include "common/sync/control_files.h"

#include <algorithm>
#include <array>

namespace maildirsync::sync {

bool is_uidlist(std::string_view name) {
  return name == "dovecot-uidlist" || name == "courierimapuiddb";
}

bool is_users_own(std::string_view name) {
  constexpr std::array<std::string_view, 8> k_names = {
      "subscriptions", "courierimapsubscribed", "dovecot-acl", "dovecot-keywords",
      ".forward",      ".mailfilter",           ".procmailrc", ".dovecot.sieve"};
  return std::find(k_names.begin(), k_names.end(), name) != k_names.end() || name.ends_with(".sieve") ||
         name.starts_with(".vacation");
}

bool is_servers_own(std::string_view name) {
  if (is_users_own(name)) return false;
  return name.starts_with("dovecot-uid") || name.starts_with("dovecot.index") || name.starts_with("courier") ||
         name.ends_with(".svbin") || name.ends_with(".lock") || name == "maildirsize" || name == "dovecot-quota" ||
         name == "maildirfolder" || name == "dovecot.lda-dupes" || name == ".dovecot.lda-dupes";
}

}  // namespace maildirsync::sync
