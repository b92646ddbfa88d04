#include "daemon/owner/owner_map.h"

#include <gtest/gtest.h>

namespace maildirsync::daemon {
namespace {

config::Owner with(config::OwnerPolicy policy) {
  config::Owner owner;
  owner.policy = policy;
  return owner;
}

OwnerMap map_of(const config::Owner& owner) {
  auto made = OwnerMap::make(owner, "root \"vhosts\" of peer \"old\"");
  EXPECT_TRUE(made) << (made ? "" : made.error().message());
  return std::move(*made);
}

/// As an agent says them: that its user 4711 is called root costs it nothing.
PeerNames names() {
  PeerNames names;
  for (const auto& [id, name] : {std::pair(0U, "root"), {4711U, "root"}, {8U, "mail"}}) {
    EXPECT_TRUE(names.add_user(id, name));
    EXPECT_TRUE(names.add_group(id, name));
  }
  return names;
}

void expect_refused(const Result<OwnerId>& mapped, const std::string& words) {
  ASSERT_FALSE(mapped) << mapped->uid << ":" << mapped->gid;
  EXPECT_EQ(mapped.error().code, ErrorCode::unmapped_owner);
  EXPECT_NE(mapped.error().detail.find(words), std::string::npos) << mapped.error().detail;
}

TEST(OwnerMap, gives_nothing_to_root_by_a_rule) {
  const auto numeric = map_of(with(config::OwnerPolicy::numeric));
  expect_refused(numeric.map(0, 8, names()), "root gets no mail");
  expect_refused(numeric.map(8, 0, names()), "`groups`");
  EXPECT_EQ(numeric.map(8, 8, names()).value(), (OwnerId{8, 8}));
  const auto by_name = map_of(with(config::OwnerPolicy::name));
  expect_refused(by_name.map(4711, 8, names()), "\"root\" = \"root\"");
  expect_refused(by_name.map(8, 4711, names()), "root gets no mail");
  EXPECT_EQ(by_name.map(8, 8, names()).value().uid, 8U);
}

TEST(OwnerMap, lets_directories_above_accounts_be_roots) {
  EXPECT_EQ(map_of(with(config::OwnerPolicy::numeric)).map_above_account(0, 8, names()), (OwnerId{0, 8}));
  EXPECT_EQ(map_of(with(config::OwnerPolicy::name)).map_above_account(4711, 8, names()), (OwnerId{0, 8}));
  EXPECT_EQ(map_of(with(config::OwnerPolicy::map)).map_above_account(0, 0, names()), std::nullopt);
}

TEST(OwnerMap, gives_to_root_what_a_table_names) {
  for (const auto policy : {config::OwnerPolicy::numeric, config::OwnerPolicy::name, config::OwnerPolicy::map}) {
    auto owner = with(policy);
    owner.users = {{"root", "root"}, {"mail", "mail"}};
    owner.groups = {{"0", "0"}, {"mail", "mail"}};
    const auto map = map_of(owner);
    EXPECT_EQ(map.map(0, 0, names()).value(), (OwnerId{0, 0}));
    EXPECT_EQ(map.map(0, 8, names()).value(), (OwnerId{0, 8}));
  }
}

TEST(OwnerMap, gives_the_rest_to_root_where_that_is_written) {
  auto owner = with(config::OwnerPolicy::map);
  owner.unmapped = "root:root";
  EXPECT_EQ(map_of(owner).map(5000, 5000, names()).value(), (OwnerId{0, 0}));
}

TEST(OwnerMap, that_maps_nobody_says_what_is_missing) {
  expect_refused(map_of(config::Owner{}).map(8, 8, names()),
                 "there is no owner policy in receiver.toml for root \"vhosts\"");
}

}  // namespace
}  // namespace maildirsync::daemon
