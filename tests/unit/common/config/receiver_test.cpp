#include "common/config/document.h"
#include "tests/unit/common/config/files.h"

namespace maildirsync::config {
namespace {

using Ids = std::map<std::string, std::string>;

class ReceiverConfiguration : public Files {
 protected:
  std::string with(const std::string& from, const std::string& to) {
    return about_receiver(changed(receiver_, from, to));
  }
};

TEST_F(ReceiverConfiguration, takes_peers_and_their_roots) {
  const auto receiver =
      read_receiver_text(receiver_ +
                         "groups = {}\nunmapped = \"nobody:65534\"\n[[peer.root]]\nname = \"home\"\npath = \"/home\"\n"
                         "[[peer]]\nname = \"third\"\nfingerprint = \"sha256:" +
                         std::string(64, 'C') + "\"\n");
  ASSERT_TRUE(receiver) << receiver.error().message();
  EXPECT_EQ(receiver->file, path("receiver.toml"));
  EXPECT_EQ(receiver->listen.text(), "0.0.0.0:4465");
  EXPECT_EQ(receiver->state_dir, "/var/lib/receiver");
  EXPECT_EQ(receiver->control, "/run/maildirsyncd/control.sock");
  EXPECT_EQ(receiver->tls.certificate, path("id.crt"));
  ASSERT_EQ(receiver->peers.size(), 2u);
  const Peer& peer = receiver->peers[0];
  EXPECT_EQ(peer.name, "old-server");
  EXPECT_EQ(peer.fingerprint, fingerprint('b'));
  ASSERT_EQ(peer.roots.size(), 2u);
  EXPECT_EQ(peer.roots[0].path, "/var/mail/vhosts");
  EXPECT_EQ(peer.roots[0].owner.policy, OwnerPolicy::map);
  EXPECT_EQ(peer.roots[0].owner.users, (Ids{{"vmail", "mail"}, {"5000", "5001"}}));
  EXPECT_EQ(peer.roots[0].owner.groups, Ids{});
  EXPECT_EQ(peer.roots[0].owner.unmapped, "nobody:65534");
  EXPECT_EQ(peer.roots[1].owner.policy, OwnerPolicy::map) << "unless it says otherwise";
  EXPECT_EQ(peer.roots[1].owner.unmapped, "reject");
  EXPECT_EQ(receiver->peers[1].fingerprint, fingerprint('c')) << "upper-case digits are lowered";
  EXPECT_TRUE(receiver->peers[1].roots.empty());
}

TEST_F(ReceiverConfiguration, two_peers_may_have_roots_of_the_same_name) {
  std::string second = receiver_.substr(receiver_.find("[[peer]]"));
  second = changed(changed(second, "old-server", "other"), fingerprint('b'), fingerprint('c'));
  EXPECT_EQ(about_receiver(receiver_ + second), "");
}

TEST_F(ReceiverConfiguration, names_and_fingerprints_are_unique) {
  const std::string peer = "[[peer]]\nname = \"NAME\"\nfingerprint = \"FINGERPRINT\"\n";
  const auto also = [&](const std::string& name, const std::string& fingerprint) {
    return about_receiver(receiver_ + changed(changed(peer, "NAME", name), "FINGERPRINT", fingerprint));
  };
  EXPECT_EQ(also("other", fingerprint('c')), "");
  EXPECT_EQ(also("old-server", fingerprint('c')),
            "receiver.toml:20: key \"peer.name\": \"old-server\" is already that of the peer in line 9; give each peer "
            "its own");
  EXPECT_TRUE(also("other", fingerprint('B')).starts_with("receiver.toml:21: key \"peer.fingerprint\": "));
  EXPECT_TRUE(about_receiver(receiver_ + "[[peer.root]]\nname = \"vhosts\"\npath = \"/x\"\n")
                  .starts_with("receiver.toml:20: key \"peer.root.name\": \"vhosts\" is already "));
}

TEST_F(ReceiverConfiguration, unknown_keys_are_named_at_every_depth) {
  EXPECT_EQ(with("listen", "listn"), "receiver.toml:1: unknown key \"listn\"; did you mean \"listen\"?");
  EXPECT_EQ(with("fingerprint", "finger_print"),
            "receiver.toml:10: unknown key \"finger_print\" in [[peer]]; did you mean \"fingerprint\"?");
  EXPECT_EQ(with("[[peer.root]]", "[[peer.rot]]"),
            "receiver.toml:12: unknown table \"rot\" in [[peer]]; did you mean \"root\"?");
  EXPECT_EQ(with("policy", "polcy"),
            "receiver.toml:17: unknown key \"polcy\" in [peer.root.owner]; did you mean \"policy\"?");
  EXPECT_TRUE(about_receiver(receiver_ + "[transfer]\nconnections = 1\n")
                  .starts_with("receiver.toml:19: unknown table \"transfer\"; remove it, "));
}

TEST_F(ReceiverConfiguration, required_keys_are_named_with_their_table) {
  EXPECT_EQ(with("path = \"/var/mail/vhosts\"\n", ""),
            "receiver.toml:12: the table [[peer.root]] lacks the required key \"path\"; add a line such as path = "
            "\"/var/mail/vhosts\" below its header");
  for (const auto* key : {"listen", "certificate", "key", "name", "fingerprint"}) {
    const std::string said = about_receiver(changed("\n" + receiver_, "\n" + std::string(key) + " =", "\n#"));
    EXPECT_NE(said.find("required key \"" + std::string(key) + "\""), std::string::npos) << key << ": " << said;
  }
}

TEST_F(ReceiverConfiguration, owners_are_names_or_numbers) {
  const auto users = [this](const std::string& table) { return with("{ vmail = \"mail\", \"5000\" = 5001 }", table); };
  EXPECT_EQ(users("{ a = \"\" }"),
            "receiver.toml:18: key \"a\" in \"peer.root.owner.users\": \"\" is no owner; write the name of a user or "
            "group or a number below 4294967295");
  for (const auto* table : {"{ a = true }", "{ a = -1 }", "{ a = 4294967295 }", "{ a = \"b:c\" }", "{ \"\" = \"a\" }",
                            "{ a = [\"b\"] }", "{ \"99999999999\" = \"a\" }", "[\"a\"]", "\"a\""}) {
    EXPECT_TRUE(users(table).starts_with("receiver.toml:18: key ")) << table << ": " << users(table);
  }
  for (const auto* table : {"{}", "{ a = 0 }", "{ 4294967294 = \"a\" }", "{ \"a b\" = \"c\" }"}) {
    EXPECT_EQ(users(table), "") << table;
  }
  EXPECT_TRUE(about_receiver(receiver_ + "[peer.root.owner.groups]\na = \"b\"\nc = 1.5\n")
                  .starts_with("receiver.toml:21: key \"c\" in \"peer.root.owner.groups\": "));
}

TEST_F(ReceiverConfiguration, unmapped_rejects_or_names_who_takes_the_rest) {
  const auto unmapped = [this](const std::string& value) {
    return about_receiver(receiver_ + "unmapped = \"" + value + "\"\n");
  };
  for (const auto* value : {"reject", "vmail:vmail", "7777:7778", "vmail:0"})
    EXPECT_EQ(unmapped(value), "") << value;
  for (const auto* value : {"", "vmail", ":", "vmail:", ":vmail", "a:b:c", "Reject", "4294967295:0"}) {
    EXPECT_TRUE(unmapped(value).starts_with("receiver.toml:19: key \"peer.root.owner.unmapped\": ")) << value;
  }
}

TEST_F(ReceiverConfiguration, wrong_values_are_named_with_their_line) {
  const auto begins = [this](const std::string& from, const std::string& to, const std::string& expected) {
    const std::string said = with(from, to);
    EXPECT_TRUE(said.starts_with(expected)) << said;
  };
  begins("0.0.0.0:4465", ":4465", "receiver.toml:1: key \"listen\": ");
  begins("\"map\"", "\"maps\"",
         "receiver.toml:17: key \"peer.root.owner.policy\": \"maps\" is not known here; write \"map\", \"name\" or "
         "\"numeric\"");
  begins(fingerprint('b'), std::string(64, 'b'), "receiver.toml:10: key \"peer.fingerprint\": ");
  begins("/var/mail/vhosts", "mail", "receiver.toml:14: key \"peer.root.path\": ");
  begins("[[peer]]", "[peer]", "receiver.toml:");
  begins("[peer.root.owner]", "[[peer.root.owner]]", "receiver.toml:16: key \"peer.root.owner\": ");
}

class PeerFiles : public ReceiverConfiguration {
 protected:
  static std::string peer(const std::string& name, char digit) {
    return "[[peer]]\nname = \"" + name + "\"\nfingerprint = \"" + fingerprint(digit) + "\"\n";
  }
};

TEST_F(PeerFiles, are_read_beside_the_configuration_by_their_names) {
  tree_.file("receiver.d/z.toml", peer("last", 'c')).file("receiver.d/a.toml", peer("second", 'd'));
  tree_.file("receiver.d/a.toml.new", "garbage").file("receiver.d/.hidden.toml", "garbage");
  const auto receiver = read_receiver_text(receiver_);
  ASSERT_TRUE(receiver) << receiver.error().message();
  ASSERT_EQ(receiver->peers.size(), 3u);
  EXPECT_EQ(receiver->peers[0].file, path("receiver.toml"));
  EXPECT_EQ(receiver->peers[1].name, "second");
  EXPECT_EQ(receiver->peers[1].file, path("receiver.d/a.toml"));
  EXPECT_EQ(receiver->peers[2].name, "last");
}

TEST_F(PeerFiles, hold_peers_only_and_are_named_with_the_line_that_is_wrong) {
  tree_.file("receiver.d/a.toml", "listen = \"0.0.0.0:1\"\n");
  EXPECT_TRUE(about_receiver(receiver_).starts_with("receiver.d/a.toml:1: ")) << about_receiver(receiver_);
  tree_.file("receiver.d/a.toml", "[[peer]]\nname = \"x\"\n");
  EXPECT_TRUE(about_receiver(receiver_).starts_with("receiver.d/a.toml:1: ")) << about_receiver(receiver_);
  tree_.file("receiver.d/a.toml", "[[peer");
  EXPECT_TRUE(about_receiver(receiver_).starts_with("receiver.d/a.toml:1: this is no TOML"));
}

TEST_F(PeerFiles, have_no_name_and_no_key_that_another_file_has) {
  tree_.file("receiver.d/a.toml", peer("old-server", 'c'));
  EXPECT_EQ(about_receiver(receiver_),
            "receiver.d/a.toml:2: key \"peer.name\": \"old-server\" is already that of the peer in receiver.toml:9; "
            "give each peer its own");
  tree_.file("receiver.d/a.toml", peer("other", 'b'));
  EXPECT_TRUE(about_receiver(receiver_).starts_with("receiver.d/a.toml:3: key \"peer.fingerprint\": "));
}

TEST_F(PeerFiles, are_believed_only_where_not_everybody_may_add_one) {
  tree_.file("receiver.d/a.toml", peer("second", 'c')).mode("receiver.d", 0777);
  EXPECT_TRUE(about_receiver(receiver_).starts_with("receiver.d: anyone on this server may add a peer"));
}

TEST_F(PeerFiles, can_be_tried_before_they_count) {
  tree_.file("receiver.toml", receiver_).file("aside", peer("second", 'c'));
  const Instead fresh{path("receiver.d/a.toml"), path("aside")};
  const auto with = read_receiver(path("receiver.toml"), fresh);
  ASSERT_TRUE(with) << with.error().message();
  ASSERT_EQ(with->peers.size(), 2u);
  EXPECT_EQ(with->peers[1].file, fresh.file);
  tree_.file("aside", peer("second", 'b'));
  EXPECT_FALSE(read_receiver(path("receiver.toml"), fresh));
}

TEST_F(PeerFiles, change_what_the_configuration_is) {
  tree_.file("receiver.toml", receiver_);
  const auto before = digest_of_file(path("receiver.toml"));
  tree_.file("receiver.d/a.toml", peer("second", 'c'));
  const auto after = digest_of_file(path("receiver.toml"));
  EXPECT_NE(before, after);
  tree_.file("receiver.d/a.toml", "# a comment\n" + peer("second", 'c'));
  EXPECT_EQ(digest_of_file(path("receiver.toml")), after);
}

}  // namespace
}  // namespace maildirsync::config
