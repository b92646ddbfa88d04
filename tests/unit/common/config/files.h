#pragma once

#include <string>

#include <gtest/gtest.h>

#include "common/config/config.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::config {

/// A right configuration of each kind with its certificate and key, in a directory of its own. A test changes one text
/// of it and looks at what the reader says.
class Files : public ::testing::Test {
 protected:
  Files() {
    tree_.file("id.crt").file("id.key").mode("id.key", 0600);
    agent_ = "receiver = \"new.example.org:4465\"\nstate_dir = \"/var/lib/agent\"\n\n[tls]\ncertificate = \"" +
             path("id.crt") + "\"\nkey = \"" + path("id.key") + "\"\nreceiver_fingerprint = \"" + fingerprint('a') +
             "\"\n\n[[root]]\nname = \"vhosts\"\npath = \"/var/mail/vhosts\"\naccounts = \"%d/%n/Maildir\"\n";
    receiver_ = "listen = \"0.0.0.0:4465\"\nstate_dir = \"/var/lib/receiver\"\n\n[tls]\ncertificate = \"" +
                path("id.crt") + "\"\nkey = \"" + path("id.key") +
                "\"\n\n[[peer]]\nname = \"old-server\"\nfingerprint = \"" + fingerprint('b') +
                "\"\n\n[[peer.root]]\nname = \"vhosts\"\npath = \"/var/mail/vhosts\"\n\n[peer.root.owner]\n"
                "policy = \"map\"\nusers = { vmail = \"mail\", \"5000\" = 5001 }\n";
  }

  static std::string fingerprint(char digit) { return "sha256:" + std::string(64, digit); }

  std::string path(const std::string& name) const { return tree_.path() + "/" + name; }

  Result<Agent> read_agent_text(const std::string& text) {
    tree_.file("agent.toml", text);
    return read_agent(path("agent.toml"));
  }
  Result<Receiver> read_receiver_text(const std::string& text) {
    tree_.file("receiver.toml", text);
    return read_receiver(path("receiver.toml"));
  }

  /// The text with `from`, which must occur, replaced by `to`.
  static std::string changed(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) {
      ADD_FAILURE() << "no " << from << " in\n" << text;
      return text;
    }
    return text.replace(at, from.size(), to);
  }

  /// What is said about a text, without the directory of the file and of the key; "" when it is right.
  std::string about_agent(const std::string& text) { return sentence(read_agent_text(text)); }
  std::string about_receiver(const std::string& text) { return sentence(read_receiver_text(text)); }

  template <class T>
  std::string sentence(const Result<T>& result) const {
    if (result) return "";
    EXPECT_EQ(result.error().code, ErrorCode::config);
    std::string text = result.error().message();
    const std::string directory = tree_.path() + "/";
    EXPECT_TRUE(text.starts_with(directory)) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    for (std::size_t at = 0; (at = text.find(directory)) != std::string::npos;)
      text.erase(at, directory.size());
    return text;
  }

  testing::Tree tree_;
  std::string agent_, receiver_;
};

}  // namespace maildirsync::config
