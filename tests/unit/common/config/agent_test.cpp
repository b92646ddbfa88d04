#include <unistd.h>

#include "tests/unit/common/config/files.h"

namespace maildirsync::config {
namespace {

class AgentConfiguration : public Files {
 protected:
  std::string with(const std::string& from, const std::string& to) { return about_agent(changed(agent_, from, to)); }
};

TEST_F(AgentConfiguration, has_defaults_for_all_that_is_not_required) {
  const auto agent = read_agent_text(agent_);
  ASSERT_TRUE(agent) << agent.error().message();
  EXPECT_EQ(agent->file, path("agent.toml"));
  EXPECT_EQ(agent->receiver.text(), "new.example.org:4465");
  EXPECT_EQ(agent->state_dir, "/var/lib/agent");
  EXPECT_EQ(agent->control, "/run/maildirsync-agent/control.sock");
  EXPECT_EQ(agent->tls.key, path("id.key"));
  EXPECT_EQ(agent->tls.receiver_fingerprint, fingerprint('a'));
  ASSERT_EQ(agent->roots.size(), 1u);
  EXPECT_EQ(agent->roots[0].include, std::vector<std::string>{"*"});
  EXPECT_TRUE(agent->roots[0].exclude.empty());
  EXPECT_EQ(agent->roots[0].mode, Mode::mirror);
  EXPECT_EQ(agent->transfer.connections, 0u);
  EXPECT_EQ(agent->transfer.compression, Compression::automatic);
  EXPECT_EQ(agent->transfer.bandwidth_limit, 0u);
  EXPECT_EQ(agent->watch.backend, WatchBackend::automatic);
  EXPECT_EQ(agent->log.level, "info");
  EXPECT_FALSE(agent->metrics.listen);
}

TEST_F(AgentConfiguration, takes_every_key) {
  const auto agent = read_agent_text("control = \"/tmp/c\"\n" + agent_ +
                                     "include = [\"*@a.org\", \"b\"]\nexclude = [\n  \"spam@*\",\n]\nmode = \"drain\"\n"
                                     "[[root]]\nname = \"second\"\npath = \"/home\"\naccounts = \"%u\"\n"
                                     "[transfer]\nconnections = 64\ncompression = 19\nbandwidth_limit = \"20MiB/s\"\n"
                                     "[watch]\nbackend = \"fanotify\"\n[log]\nlevel = \"debug\"\n"
                                     "[metrics]\nlisten = \"[::1]:9465\"\n");
  ASSERT_TRUE(agent) << agent.error().message();
  EXPECT_EQ(agent->control, "/tmp/c");
  ASSERT_EQ(agent->roots.size(), 2u);
  EXPECT_EQ(agent->roots[0].include, (std::vector<std::string>{"*@a.org", "b"}));
  EXPECT_EQ(agent->roots[0].exclude, std::vector<std::string>{"spam@*"});
  EXPECT_EQ(agent->roots[0].mode, Mode::drain);
  EXPECT_EQ(agent->roots[1].name, "second");
  EXPECT_EQ(agent->transfer.connections, 64u);
  EXPECT_EQ(agent->transfer.compression, Compression::level);
  EXPECT_EQ(agent->transfer.level, 19);
  EXPECT_EQ(agent->transfer.bandwidth_limit, 20u * 1024 * 1024);
  EXPECT_EQ(agent->watch.backend, WatchBackend::fanotify);
  EXPECT_EQ(agent->log.level, "debug");
  EXPECT_EQ(agent->metrics.listen.value().text(), "[::1]:9465");
}

TEST_F(AgentConfiguration, a_door_has_its_directory_and_both_hosts) {
  const std::string head = "[door]\ndirectory = \"/d\"\nold_host = \"10.0.0.1\"\n";
  const auto agent = read_agent_text(agent_ + head + "new_host = \"new.example.org\"\nchanged = \"postmap x\"\n");
  ASSERT_TRUE(agent) << agent.error().message();
  ASSERT_TRUE(agent->door);
  EXPECT_EQ(agent->door->directory, "/d");
  EXPECT_EQ(agent->door->new_host, "new.example.org");
  EXPECT_EQ(agent->door->changed, "postmap x");
  EXPECT_FALSE(read_agent_text(agent_)->door);
  EXPECT_NE(about_agent(agent_ + head).find("new_host"), std::string::npos);
  EXPECT_NE(about_agent(agent_ + head + "new_host = \"a b\"\n").find("is not a host"), std::string::npos);
}

TEST_F(AgentConfiguration, a_schedule_is_a_list_of_times_with_their_bandwidth) {
  const auto agent = read_agent_text(agent_ + "[transfer]\nschedule = [\"mon-fri 08:00-18:00 5MiB/s\", \"sat 0\"]\n");
  ASSERT_TRUE(agent) << agent.error().message();
  ASSERT_EQ(agent->transfer.timetable.size(), 2u);
  EXPECT_EQ(agent->transfer.timetable[0].limit, 5u * 1024 * 1024);
  EXPECT_NE(about_agent(agent_ + "[transfer]\nschedule = [\"sometimes 5\"]\n").find("transfer.schedule"),
            std::string::npos);
}

TEST_F(AgentConfiguration, compression_is_a_level_or_a_word) {
  const auto compression = [this](const std::string& value) {
    const auto agent = read_agent_text(agent_ + "[transfer]\ncompression = " + value + "\n");
    return agent ? std::optional(agent->transfer.compression) : std::nullopt;
  };
  EXPECT_EQ(compression("\"off\""), Compression::off);
  EXPECT_EQ(compression("\"auto\""), Compression::automatic);
  EXPECT_EQ(compression("1"), Compression::level);
  for (const auto* value : {"0", "20", "-1", "\"3\"", "\"fast\"", "true", "1.5"}) {
    EXPECT_EQ(compression(value), std::nullopt) << value;
  }
  EXPECT_EQ(about_agent(agent_ + "[transfer]\ncompression = \"3\"\n"),
            "agent.toml:14: key \"transfer.compression\": \"3\" is not known here; write a level from 1 to 19 without "
            "quotes, \"auto\" or \"off\"");
}

TEST_F(AgentConfiguration, an_unknown_key_is_named_with_its_line_and_the_nearest_known_one) {
  EXPECT_EQ(with("state_dir", "stat_dir"), "agent.toml:2: unknown key \"stat_dir\"; did you mean \"state_dir\"?");
  EXPECT_EQ(with("[tls]", "[tsl]"), "agent.toml:4: unknown table \"tsl\"; did you mean \"tls\"?");
  EXPECT_EQ(with("[[root]]", "[[roots]]"), "agent.toml:9: unknown table \"roots\"; did you mean \"root\"?");
  EXPECT_EQ(with("accounts", "acounts"),
            "agent.toml:12: unknown key \"acounts\" in [[root]]; did you mean \"accounts\"?");
  EXPECT_EQ(about_agent(agent_ + "[log]\nfile = \"x\"\n"),
            "agent.toml:14: unknown key \"file\" in [log]; remove it, or write one of those known here: \"level\"");
}

TEST_F(AgentConfiguration, the_first_of_several_unknown_keys_is_named) {
  EXPECT_TRUE(about_agent("zebra = 1\napple = 1\n" + agent_).starts_with("agent.toml:1: unknown key \"zebra\"; "));
}

TEST_F(AgentConfiguration, a_required_key_that_is_missing_is_named_with_its_table) {
  EXPECT_EQ(with("receiver = \"new.example.org:4465\"\n", ""),
            "agent.toml: the required key \"receiver\" is missing; add a line such as receiver = "
            "\"new.example.org:4465\" above the first table");
  EXPECT_EQ(with("path = \"/var/mail/vhosts\"\n", ""),
            "agent.toml:9: the table [[root]] lacks the required key \"path\"; add a line such as path = "
            "\"/var/mail/vhosts\" below its header");
  EXPECT_EQ(about_agent("receiver = \"a:1\"\n"),
            "agent.toml: the table [tls] with the required key \"certificate\" is missing; add the table with a line "
            "such as certificate = \"/etc/maildirsync/agent.crt\"");
  for (const auto* key : {"certificate", "key", "receiver_fingerprint", "name", "accounts"}) {
    EXPECT_NE(with("\n" + std::string(key) + " =", "\n#").find("required key \"" + std::string(key) + "\""),
              std::string::npos)
        << key;
  }
}

TEST_F(AgentConfiguration, a_value_of_another_type_is_named_with_its_line) {
  EXPECT_EQ(with("\"/var/lib/agent\"", "42"),
            "agent.toml:2: key \"state_dir\": its value is a number; write a text in double quotes");
  EXPECT_EQ(with("\"vhosts\"", "[]"),
            "agent.toml:10: key \"root.name\": its value is a list; write a text in double quotes");
  EXPECT_EQ(
      with("[[root]]", "[root]"),
      "agent.toml:9: key \"root\": its value is a table; write a table [[root]], in two pairs of brackets, for each "
      "one");
  EXPECT_EQ(with("[tls]", "[[tls]]"),
            "agent.toml:4: key \"tls\": its value is a list of tables; write it once, as a table [tls]");
  EXPECT_EQ(about_agent("log = \"info\"\n" + agent_),
            "agent.toml:1: key \"log\": its value is a text; write it once, as a table [log]");
  for (const auto* line :
       {"include = \"*\"", "include = [1]", "include = [\"a\", [\"b\"]]", "exclude = {}", "mode = 1"}) {
    EXPECT_TRUE(about_agent(agent_ + line + "\n").starts_with("agent.toml:13: key \"root.")) << line;
  }
  for (const auto* line : {"connections = \"4\"", "connections = 1.0", "bandwidth_limit = 0", "compression = []"}) {
    EXPECT_TRUE(about_agent(agent_ + "[transfer]\n" + line + "\n").starts_with("agent.toml:14: key \"transfer."))
        << line;
  }
}

TEST_F(AgentConfiguration, a_wrong_value_is_named_with_its_line) {
  EXPECT_EQ(with("\"/var/mail/vhosts\"", "\"relative/path\""),
            "agent.toml:11: key \"root.path\": \"relative/path\" is not an absolute path; write one that begins with "
            "\"/\"");
  const auto begins = [this](const std::string& from, const std::string& to, const std::string& expected) {
    const std::string said = with(from, to);
    EXPECT_TRUE(said.starts_with(expected)) << said;
  };
  begins("new.example.org:4465", "localhost", "agent.toml:1: key \"receiver\": \"localhost\" names no port; write ");
  begins("/var/lib/agent", "lib", "agent.toml:2: key \"state_dir\": \"lib\" ");
  begins(path("id.crt"), "id.crt", "agent.toml:5: key \"tls.certificate\": \"id.crt\" ");
  begins(fingerprint('a'), "sha256:12", "agent.toml:7: key \"tls.receiver_fingerprint\": \"sha256:12\" ");
  begins("\"vhosts\"", "\"\"", "agent.toml:10: key \"root.name\": \"\" ");
  begins("%d/%n/Maildir", "%q/Maildir", "agent.toml:12: key \"root.accounts\": the layout \"%q/Maildir\" ");
  begins("%d/%n/Maildir", "../%n", "agent.toml:12: key \"root.accounts\": the layout \"../%n\" ");

  const auto extra = [this](const std::string& lines, const std::string& key) {
    const std::string said = about_agent(agent_ + lines + "\n");
    EXPECT_TRUE(said.starts_with("agent.toml:14: key \"" + key + "\": ")) << said;
  };
  extra("[transfer]\nconnections = 65", "transfer.connections");
  extra("[transfer]\nconnections = -1", "transfer.connections");
  extra("[transfer]\nbandwidth_limit = \"fast\"", "transfer.bandwidth_limit");
  extra("[watch]\nbackend = \"kqueue\"", "watch.backend");
  extra("[log]\nlevel = \"verbose\"", "log.level");
  extra("[metrics]\nlisten = \"9465\"", "metrics.listen");
}

TEST_F(AgentConfiguration, there_is_at_least_one_root) {
  EXPECT_TRUE(about_agent(agent_.substr(0, agent_.find("[[root]]"))).starts_with("agent.toml: there is no [[root]]; "));
}

TEST_F(AgentConfiguration, two_roots_have_two_names) {
  EXPECT_EQ(about_agent(agent_ + agent_.substr(agent_.find("[[root]]"))),
            "agent.toml:14: key \"root.name\": \"vhosts\" is already that of the root in line 10; give each root its "
            "own");
}

TEST_F(AgentConfiguration, what_is_no_toml_is_named_with_its_line) {
  EXPECT_TRUE(with("\"/var/lib/agent\"", "").starts_with("agent.toml:2: this is no TOML ("));
  EXPECT_TRUE(with("[tls]", "[tls").starts_with("agent.toml:4: this is no TOML ("));
  EXPECT_TRUE(with("\n\n[tls]", "\nstate_dir = \"/x\"\n[tls]").starts_with("agent.toml:3: this is no TOML ("));
}

TEST_F(AgentConfiguration, a_file_that_is_not_there_is_named) {
  EXPECT_EQ(sentence(read_agent(path("none.toml"))),
            "none.toml: the configuration can't be read (No such file or directory); put it there, let this user read "
            "it, or name another file with --config");
  EXPECT_NE(sentence(read_agent(path(""))), "");
}

TEST_F(AgentConfiguration, certificate_and_key_are_there) {
  tree_.remove("id.crt");
  EXPECT_EQ(about_agent(agent_),
            "agent.toml:5: key \"tls.certificate\": id.crt can't be read (No such file or directory); make it with "
            "`maildirsync keygen` or name the right file");
  tree_.directory("id.crt");
  EXPECT_TRUE(about_agent(agent_).starts_with("agent.toml:5: key \"tls.certificate\": id.crt is not a file; "));
  tree_.remove("id.crt").file("id.crt").remove("id.key").fifo("id.key");
  EXPECT_TRUE(about_agent(agent_).starts_with("agent.toml:6: key \"tls.key\": id.key is not a file; "));
}

TEST_F(AgentConfiguration, the_key_is_readable_by_nobody_else) {
  for (const mode_t mode : {0644, 0604, 0660, 0620, 0601}) {
    tree_.mode("id.key", mode);
    const std::string said = about_agent(agent_);
    EXPECT_TRUE(said.starts_with("agent.toml:6: key \"tls.key\": id.key has the mode 0")) << said;
    EXPECT_TRUE(said.ends_with("; run: chmod 600 id.key")) << said;
  }
  tree_.mode("id.key", 0400);
  EXPECT_EQ(about_agent(agent_), "");
}

TEST_F(AgentConfiguration, no_group_may_read_a_key) {
  tree_.mode("id.key", 0640);
  const std::string said = about_agent(agent_);
  EXPECT_TRUE(said.starts_with("agent.toml:6: key \"tls.key\": id.key has the mode 0640")) << said;
}

TEST_F(AgentConfiguration, a_key_is_roots_or_the_services) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(::chown(path("id.key").c_str(), 54321, 0), 0);
  const std::string said = about_agent(agent_);
  EXPECT_TRUE(said.starts_with("agent.toml:6: key \"tls.key\": id.key belongs to the user 54321")) << said;
  EXPECT_TRUE(said.ends_with("; run: chown root id.key")) << said;
  tree_.directory("state");
  ASSERT_EQ(::chown(path("state").c_str(), 54321, 0), 0);
  EXPECT_EQ(about_agent(changed(agent_, "/var/lib/agent", path("state"))), "");
}

TEST_F(AgentConfiguration, not_everybody_may_write_it) {
  ASSERT_EQ(about_agent(agent_), "");
  tree_.mode("agent.toml", 0646);
  const std::string said = config::read_agent(path("agent.toml")).error().message();
  EXPECT_NE(said.find("agent.toml: anyone on this server may write to the configuration; run: chmod o-w"),
            std::string::npos)
      << said;
}

}  // namespace
}  // namespace maildirsync::config
