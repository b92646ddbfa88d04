#include "agent/verify/account.h"

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;
using Lines = std::vector<std::string>;

constexpr std::int64_t k_then = 1'600'000'000'123'456'789;
const std::atomic<bool> k_go_on = false;

/// The account of the same path in another tree of this machine.
class OtherTree : public Destination {
 public:
  explicit OtherTree(const Tree& tree) : tree_(tree) {}

  Result<AccountListing> list(const wire::List& question) override {
    const Contents contents = question.digests() ? Contents::all : Contents::control_files;
    lists_.push_back(contents);
    auto listing = list_source(tree_.open(), question.account(), contents, k_go_on);
    if (!listing) return Failure(listing.error());
    for (auto& folder : listing->manifest.folders) {
      for (auto& entry : folder.entries) {
        entry.inode = static_cast<std::uint64_t>(
            change_stamp(tree_.open(), question.account(), folder.path, entry.area, entry.name));
      }
    }
    return AccountListing{.manifest = std::move(listing->manifest), .indexed = {}, .times = {}, .looks = {}};
  }
  Result<std::vector<sync::MappedOwner>> map_owners(const std::string&,
                                                    const std::vector<sync::Attributes>& owners) override {
    std::vector<sync::MappedOwner> same;
    for (const auto& owner : owners)
      same.emplace_back(std::pair(owner.uid, owner.gid));
    return same;
  }
  void is_indexed(const Subject&, std::vector<std::string>) override {}
  Result<AliasNames> aliases(const Subject&) override { return AliasNames{}; }
  Result<sync::AccountManifest> given(const Subject&) override { return given_; }
  std::string settle(const Subject&) override {
    if (meanwhile) meanwhile();
    return unsettled;
  }

  std::function<void()> meanwhile;  ///< what happens while an account settles
  std::string unsettled;
  std::vector<Contents> lists_;
  sync::AccountManifest given_;

 private:
  const Tree& tree_;
};

Tree sample() {
  Tree tree;
  tree.maildir("a").maildir("a/.Sent");
  for (const auto* name : {"a/cur/1.x:2,S", "a/new/2.x", "a/.Sent/cur/3.x:2,", "a/dovecot-uidlist"}) {
    tree.file(name, std::string("content of ") + name).mtime(name, k_then);
  }
  return tree;
}

Subject subject(const Tree& tree) {
  return {1, "vhosts", "a", "a", std::make_shared<const os::Directory>(tree.open())};
}

Lines lines(const Verdict& verdict) {
  Lines lines;
  for (const auto& difference : verdict.differences) {
    lines.push_back(std::string(to_string(difference.kind)) + " " + difference.folder + " " + difference.name);
  }
  return lines;
}

Verdict verify(const Tree& source, OtherTree& destination, Contents contents) {
  return verify_account(subject(source), contents, destination, k_go_on).value();
}

TEST(VerifyAccount, equal_trees_are_looked_at_once) {
  const Tree source = sample(), copy = sample();
  OtherTree destination(copy);
  for (const auto contents : {Contents::control_files, Contents::all}) {
    const Verdict verdict = verify(source, destination, contents);
    EXPECT_EQ(Lines{}, lines(verdict));
    EXPECT_TRUE(verdict.left_out.empty());
    EXPECT_EQ(2U, verdict.folders);
    EXPECT_EQ(3U, verdict.messages);
  }
  EXPECT_EQ((std::vector{Contents::control_files, Contents::all}), destination.lists_);
}

TEST(VerifyAccount, a_changed_byte_is_seen_by_reading_and_read_once) {
  const Tree source = sample();
  Tree copy = sample();
  copy.file("a/.Sent/cur/3.x:2,", "CONTENT of a/.Sent/cur/3.x:2,").mtime("a/.Sent/cur/3.x:2,", k_then);
  OtherTree destination(copy);
  EXPECT_EQ(Lines{}, lines(verify(source, destination, Contents::control_files)));
  destination.lists_.clear();
  EXPECT_EQ((Lines{"content .Sent 3.x:2,"}), lines(verify(source, destination, Contents::all)));
  EXPECT_EQ((std::vector{Contents::all, Contents::control_files, Contents::control_files}), destination.lists_);
}

TEST(VerifyAccount, a_changed_byte_of_a_control_file_is_always_seen) {
  const Tree source = sample();
  Tree copy = sample();
  copy.file("a/dovecot-uidlist", "CONTENT of a/dovecot-uidlist").mtime("a/dovecot-uidlist", k_then);
  OtherTree destination(copy);
  EXPECT_EQ((Lines{"control  dovecot-uidlist"}), lines(verify(source, destination, Contents::control_files)));
}

TEST(VerifyAccount, what_arrives_meanwhile_is_no_difference) {
  Tree source = sample(), copy = sample();
  source.file("a/new/4.x", "late").mtime("a/new/4.x", k_then);
  OtherTree destination(copy);
  destination.meanwhile = [&] { copy.file("a/new/4.x", "late").mtime("a/new/4.x", k_then); };
  EXPECT_EQ(Lines{}, lines(verify(source, destination, Contents::all)));
}

TEST(VerifyAccount, a_message_that_is_renamed_to_and_fro_is_no_difference) {
  Tree source = sample(), copy = sample();
  source.rename("a/cur/1.x:2,S", "a/cur/1.x:2,FS");
  OtherTree destination(copy);
  destination.meanwhile = [&] {
    source.rename("a/cur/1.x:2,FS", "a/cur/1.x:2,S").rename("a/cur/1.x:2,S", "a/cur/1.x:2,FS");
  };
  EXPECT_EQ(Lines{}, lines(verify(source, destination, Contents::control_files)));
}

TEST(VerifyAccount, what_cannot_be_waited_for_is_said_with_the_differences) {
  const Tree source = sample();
  Tree copy = sample();
  copy.remove("a/new/2.x");
  OtherTree destination(copy);
  destination.unsettled = "the account is held";
  const Verdict verdict = verify(source, destination, Contents::control_files);
  EXPECT_EQ((Lines{"missing  2.x"}), lines(verdict));
  ASSERT_EQ(1U, verdict.left_out.size());
  EXPECT_EQ("the account is held", verdict.left_out.front().detail);
}

}  // namespace
}  // namespace maildirsync::agent
