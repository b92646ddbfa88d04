#include "agent/verify/drained.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using sync::AccountManifest;
using sync::Area;
using sync::Entry;

constexpr std::int64_t k_moved = 1'700'000'000'000'000'000;  ///< when the users moved
constexpr std::int64_t k_second = 1'000'000'000;

Entry message(std::string name, std::int64_t mtime, std::uint64_t inode) {
  return {.area = Area::cur, .name = std::move(name), .inode = inode, .size = 10 + inode, .mtime = mtime};
}

AccountManifest account(std::vector<Entry> inbox, std::vector<Entry> sent = {}) {
  AccountManifest manifest;
  manifest.structure_whole = true;
  for (auto& [path, entries] : {std::pair(std::string(), &inbox), std::pair(std::string(".Sent"), &sent)}) {
    std::sort(entries->begin(), entries->end(), sync::before_in_folder);
    manifest.folders.push_back({.path = path, .entries = *entries});
  }
  return manifest;
}

Entry old() {
  return message("1600000000.old:2,S", k_moved - 100 * k_second, 1);
}
Entry late() {
  return message("1700000060.late:2,", k_moved + 60 * k_second, 2);
}
Entry later() {
  return message("1700000090.later:2,", k_moved + 90 * k_second, 3);
}

TEST(Drained, what_users_did_is_no_difference) {
  const auto source = account({old()});
  auto flagged = old();
  flagged.name = "1600000000.old:2,FS";
  for (const auto& there : {account({flagged}), account({}), account({}, {old()}), account({old(), later()})}) {
    const auto verdict = compare_drained(source, source, there, k_moved);
    EXPECT_TRUE(verdict.differences.empty());
    EXPECT_TRUE(verdict.stragglers.empty());
  }
}

TEST(Drained, what_came_since_and_was_not_given_is_missing) {
  const auto verdict = compare_drained(account({old(), late()}), account({old()}), account({old()}), k_moved);
  ASSERT_EQ(verdict.differences.size(), 1U);
  EXPECT_EQ(verdict.differences[0].kind, DifferenceKind::missing);
  EXPECT_EQ(verdict.differences[0].name, late().name);
  ASSERT_EQ(verdict.stragglers.size(), 1U);
  EXPECT_EQ(verdict.stragglers[0].where, Straggler::Where::waits);
}

TEST(Drained, what_came_since_and_was_given_is_there_or_was_there) {
  const auto source = account({old(), late(), later()});
  const auto verdict = compare_drained(source, source, account({old()}, {late()}), k_moved);
  EXPECT_TRUE(verdict.differences.empty());
  ASSERT_EQ(verdict.stragglers.size(), 2U);
  EXPECT_EQ(verdict.stragglers[0].entry.name, late().name);
  EXPECT_EQ(verdict.stragglers[0].where, Straggler::Where::there);  // its user moved it
  EXPECT_EQ(verdict.stragglers[1].where, Straggler::Where::was_there);
  EXPECT_LT(verdict.stragglers[0].came, verdict.stragglers[1].came);
}

TEST(Drained, old_mail_that_was_never_given_is_owed_too) {
  const auto verdict = compare_drained(account({old()}), account({}), account({}), k_moved);
  EXPECT_EQ(verdict.differences.size(), 1U);
  ASSERT_EQ(verdict.stragglers.size(), 1U);
  EXPECT_EQ(verdict.stragglers[0].where, Straggler::Where::waits);
}

TEST(Drained, what_was_read_or_moved_at_the_old_server_is_not_owed_again) {
  auto read = late();
  read.name = "1700000060.late:2,S";
  const auto given = account({old(), late()});
  EXPECT_TRUE(compare_drained(account({old(), read}), given, given, k_moved).differences.empty());
  EXPECT_TRUE(compare_drained(account({old()}, {late()}), given, given, k_moved).differences.empty());
}

}  // namespace
}  // namespace maildirsync::agent
