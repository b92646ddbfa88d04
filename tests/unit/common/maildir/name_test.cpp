#include "common/maildir/name.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace maildirsync::maildir {
namespace {

struct Case {
  std::string_view name, base, flags;
};

TEST(Name, splits_before_the_flags) {
  for (const auto& [name, base, flags] : std::initializer_list<Case>{
           {"1.M2.host,S=3,W=4:2,FS", "1.M2.host,S=3,W=4", ":2,FS"},
           {"1.x:2,", "1.x", ":2,"},
           {"1.x:2,Sab", "1.x", ":2,Sab"},
           {"1.x;2,S", "1.x", ";2,S"},
           {"1.x!2,S", "1.x", "!2,S"},
           {"1.x", "1.x", ""},
           {"", "", ""},
           {"1.x:1,S", "1.x:1,S", ""},
           {"1.x:2", "1.x:2", ""},
           {"1.x:2,S:2,F", "1.x:2,S", ":2,F"},
           {"1.x:2,S,extra", "1.x", ":2,S,extra"},
           {"1.x:2,S!", "1.x:2,S!", ""},
           {":2,S", "", ":2,S"},
           {"\xff\xfe:2,S", "\xff\xfe", ":2,S"},
       }) {
    EXPECT_EQ(split(name).base, base) << name;
    EXPECT_EQ(split(name).flags, flags) << name;
  }
}

RC_GTEST_PROP(Name, is_its_base_and_its_flags, (const std::string& name)) {
  const auto parts = split(name);
  RC_ASSERT(std::string(parts.base) + std::string(parts.flags) == name);
}

RC_GTEST_PROP(Name, keeps_its_base_when_flags_change, (const std::string& name)) {
  const std::string base(base_of(name));
  RC_ASSERT(base_of(base + ":2,") == base);
  RC_ASSERT(base_of(base + ":2,FSa") == base);
}

TEST(LeftOut, is_what_is_rebuilt_or_transient) {
  for (const char* name :
       {"dovecot-uidlist.lock", "mailboxes.lock5f3a", "mailboxes.lock", "dovecot-uidlist.tmp", "dovecot.index",
        "dovecot.index.cache", "dovecot.list.index.log", "dovecot.mailbox.log", ".nfs0001", ".maildirsync.x"}) {
    EXPECT_TRUE(is_left_out(name)) << name;
  }
  for (const char* name : {"dovecot-uidlist", "dovecot-keywords", "dovecot-uidvalidity.5f3a", "subscriptions",
                           "maildirfolder", "maildirsize", ".dovecot.sieve", "lock", "x.lock.y", "dovecot-acl"}) {
    EXPECT_FALSE(is_left_out(name)) << name;
  }
}

TEST(LeftOut, is_less_among_messages) {
  EXPECT_TRUE(is_left_out_of_messages(".nfs0001"));
  EXPECT_TRUE(is_left_out_of_messages(".maildirsync.x"));
  EXPECT_FALSE(is_left_out_of_messages("1.x.lock"));
  EXPECT_FALSE(is_left_out_of_messages(".hidden"));
}

TEST(Link, stays_inside_when_it_never_goes_above_the_account) {
  EXPECT_TRUE(link_stays_inside("", "sieve/a.sieve"));
  EXPECT_TRUE(link_stays_inside("", "./a"));
  EXPECT_TRUE(link_stays_inside("sieve", "../.dovecot.sieve"));
  EXPECT_TRUE(link_stays_inside("a/b", "../../c"));
  EXPECT_TRUE(link_stays_inside("a/b", "./.././../c/./d"));
}

TEST(Link, that_goes_up_behind_a_name_may_leave_by_a_link_of_that_name) {
  EXPECT_FALSE(link_stays_inside("", "a/../b"));
  EXPECT_FALSE(link_stays_inside("a/b", "../c/.."));
}

TEST(Link, leaves_by_an_absolute_path_or_too_many_dots) {
  EXPECT_FALSE(link_stays_inside("", ""));
  EXPECT_FALSE(link_stays_inside("", "/etc/passwd"));
  EXPECT_FALSE(link_stays_inside("", "../x"));
  EXPECT_FALSE(link_stays_inside("a", "../../x"));
  EXPECT_FALSE(link_stays_inside("a", "b/../../../x/y/z"));
  EXPECT_FALSE(link_stays_inside("", "a/../../b"));
}

}  // namespace
}  // namespace maildirsync::maildir
