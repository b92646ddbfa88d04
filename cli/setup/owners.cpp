#include "cli/setup/owners.h"

#include "common/config/values.h"

namespace maildirsync::cli {

namespace {

using Names = std::map<std::string, std::string>;

/// By name and by number: a source of another name service may lack the name.
void enter(Names& table, const OfferedOwner& owner, const std::string& here) {
  if (!owner.name.empty()) table[owner.name] = here;
  table[std::to_string(owner.id)] = here;
}

/// The table; or the first owner that nobody here stands for.
Result<Names> table_of(const std::vector<OfferedOwner>& offered, const std::function<bool(const std::string&)>& exists,
                       const std::string& fallback) {
  Names table;
  for (const auto& owner : offered) {
    const bool same_name = !owner.name.empty() && owner.id != 0 && exists(owner.name);
    const std::string here = same_name ? owner.name : fallback;
    if (here.empty()) {
      return failure(ErrorCode::config, "", owner.name.empty() ? std::to_string(owner.id) : "\"" + owner.name + "\"");
    }
    enter(table, owner, here);
  }
  return table;
}

Failure nobody(const OfferedRoot& offer, const char* word, const std::string& who) {
  return failure(
      ErrorCode::config, "",
      std::string("mail of the root \"") + offer.name + "\" belongs to the " + word + " " + who +
          " at the source, which does not exist here; make it (useradd --system --no-create-home NAME), or say "
          "who owns the mail here with --owner USER:GROUP");
}

}  // namespace

Result<config::Owner> map_owners(const OfferedRoot& offer, const LocalOwners& local, const std::string& wanted) {
  config::Owner owner;
  if (!wanted.empty()) {
    auto good = config::parse_unmapped(wanted);
    if (!good || *good == "reject") {
      return failure(ErrorCode::config, "",
                     "--owner " + wanted + " is no owner; write USER:GROUP, such as vmail:vmail");
    }
    const std::size_t colon = good->find(':');
    const std::string user = good->substr(0, colon);
    const std::string group = good->substr(colon + 1);
    owner.policy = config::OwnerPolicy::map;
    owner.unmapped = *good;
    for (const auto& offered : offer.users)
      enter(owner.users, offered, user);
    for (const auto& offered : offer.groups)
      enter(owner.groups, offered, group);
    return owner;
  }
  if (offer.many_owners) {
    owner.policy = config::OwnerPolicy::name;
    return owner;
  }
  owner.policy = config::OwnerPolicy::map;
  if (offer.users.empty()) {  // no mail there yet
    if (local.mail_user.empty() || local.mail_group.empty()) return nobody(offer, "user", "(there is no mail yet)");
    owner.unmapped = local.mail_user + ":" + local.mail_group;
    return owner;
  }
  const auto main_of = [](const std::vector<OfferedOwner>& offered, const auto& exists, const std::string& mail) {
    const OfferedOwner& first = offered.front();
    return !first.name.empty() && first.id != 0 && exists(first.name) ? first.name : mail;
  };
  auto users = table_of(offer.users, local.has_user, main_of(offer.users, local.has_user, local.mail_user));
  if (!users) return nobody(offer, "user", users.error().detail);
  auto groups = table_of(offer.groups, local.has_group, main_of(offer.groups, local.has_group, local.mail_group));
  if (!groups) return nobody(offer, "group", groups.error().detail);
  owner.users = std::move(*users);
  owner.groups = std::move(*groups);
  return owner;
}

}  // namespace maildirsync::cli
