#include "cli/setup/toml_edit.h"

#include <gtest/gtest.h>

#include "cli/setup/config_text.h"
#include "cli/setup/peer_edit.h"
#include "common/config/document.h"

namespace maildirsync::cli {
namespace {

const std::string k_fingerprint = "sha256:" + std::string(64, 'a');

std::string edited(const Result<std::string>& result) {
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message());
  return result.value_or("");
}

config::PeerRoot vhosts() {
  config::PeerRoot root{"vhosts", "/var/mail/vhosts"};
  root.owner.policy = config::OwnerPolicy::map;
  root.owner.users = {{"vmail", "vmail"}, {"5000", "vmail"}};
  root.owner.groups = {{"vmail", "mail"}};
  return root;
}

TEST(TomlEdit, a_value_is_replaced_where_it_stands_and_its_comment_stays) {
  const std::string before = "# head\nreceiver = \"old:1\"   # why\n\n[tls]\nkey = \"k\"\n";
  EXPECT_EQ(edited(set_text(before, "f", "", "receiver", "new:2")),
            "# head\nreceiver = \"new:2\"   # why\n\n[tls]\nkey = \"k\"\n");
}

TEST(TomlEdit, a_commented_line_of_the_key_becomes_the_key) {
  const std::string before = "# head\n#receiver = \"example:1\" # set by pair\n[tls]\n# receiver_fingerprint = \"x\"\n";
  const std::string first = edited(set_text(before, "f", "", "receiver", "new:2"));
  EXPECT_EQ(first, "# head\nreceiver = \"new:2\" # set by pair\n[tls]\n# receiver_fingerprint = \"x\"\n");
  EXPECT_EQ(edited(set_text(first, "f", "tls", "receiver_fingerprint", "y")),
            "# head\nreceiver = \"new:2\" # set by pair\n[tls]\nreceiver_fingerprint = \"y\"\n");
}

TEST(TomlEdit, a_key_that_is_nowhere_goes_to_its_tables_beginning) {
  EXPECT_EQ(edited(set_text("# head\n\nx = 1\n[tls]\nkey = \"k\"\n", "f", "tls", "receiver_fingerprint", "y")),
            "# head\n\nx = 1\n[tls]\nreceiver_fingerprint = \"y\"\nkey = \"k\"\n");
  EXPECT_EQ(edited(set_text("# head\n[tls]\nkey = \"k\"\n", "f", "", "receiver", "y")),
            "# head\nreceiver = \"y\"\n[tls]\nkey = \"k\"\n");
  EXPECT_EQ(edited(set_text("x = 1\n", "f", "tls", "key", "k")), "x = 1\n\n[tls]\nkey = \"k\"\n");
}

TEST(TomlEdit, a_key_of_the_same_name_in_another_table_is_left_alone) {
  const std::string before = "[a]\nkey = \"1\"\n[b]\nkey = \"2\"\n";
  EXPECT_EQ(edited(set_text(before, "f", "b", "key", "3")), "[a]\nkey = \"1\"\n[b]\nkey = \"3\"\n");
}

TEST(TomlEdit, quotes_and_control_characters_stay_inside_the_value) {
  const std::string nasty = "a\"\n[tls]\nkey = \"\\\x01";
  const std::string after = edited(set_text("x = 1\n", "f", "", "y", nasty));
  const auto document = config::parse_document(after, "f");
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(document->find("y")->text, nasty);
  EXPECT_EQ(document->find("tls"), nullptr);
}

TEST(TomlEdit, what_looks_like_the_key_inside_a_long_text_is_no_key) {
  const std::string before = "text = \"\"\"\n[tls]\nreceiver = \"no\"\n\"\"\"\nreceiver = \"yes\"\n";
  EXPECT_EQ(edited(set_text(before, "f", "", "receiver", "new")),
            "text = \"\"\"\n[tls]\nreceiver = \"no\"\n\"\"\"\nreceiver = \"new\"\n");
}

TEST(TomlEdit, a_form_that_cant_be_edited_is_refused_with_what_to_write) {
  for (const char* before : {"tls = { key = \"k\" }\n", "receiver = \"\"\"\nx\"\"\"\n", "tls.key = \"k\"\n"}) {
    const auto result = std::string(before).starts_with("tls")
                            ? set_text(before, "FILE", "tls", "receiver_fingerprint", "y")
                            : set_text(before, "FILE", "", "receiver", "y");
    if (result) {  // then it is right
      EXPECT_NE(result->find("\"k\""), std::string::npos);
      continue;
    }
    EXPECT_NE(result.error().message().find("FILE"), std::string::npos);
    EXPECT_NE(result.error().message().find("= \"y\""), std::string::npos);
  }
}

TEST(TomlEdit, no_toml_is_refused_with_its_line) {
  const auto result = set_text("x = 1\ny = \n", "FILE", "", "receiver", "z");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message().find("FILE:2"), std::string::npos) << result.error().message();
}

TEST(PeerFile, holds_a_peer_with_its_roots) {
  const auto document = config::parse_document(peer_text({"old", k_fingerprint, {vhosts()}}), "f");
  ASSERT_TRUE(document.has_value());
  const auto& peer = document->find("peer")->items.at(0);
  EXPECT_EQ(peer.find("name")->text, "old");
  EXPECT_EQ(peer.find("fingerprint")->text, k_fingerprint);
  const auto& root = peer.find("root")->items.at(0);
  EXPECT_EQ(root.find("path")->text, "/var/mail/vhosts");
  EXPECT_EQ(root.find("owner")->find("policy")->text, "map");
  EXPECT_EQ(root.find("owner")->find("users")->find("5000")->text, "vmail");
  EXPECT_EQ(root.find("owner")->find("groups")->find("vmail")->text, "mail");
}

TEST(PeerFile, has_the_peers_name_as_far_as_a_file_may_have_it) {
  EXPECT_EQ(peer_file_name("old.example.org"), "old.example.org.toml");
  EXPECT_EQ(peer_file_name("../old server"), "_._old_server.toml");
}

TEST(TomlEdit, a_root_goes_to_its_peer_and_not_to_the_next_one) {
  std::string text = "listen = \"0.0.0.0:1\"\n" + peer_text({"first", k_fingerprint, {vhosts()}});
  text += "\n# about the second\n" + peer_text({"second", "sha256:" + std::string(64, 'b'), {}});
  text += "\n[metrics]\nlisten = \"127.0.0.1:1\"\n";
  for (const char* name : {"first", "second"}) {
    config::PeerRoot home{"home", "/home"};
    const std::string after = edited(add_peer_root(text, "f", name, home));
    const auto document = config::parse_document(after, "f");
    ASSERT_TRUE(document.has_value());
    for (const auto& peer : document->find("peer")->items) {
      const config::Value* roots = peer.find("root");
      const bool has = roots != nullptr && roots->items.back().find("name")->text == "home";
      EXPECT_EQ(has, peer.find("name")->text == name) << after;
    }
    EXPECT_LT(after.find("# about the second"), after.find("name        = \"second\""));
    EXPECT_NE(document->find("metrics"), nullptr);
  }
}

TEST(TomlEdit, only_the_named_peer_gets_the_new_fingerprint) {
  const std::string text =
      peer_text({"first", k_fingerprint, {vhosts()}}) + peer_text({"second", "sha256:" + std::string(64, 'b'), {}});
  const std::string fresh = "sha256:" + std::string(64, 'c');
  const auto document = config::parse_document(edited(set_peer_fingerprint(text, "f", "second", fresh)), "f");
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(document->find("peer")->items.at(0).find("fingerprint")->text, k_fingerprint);
  EXPECT_EQ(document->find("peer")->items.at(1).find("fingerprint")->text, fresh);
}

TEST(DropIn, its_paths_are_read_back_as_they_were_written) {
  const std::vector<std::string> paths{"/var/mail/vhosts", "/srv/a b", "/srv/100%"};
  EXPECT_EQ(dropin_paths(dropin_text(paths)), paths);
  EXPECT_EQ(dropin_text(paths).find("ProtectHome"), std::string::npos);
  EXPECT_NE(dropin_text({"/home"}).find("ProtectHome=read-only"), std::string::npos);
}

}  // namespace
}  // namespace maildirsync::cli
