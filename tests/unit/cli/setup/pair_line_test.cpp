#include "cli/setup/pair_line.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

const std::string k_fingerprint = "sha256:" + std::string(64, 'a');

PairLine agent() {
  return {Role::agent,
          "old.example.org",
          k_fingerprint,
          {{"vhosts", "/var/mail/vhosts", false, {{"vmail", 5000}, {"", 33}}, {{"vmail", 5000}}},
           {"a, b=c", "/srv/with space/100%\x01", true, {}, {}}}};
}

std::string refusal(const std::string& text) {
  const auto line = parse_pair_line(text);
  EXPECT_FALSE(line.has_value()) << text;
  return line ? "" : line.error().message();
}

TEST(PairLine, of_a_receiver_is_as_documented) {
  const PairLine line{Role::receiver, "new.example.org:4465", k_fingerprint, {}};
  EXPECT_EQ(format_pair_line(line), "maildirsync-pair v1 receiver new.example.org:4465 " + k_fingerprint);
  EXPECT_EQ(parse_pair_line(format_pair_line(line)), line);
}

TEST(PairLine, of_an_agent_carries_its_roots_whatever_their_names) {
  const std::string text = format_pair_line(agent());
  EXPECT_NE(text.find(" root=vhosts,/var/mail/vhosts,vmail:5000+:33,vmail:5000 "), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(parse_pair_line(text), agent());
}

TEST(PairLine, a_paste_may_have_quotes_line_breaks_and_the_command_around_it) {
  std::string text = format_pair_line(agent());
  text.replace(text.find(" root="), 1, "\r\n  ");
  EXPECT_EQ(parse_pair_line("  '" + text + "'\n"), agent());
  EXPECT_EQ(parse_pair_line("maildirsync pair '" + format_pair_line(agent()) + "'"), agent());
}

TEST(PairLine, what_is_cut_off_or_no_line_at_all_is_refused) {
  const std::string text = format_pair_line(agent());
  for (std::size_t size = 0; size < text.find(k_fingerprint) + k_fingerprint.size(); ++size)
    EXPECT_NE(refusal(text.substr(0, size)), "");
  EXPECT_NE(refusal("maildirsync-pair v1 agent old " + k_fingerprint).find("cut off"), std::string::npos);
  EXPECT_NE(refusal("maildirsync-pair v2 agent old " + k_fingerprint).find("same release"), std::string::npos);
  EXPECT_NE(refusal("hello").find("no line"), std::string::npos);
  EXPECT_NE(refusal("maildirsync-pair v1 receiver new.example.org " + k_fingerprint).find("port"), std::string::npos);
  for (const char* root : {"root=a", "root=a,b,c,d", "root=a,/b,c,d", "root=a,/b,x:1", "root=a,/b,x:1,y:99999999999",
                           "root=%zz,/b,x:1,y:1", "root=,/b,x:1,y:1", "what"})
    EXPECT_NE(refusal("maildirsync-pair v1 agent old " + k_fingerprint + " " + root), "");
}

}  // namespace
}  // namespace maildirsync::cli
