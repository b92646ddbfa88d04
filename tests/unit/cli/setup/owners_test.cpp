#include "cli/setup/owners.h"

#include <set>

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

using Names = std::map<std::string, std::string>;

LocalOwners local(const std::set<std::string>& names, const std::string& mail = "") {
  const auto has = [names](const std::string& name) { return names.contains(name); };
  return {has, has, mail, mail};
}

const OfferedRoot k_vhosts{"vhosts", "/var/mail/vhosts", false, {{"vmail", 5000}}, {{"vmail", 5000}}};

TEST(MapOwners, the_same_name_here_takes_it_by_name_and_number) {
  const auto owner = map_owners(k_vhosts, local({"vmail"}), "");
  ASSERT_TRUE(owner.has_value());
  EXPECT_EQ(owner->policy, config::OwnerPolicy::map);
  EXPECT_EQ(owner->users, (Names{{"vmail", "vmail"}, {"5000", "vmail"}}));
  EXPECT_EQ(owner->unmapped, "reject");
}

TEST(MapOwners, without_the_name_the_owner_of_mail_here_takes_it) {
  const auto owner = map_owners(k_vhosts, local({}, "mailuser"), "");
  ASSERT_TRUE(owner.has_value());
  EXPECT_EQ(owner->users, (Names{{"vmail", "mailuser"}, {"5000", "mailuser"}}));
}

TEST(MapOwners, nobody_is_a_sentence_with_the_way_out) {
  const auto owner = map_owners(k_vhosts, local({}), "");
  ASSERT_FALSE(owner.has_value());
  EXPECT_NE(owner.error().message().find("vmail"), std::string::npos);
  EXPECT_NE(owner.error().message().find("--owner"), std::string::npos);
}

TEST(MapOwners, root_there_never_becomes_root_here) {
  OfferedRoot offer = k_vhosts;
  offer.users.push_back({"root", 0});
  const auto owner = map_owners(offer, local({"vmail", "root"}), "");
  ASSERT_TRUE(owner.has_value());
  EXPECT_EQ(owner->users.at("root"), "vmail");
  EXPECT_EQ(owner->users.at("0"), "vmail");
  offer.users = {{"root", 0}};
  EXPECT_FALSE(map_owners(offer, local({"vmail", "root"}), "").has_value());
}

TEST(MapOwners, what_is_wanted_takes_all) {
  const auto owner = map_owners(k_vhosts, local({}), "mail:mailgroup");
  ASSERT_TRUE(owner.has_value());
  EXPECT_EQ(owner->users.at("vmail"), "mail");
  EXPECT_EQ(owner->groups.at("5000"), "mailgroup");
  EXPECT_EQ(owner->unmapped, "mail:mailgroup");
  EXPECT_FALSE(map_owners(k_vhosts, local({}), "mail").has_value());
  EXPECT_FALSE(map_owners(k_vhosts, local({}), "reject").has_value());
}

TEST(MapOwners, many_owners_go_by_their_names) {
  const auto owner = map_owners({"home", "/home", true, {}, {}}, local({}), "");
  ASSERT_TRUE(owner.has_value());
  EXPECT_EQ(owner->policy, config::OwnerPolicy::name);
}

}  // namespace
}  // namespace maildirsync::cli
