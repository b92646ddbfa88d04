#include "cli/cutover/door.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

/// Without comments.
std::map<std::string, std::string> maps(const std::vector<DoorAccount>& accounts, const std::string& new_host = "n") {
  std::map<std::string, std::string> found;
  for (const auto& map : door_maps("o", new_host, accounts)) {
    EXPECT_TRUE(map.text.starts_with("# ")) << map.file;
    found[map.file] = map.text.substr(map.text.find('\n') + 1);
  }
  return found;
}

TEST(Door, each_server_sends_on_whoever_is_at_the_other_one) {
  auto files = maps({{"b@x", Place::there}, {"a@x", Place::here}});
  EXPECT_EQ(files["old/dovecot-proxy"], "b@x:::::::proxy=y nopassword=y host=n\n");
  EXPECT_EQ(files["old/postfix-transport"], "b@x smtp:[n]\n");
  EXPECT_EQ(files["old/postfix-relay"], "b@x OK\n");
  EXPECT_EQ(files["new/dovecot-proxy"], "a@x:::::::proxy=y nopassword=y host=o\n");
  EXPECT_EQ(files["new/postfix-transport"], "a@x smtp:[o]\n");
  EXPECT_EQ(files["new/postfix-relay"], "a@x OK\n");
  EXPECT_EQ(files["table"], "a@x o\nb@x n\n");
}

TEST(Door, who_is_being_moved_is_let_in_nowhere) {
  auto files = maps({{"a@x", Place::moves}});
  for (const char* server : {"old/", "new/"}) {
    EXPECT_TRUE(files[std::string(server) + "dovecot-proxy"].starts_with(
        "a@x:::::::proxy=y nopassword=y host=127.0.0.1 port=1 "))
        << server;
    EXPECT_TRUE(files[std::string(server) + "postfix-transport"].starts_with("a@x retry:4.3.2 ")) << server;
  }
  EXPECT_EQ(files["table"], "a@x o\n");
}

TEST(Door, a_name_that_would_be_another_entry_is_in_no_map) {
  for (const char* name : {"", "a b", "a:b", "a\nb@x", "#a", "a\"", "a\\"})
    for (const auto& [file, text] : maps({{name, Place::there}}))
      EXPECT_EQ(text, "") << file << ": " << name;
}

TEST(Door, an_address_of_the_other_server_is_written_as_postfix_takes_it) {
  EXPECT_EQ(maps({{"a@x", Place::there}}, "2001:db8::2")["old/postfix-transport"], "a@x smtp:[ipv6:2001:db8::2]\n");
}

const Json k_answer = Json::parse(R"({"accounts": [
  {"name": "a", "root": "vhosts", "there": false}, {"name": "b", "root": "vhosts", "there": false},
  {"name": "c", "root": "moved", "there": true}]})");

std::string places(const std::vector<std::string>& roots, const std::vector<std::string>& chosen, Place place) {
  std::string text;
  for (const auto& account : door_accounts(k_answer, roots, chosen, place))
    text += account.name + (account.is_chosen ? "*" : "") + ':' + name_of(account.place) + ' ';
  return text;
}

TEST(Door, the_chosen_are_where_the_move_has_them_and_all_others_where_the_agent_does) {
  EXPECT_EQ(places({"vhosts"}, {"a"}, Place::moves), "a*:moves b:here c:there ");
  EXPECT_EQ(places({"vhosts"}, {}, Place::there), "a*:there b*:there c:there ");
  EXPECT_EQ(places({}, {}, Place::here), "a:here b:here c:there ");
}

}  // namespace
}  // namespace maildirsync::cli
