#include "common/sync/aliases.h"

#include <gtest/gtest.h>

namespace maildirsync::sync {
namespace {

const Aliases k_alias{{{"", "1.x,S=5"}, "1.x.c01234567,S=5"}};

Entry file(const std::string& name, std::uint64_t size, std::int64_t mtime = 7) {
  Entry entry;
  entry.name = name;
  entry.size = size;
  entry.mtime = mtime;
  return entry;
}

AccountManifest account(std::vector<Entry> entries) {
  return {.structure_whole = true, .folders = {{.path = "", .entries = std::move(entries)}}};
}

struct Settled {
  explicit Settled(std::vector<Entry> there, std::vector<Entry> source = {file("1.x,S=5:2,S", 5)})
      : listed(account(std::move(there))), after(account(std::move(source))) {
    aliases = settle_aliases(listed, k_alias, account({}), after);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : listed.folders[0].entries)
      names.push_back(entry.name);
    return names;
  }

  AccountManifest listed, after;
  SettledAliases aliases;
};

using Names = std::vector<std::string>;

TEST(Aliases, stand_while_another_file_has_the_name) {
  const Settled settled({file("1.x,S=5:2,", 9), file("1.x.c01234567,S=5:2,S", 5)});
  EXPECT_EQ(settled.aliases.standing, k_alias);
  EXPECT_TRUE(settled.aliases.over.empty());
  EXPECT_TRUE(settled.aliases.back.empty());
  EXPECT_EQ(settled.names(), Names{"1.x,S=5:2,S"}) << "ours, by its own name";
  EXPECT_EQ(settled.listed.folders[0].entries[0].size, 5u);
}

TEST(Aliases, end_by_a_rename_when_the_name_is_free) {
  const Settled settled({file("1.x.c01234567,S=5:2,", 5)});
  EXPECT_TRUE(settled.aliases.standing.empty());
  ASSERT_EQ(settled.aliases.back.size(), 1u);
  const auto& back = settled.aliases.back[0];
  EXPECT_EQ(back.kind, OperationKind::rename);
  EXPECT_EQ(back.from.name, "1.x.c01234567,S=5:2,");
  EXPECT_EQ(back.to.name, "1.x,S=5:2,") << "the flags that it has there; another rename gives it those of the source";
  EXPECT_EQ(back.result.name, back.to.name);
  EXPECT_EQ(settled.names(), Names{"1.x,S=5:2,"});
}

TEST(Aliases, are_over_when_a_person_renamed_the_message) {
  const Settled settled({file("1.x,S=5:2,S", 5)});
  EXPECT_EQ(settled.aliases.over, k_alias);
  EXPECT_TRUE(settled.aliases.back.empty());
  EXPECT_TRUE(settled.aliases.doubles.empty());
  EXPECT_EQ(settled.names(), Names{"1.x,S=5:2,S"});
}

TEST(Aliases, are_over_when_the_message_is_there_under_both_names_and_one_goes) {
  const Settled settled({file("1.x,S=5:2,S", 5), file("1.x.c01234567,S=5:2,S", 5)});
  EXPECT_EQ(settled.aliases.over, k_alias);
  ASSERT_EQ(settled.aliases.doubles.size(), 1u);
  EXPECT_EQ(settled.aliases.doubles[0].from.name, "1.x.c01234567,S=5:2,S");
  EXPECT_EQ(settled.names(), Names{"1.x,S=5:2,S"});
}

TEST(Aliases, are_over_when_nothing_of_it_is_there) {
  const Settled settled({});
  EXPECT_EQ(settled.aliases.over, k_alias);
  EXPECT_TRUE(settled.names().empty());
}

TEST(Aliases, stand_when_ours_went_and_the_other_file_did_not) {
  const Settled settled({file("1.x,S=5:2,", 9)});
  EXPECT_EQ(settled.aliases.standing, k_alias);
  EXPECT_TRUE(settled.names().empty()) << "what has the name is not ours";
}

TEST(Aliases, stand_until_the_message_that_went_at_the_source_is_removed_by_them) {
  const Settled settled({file("1.x.c01234567,S=5:2,S", 5)}, {});
  EXPECT_EQ(settled.aliases.standing, k_alias);
  EXPECT_TRUE(settled.aliases.back.empty());
  EXPECT_EQ(settled.names(), Names{"1.x,S=5:2,S"});
}

}  // namespace
}  // namespace maildirsync::sync
