#include "daemon/session/ownership.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

const Ownership::Owner k_first{"sha256:aa", "vhosts"}, k_second{"sha256:bb", "vhosts"},
    k_other_root{"sha256:aa", "more"};

class AnOwner : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    ownership_.reset();
    auto opened = Ownership::open(state_.path());
    ASSERT_TRUE(opened) << opened.error().message();
    ownership_ = std::move(*opened);
    ownership_->use(configuration());
  }

  static config::Receiver configuration(bool with_first = true) {
    config::Receiver receiver;
    if (with_first) receiver.peers.push_back({"one", "sha256:aa", {{.name = "vhosts"}, {.name = "more"}}});
    receiver.peers.push_back({"two", "sha256:bb", {{.name = "vhosts"}}});
    return receiver;
  }

  std::string refusal(const std::string& place, const Ownership::Owner& owner) {
    const auto claimed = ownership_->claim(place, owner, "a@b");
    if (claimed) return "";
    EXPECT_EQ(claimed.error().code, ErrorCode::owned_by_another);
    return claimed.error().detail;
  }

  maildirsync::testing::Tree state_;
  std::unique_ptr<Ownership> ownership_;
};

TEST_F(AnOwner, is_who_brought_the_account_first) {
  EXPECT_EQ(refusal("/srv/a b/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/a b/Maildir", k_first), "");
  EXPECT_NE(refusal("/srv/a b/Maildir", k_second).find("belongs to root \"vhosts\" of peer \"one\""),
            std::string::npos);
  EXPECT_NE(refusal("/srv/a b/Maildir", k_other_root), "");
  EXPECT_EQ(refusal("/srv/a b/Maildir2", k_second), "");
}

TEST_F(AnOwner, has_what_lies_in_the_account_and_around_it) {
  EXPECT_EQ(refusal("/srv/a/Maildir", k_first), "");
  EXPECT_NE(refusal("/srv/a/Maildir/.Sent", k_second).find("around it"), std::string::npos);
  EXPECT_NE(refusal("/srv/a", k_second).find("in it"), std::string::npos);
  EXPECT_EQ(refusal("/srv/ab", k_second), "");
}

TEST_F(AnOwner, is_kept_over_a_restart_and_half_a_line_counts_for_nothing) {
  EXPECT_EQ(refusal("/srv/a\nb/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/c", k_second), "");
  std::ofstream(state_.path("owners"), std::ios::app) << "+ sha256:bb vhosts /srv/d";
  open();
  EXPECT_NE(refusal("/srv/a\nb/Maildir", k_second), "");
  EXPECT_NE(refusal("/srv/c", k_first), "");
  EXPECT_EQ(refusal("/srv/d", k_first), "");
}

TEST_F(AnOwner, ends_with_the_peer_the_account_or_by_a_word) {
  EXPECT_EQ(refusal("/srv/a", k_first), "");
  ownership_->use(configuration(false));
  EXPECT_EQ(refusal("/srv/a", k_second), "");
  ownership_->use(configuration());
  ownership_->end("/srv/a", k_first);
  EXPECT_NE(refusal("/srv/a", k_first), "") << "only its owner ends it";
  ownership_->end("/srv/a", k_second);
  EXPECT_EQ(refusal("/srv/a", k_first), "");
  EXPECT_EQ(ownership_->disown("two", "", ""), 0U);
  EXPECT_EQ(ownership_->disown("one", "more", ""), 0U);
  EXPECT_EQ(ownership_->disown("one", "", "x@*"), 0U);
  EXPECT_EQ(ownership_->disown("one", "vhosts", "a@b"), 1U);
  open();
  EXPECT_EQ(refusal("/srv/a", k_second), "");
}

TEST_F(AnOwner, may_find_its_accounts_elsewhere_by_another_layout) {
  EXPECT_EQ(refusal("/srv/a/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/a", k_first), "");
  EXPECT_EQ(refusal("/srv/a/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/a/sieve", k_second), "") << "/srv/a is nobody's account any more";
}

}  // namespace
}  // namespace maildirsync::daemon
