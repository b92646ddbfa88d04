#include "common/config/landing.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::config {
namespace {

Receiver receiver(const std::vector<std::pair<std::string, std::string>>& places, bool shared = false) {
  Receiver made;
  made.file = "receiver.toml";
  for (const auto& [peer, path] : places) {
    if (made.peers.empty() || made.peers.back().name != peer) made.peers.push_back({peer, "sha256:" + peer, {}});
    const std::string name = "r" + std::to_string(made.peers.back().roots.size());
    made.peers.back().roots.push_back({.name = name, .path = path, .shared = shared});
  }
  return made;
}

std::string complaint_about(const std::vector<std::pair<std::string, std::string>>& places, bool shared = false) {
  const auto good = check_landing(receiver(places, shared));
  return good ? "" : good.error().detail;
}

TEST(Landing, of_each_root_in_a_directory_of_its_own_is_good) {
  EXPECT_EQ(complaint_about({{"a", "/srv/mail"}, {"a", "/srv/mail2"}, {"b", "/srv/ma"}, {"c", "/home"}}), "");
}

TEST(Landing, in_one_directory_or_below_another_is_refused_with_both_names) {
  EXPECT_EQ(complaint_about({{"a", "/srv/mail"}, {"b", "/srv/mail/"}}),
            "receiver.toml: root \"r0\" of peer \"b\" (/srv/mail/) lands in the same directory as root \"r0\" of peer "
            "\"a\" (/srv/mail); an account that both bring would be deleted by one where the other has it. Give it a "
            "directory of its own, or, if they bring different accounts, write shared = true in both");
  EXPECT_NE(complaint_about({{"a", "/srv"}, {"b", "/srv/mail"}}).find("below that of root \"r0\" of peer \"a\""),
            std::string::npos);
  EXPECT_NE(complaint_about({{"a", "/srv/mail"}, {"a", "/"}}).find("above that of root \"r0\" of peer \"a\""),
            std::string::npos);
}

TEST(Landing, is_seen_through_links) {
  maildirsync::testing::Tree tree;
  tree.directory("mail").link("mail", "link");
  EXPECT_NE(complaint_about({{"a", tree.path("mail")}, {"b", tree.path("link")}}), "");
}

TEST(Landing, in_one_directory_is_good_where_both_say_so) {
  EXPECT_EQ(complaint_about({{"a", "/srv/mail"}, {"b", "/srv/mail"}}, true), "");
  Receiver one_says_so = receiver({{"a", "/srv/mail"}, {"b", "/srv/mail"}});
  one_says_so.peers[0].roots[0].shared = true;
  EXPECT_FALSE(check_landing(one_says_so));
}

}  // namespace
}  // namespace maildirsync::config
