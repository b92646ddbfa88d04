#include "daemon/owner/owner_map.h"

#include "daemon/owner/local_ids.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_max_names = 200'000;
constexpr std::size_t k_max_name = 256;  // bytes; LOGIN_NAME_MAX

Result<> add(std::unordered_map<std::uint32_t, PeerNames::Known>& known, std::uint32_t id, const std::string& name,
             std::optional<std::uint32_t> (*local)(const std::string&)) {
  if (name.size() > k_max_name) return failure(ErrorCode::too_big, "", "the name of a user or group is too long");
  if (known.size() >= k_max_names) return failure(ErrorCode::too_big, "", "the peer names too many users or groups");
  if (const auto found = known.find(id); found != known.end() && found->second.name == name) return {};
  known[id] = {name, name.empty() ? std::nullopt : local(name)};
  return {};
}

constexpr std::uint32_t k_root = 0;

/// By the name first: a number of the source may have another meaning there.
std::optional<std::uint32_t> find_in(const std::map<std::string, std::uint32_t>& table, std::uint32_t id,
                                     const PeerNames::Known* known) {
  if (known != nullptr && !known->name.empty()) {
    if (const auto found = table.find(known->name); found != table.end()) return found->second;
  }
  const auto found = table.find(std::to_string(id));
  return found == table.end() ? std::nullopt : std::optional(found->second);
}

const PeerNames::Known* find_known(const std::unordered_map<std::uint32_t, PeerNames::Known>& known, std::uint32_t id) {
  const auto found = known.find(id);
  return found == known.end() ? nullptr : &found->second;
}

}  // namespace

Result<> PeerNames::add_user(std::uint32_t uid, const std::string& name) {
  return add(users_, uid, name, &local_user);
}
Result<> PeerNames::add_group(std::uint32_t gid, const std::string& name) {
  return add(groups_, gid, name, &local_group);
}
const PeerNames::Known* PeerNames::user(std::uint32_t uid) const {
  return find_known(users_, uid);
}
const PeerNames::Known* PeerNames::group(std::uint32_t gid) const {
  return find_known(groups_, gid);
}

Result<OwnerMap> OwnerMap::make(const config::Owner& owner, const std::string& where) {
  OwnerMap map;
  map.policy_ = owner.policy;
  map.where_ = where;
  const auto unknown = [&](const char* word, const std::string& name, const std::string& key) {
    return failure(ErrorCode::config, "",
                   "the owner table of " + where + " maps " + key + " to the " + word + " \"" + name +
                       "\", which does not exist here; create it or write another " + word + " or a number");
  };
  for (const auto& [source, destination] : owner.users) {
    const auto id = local_user_or_number(destination);
    if (!id) return unknown("user", destination, "user \"" + source + "\"");
    map.users_[source] = *id;
  }
  for (const auto& [source, destination] : owner.groups) {
    const auto id = local_group_or_number(destination);
    if (!id) return unknown("group", destination, "group \"" + source + "\"");
    map.groups_[source] = *id;
  }
  if (owner.unmapped != "reject") {
    const auto colon = owner.unmapped.find(':');
    if (colon == std::string::npos) {
      return failure(ErrorCode::config, "",
                     "`unmapped` of " + where + " is \"" + owner.unmapped + "\"; write \"reject\" or \"user:group\"");
    }
    const auto user = local_user_or_number(owner.unmapped.substr(0, colon));
    const auto group = local_group_or_number(owner.unmapped.substr(colon + 1));
    if (!user) return unknown("user", owner.unmapped.substr(0, colon), "all unmapped users");
    if (!group) return unknown("group", owner.unmapped.substr(colon + 1), "all unmapped groups");
    map.rest_ = OwnerId{*user, *group};
  }
  return map;
}

std::optional<std::uint32_t> OwnerMap::by_rule(std::uint32_t id, const PeerNames::Known* known) const {
  if (policy_ == config::OwnerPolicy::map) return std::nullopt;
  if (policy_ == config::OwnerPolicy::numeric) return id;
  return known == nullptr ? std::nullopt : known->local;
}

std::optional<std::uint32_t> OwnerMap::find(const Table& table, std::uint32_t id, const PeerNames::Known* known) const {
  const auto ruled = by_rule(id, known);
  return policy_ == config::OwnerPolicy::map || ruled == k_root ? find_in(table, id, known) : ruled;
}

/// Of an id that a rule gives to root, and no table.
Failure OwnerMap::is_roots(const char* word, const char* key, std::uint32_t id, const PeerNames::Known* known) const {
  const std::string name = known == nullptr || known->name.empty() ? std::to_string(id) : known->name;
  return failure(ErrorCode::unmapped_owner, "",
                 std::string("the source's ") + word + " " + std::to_string(id) +
                     " is root's here, and root gets no mail" +
                     " by a rule; give the mail to its user at the source, or, if it is meant, add \"" + name +
                     "\" = \"root\" to `" + key + "` in the owner table of " + where_);
}

Failure OwnerMap::unmapped(const char* word, const char* key, std::uint32_t id, const PeerNames::Known* known) const {
  const std::string name = known == nullptr ? "" : known->name;
  std::string sentence = std::string("the source's ") + word + " " + std::to_string(id);
  if (!name.empty()) sentence += " (\"" + name + "\")";
  const std::string wanted = name.empty() ? std::to_string(id) : name;
  if (by_rule(id, known) == k_root) return is_roots(word, key, id, known);
  if (maps_nobody() && policy_ == config::OwnerPolicy::map) {
    sentence += " is not mapped: there is no owner policy in receiver.toml for " + where_ + "; add users = { \"" +
                wanted +
                "\" = \"...\" } and groups = { ... } to its [peer.root.owner], or policy = \"name\" for equal names";
    return failure(ErrorCode::unmapped_owner, "", sentence);
  }
  if (policy_ == config::OwnerPolicy::name) {
    sentence += name.empty() ? " has no name there" : std::string(" has no ") + word + " of that name here";
    sentence += std::string("; create that ") + word + ", or use policy = \"map\" in the owner table of " + where_;
  } else {
    sentence += " is not mapped; add \"" + wanted + "\" = \"...\" to `" + key + "` in the owner table of " + where_ +
                ", or set `unmapped`";
  }
  return failure(ErrorCode::unmapped_owner, "", sentence);
}

std::optional<OwnerId> OwnerMap::map_above_account(std::uint32_t uid, std::uint32_t gid, const PeerNames& names) const {
  const auto mapped = [&](const Table& table, std::uint32_t id, const PeerNames::Known* known) {
    const auto found = find(table, id, known);
    return found ? found : by_rule(id, known);
  };
  auto user = mapped(users_, uid, names.user(uid));
  auto group = mapped(groups_, gid, names.group(gid));
  if (!user && rest_) user = rest_->uid;
  if (!group && rest_) group = rest_->gid;
  return user && group ? std::optional(OwnerId{*user, *group}) : std::nullopt;
}

Result<OwnerId> OwnerMap::map(std::uint32_t uid, std::uint32_t gid, const PeerNames& names) const {
  const auto* user_known = names.user(uid);
  const auto* group_known = names.group(gid);
  auto user = find(users_, uid, user_known);
  auto group = find(groups_, gid, group_known);
  if (!user && rest_) user = rest_->uid;
  if (!group && rest_) group = rest_->gid;
  if (!user) return unmapped("user", "users", uid, user_known);
  if (!group) return unmapped("group", "groups", gid, group_known);
  return OwnerId{*user, *group};
}

}  // namespace maildirsync::daemon
