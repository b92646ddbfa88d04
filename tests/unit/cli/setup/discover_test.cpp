#include "cli/setup/discover.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

void expect_place(const Findings& findings, const Place& place) {
  ASSERT_TRUE(findings.place.has_value()) << (findings.notes.empty() ? "" : findings.notes.back());
  EXPECT_EQ(findings.place->path, place.path);
  EXPECT_EQ(findings.place->accounts, place.accounts);
}

TEST(Doveconf, virtual_users_with_one_owner) {
  const auto found = read_doveconf(R"(# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
mail_location = maildir:/var/mail/vhosts/%d/%n/Maildir:INDEX=/var/index/%u
namespace inbox {
  location =
  mailbox Drafts {
    special_use = \Drafts
  }
}
userdb {
  args = uid=vmail gid=mail home=/var/mail/vhosts/%d/%n
  driver = static
}
)");
  expect_place(found, {"/var/mail/vhosts", "%d/%n/Maildir"});
  EXPECT_EQ(found.user, "vmail");
  EXPECT_EQ(found.group, "mail");
}

TEST(Doveconf, a_location_in_the_home_takes_it_from_where_it_is_said) {
  expect_place(read_doveconf("mail_home = /srv/mail/%Ld/%Ln\nmail_location = maildir:~/Maildir\n"),
               {"/srv/mail", "%d/%n/Maildir"});
  expect_place(
      read_doveconf("mail_location = maildir:%h/mail\nuserdb {\n  args = home=/var/vmail/%u uid=5000 gid=5000\n"
                    "  driver = static\n}\n"),
      {"/var/vmail", "%u/mail"});
  expect_place(read_doveconf("mail_location = maildir:~/Maildir\nuserdb {\n  driver = passwd\n}\n"),
               {"/home", "%u/Maildir"});
}

TEST(Doveconf, of_dovecot_2_4) {
  const auto found = read_doveconf(R"(mail_driver = maildir
mail_home = /var/vmail/%{user | domain}/%{user | username | lower}
mail_path = ~/Maildir
userdb static {
  fields {
    uid = vmail
    gid = vmail
  }
}
)");
  expect_place(found, {"/var/vmail", "%d/%n/Maildir"});
  EXPECT_EQ(found.user, "vmail");
}

TEST(Doveconf, homes_of_a_database_can_not_be_told_and_it_says_so) {
  const auto found =
      read_doveconf("mail_location = maildir:~/Maildir\nuserdb {\n  args = /etc/dovecot/sql.conf\n  driver = sql\n}\n");
  EXPECT_FALSE(found.place.has_value());
  ASSERT_EQ(found.notes.size(), 1U);
  EXPECT_NE(found.notes[0].find("sql"), std::string::npos);
}

TEST(Doveconf, what_is_no_maildir_is_named) {
  const auto found = read_doveconf("mail_location = mbox:~/mail:INBOX=/var/mail/%u\n");
  EXPECT_FALSE(found.place.has_value());
  EXPECT_NE(found.notes.at(0).find("mbox"), std::string::npos);
}

TEST(Doveconf, control_files_elsewhere_are_a_warning) {
  const auto found = read_doveconf("mail_location = maildir:/srv/%d/%n:CONTROL=/srv/control/%u\n");
  EXPECT_TRUE(found.place.has_value());
  EXPECT_NE(found.notes.at(0).find("/srv/control/%u"), std::string::npos);
}

TEST(Doveconf, an_empty_or_strange_output_finds_nothing) {
  for (const char* text : {"", "}\n}\n", "=\n", "mail_location =\n", "mail_location = maildir:\n", "{\n",
                           "mail_location = maildir:/srv/mail\n"})
    EXPECT_FALSE(read_doveconf(text).place.has_value()) << text;
}

TEST(Postconf, its_own_virtual_delivery) {
  const auto found = read_postconf(
      "virtual_gid_maps = static:5001\nvirtual_mailbox_base = /var/vmail\nvirtual_uid_maps = static:5000\n");
  expect_place(found, {"/var/vmail", ""});
  EXPECT_EQ(found.user, "5000");
  EXPECT_EQ(found.group, "5001");
  expect_place(read_postconf("home_mailbox = Maildir/\n"), {"/home", "%u/Maildir"});
  EXPECT_FALSE(read_postconf("home_mailbox =\nvirtual_mailbox_base =\n").place.has_value());
}

TEST(PlaceOf, a_hash_or_a_part_of_a_name_is_anything) {
  EXPECT_EQ(place_of("/srv/%2.256Nu/%d/%n"), (Place{"/srv", "*/%d/%n"}));
  EXPECT_EQ(place_of("/srv/%1n/%n"), (Place{"/srv", "*/%n"}));
  EXPECT_EQ(place_of("/srv/%n/%n"), (Place{"/srv", "%n/*"}));
  EXPECT_EQ(place_of("%d/%n"), std::nullopt);
  EXPECT_EQ(place_of("/%d/%n"), std::nullopt);
}

TEST(LayoutOf, the_usual_trees) {
  EXPECT_EQ(layout_of({"example.org/anna/Maildir", "example.net/bob/Maildir"}), "%d/%n/Maildir");
  EXPECT_EQ(layout_of({"example.org/anna", "example.org/bob"}), "%d/%n");
  EXPECT_EQ(layout_of({"anna/Maildir", "bob/Maildir"}), "%u/Maildir");
  EXPECT_EQ(layout_of({"anna@example.org"}), "%u");
  EXPECT_EQ(layout_of({"c1/mail/example.org/anna", "c2/mail/example.net/bob"}), "*/mail/%d/%n");
  EXPECT_EQ(layout_of({"domains/example.org/anna/Maildir"}), "domains/%d/%n/Maildir");
  EXPECT_EQ(layout_of({}), std::nullopt);
}

TEST(LayoutOf, the_depth_that_most_have_counts) {
  EXPECT_EQ(layout_of({"example.org/anna/Maildir", "example.org/bob/Maildir", "old"}), "%d/%n/Maildir");
}

TEST(RootName, says_something) {
  EXPECT_EQ(root_name("/var/mail/vhosts/"), "vhosts");
  EXPECT_EQ(root_name("/srv/ü b"), "b");
  EXPECT_EQ(root_name("/"), "mail");
}

}  // namespace
}  // namespace maildirsync::cli
