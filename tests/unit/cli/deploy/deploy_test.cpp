#include <string>

#include <gtest/gtest.h>

#include "cli/deploy/bundle.h"
#include "cli/deploy/old_server.h"
#include "cli/deploy/scripts.h"
#include "cli/deploy/steps.h"
#include "cli/deploy/tunnel.h"

namespace maildirsync::cli {
namespace {

const std::string k_prefix = "/opt/maildirsync";

OldServer good_server() {
  OldServer server;
  server.is_root = true;
  server.architecture = "x86_64";
  server.kernel = "3.10.0-1160.el7.x86_64";
  server.place = "/opt";
  server.writable = true;
  server.free_kib = 1'000'000;
  server.staging_free_kib = 1'000'000;
  return server;
}

const BundleName k_bundle{"1.2.0", "x86_64", 30'000};

std::string why_not(const std::function<void(OldServer&)>& change) {
  OldServer server = good_server();
  change(server);
  return obstacle(server, k_bundle, k_prefix).value_or("");
}

std::string words_of(const OldServer& server, const DeployWishes& wishes, bool here_configured) {
  std::string words;
  for (const auto& planned : plan_deploy(server, k_bundle, wishes, here_configured, "old", k_prefix))
    words += planned.sentence.substr(0, planned.sentence.find(' ')) + " ";
  return words;
}

TEST(OldServer, is_what_the_script_prints) {
  const auto server = parse_old_server(
      "uid 1000\nsudo yes\narchitecture x86_64\nkernel 3.10.0\nsystem CentOS Linux 7 (Core)\nlibc glibc 2.17\n"
      "init systemd 219\nplace /opt\nwritable yes\nnoexec yes\nfree 12\nstaging 34\npackage 0.9\nbundle 0.8\n"
      "receiver yes\nconfig yes\nstate yes\nmissing tar\nmail Postfix\nmail Dovecot 2.2\nlooked yes\n");
  ASSERT_TRUE(server);
  EXPECT_FALSE(server->is_root);
  EXPECT_TRUE(server->has_sudo && server->writable && server->no_exec && server->has_receiver && server->has_config &&
              server->has_state);
  EXPECT_EQ(server->system, "CentOS Linux 7 (Core)");
  EXPECT_EQ(server->free_kib, 12U);
  EXPECT_EQ(server->staging_free_kib, 34U);
  EXPECT_EQ(server->package + " " + server->bundle, "0.9 0.8");
  EXPECT_EQ(server->missing, std::vector<std::string>{"tar"});
  EXPECT_EQ(server->mail, (std::vector<std::string>{"Postfix", "Dovecot 2.2"}));
}

TEST(OldServer, is_not_known_by_half_of_it) {
  EXPECT_FALSE(parse_old_server("uid 0\narchitecture x86_64\n"));
  EXPECT_FALSE(parse_old_server(""));
}

TEST(Obstacle, is_none_on_a_good_server) {
  EXPECT_EQ(why_not([](OldServer&) {}), "");
  EXPECT_EQ(why_not([](OldServer& server) { server.is_root = false, server.has_sudo = true; }), "");
  EXPECT_EQ(why_not([](OldServer& server) { server.kernel = "not a number"; }), "");
}

TEST(Obstacle, names_what_is_in_the_way_and_what_to_do) {
  EXPECT_NE(why_not([](OldServer& server) { server.is_root = false; }).find("sudo without a password"),
            std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.kernel = "2.6.32-754.el6.x86_64"; }).find("older than 3.10"),
            std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.architecture = "aarch64"; }).find("bundle for aarch64"),
            std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.missing = {"tar"}; }).find("tar"), std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.writable = false; }).find("read-only"), std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.no_exec = true; }).find("noexec"), std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.free_kib = 1; }).find("make room"), std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.staging_free_kib = 1; }).find("/var/lib"), std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.has_receiver = true; }).find("serves a receiver"),
            std::string::npos);
  EXPECT_NE(why_not([](OldServer& server) { server.package = "1.1.0"; }).find("remove it"), std::string::npos);
}

TEST(Obstacle, is_none_where_the_same_release_is_a_package) {
  EXPECT_EQ(why_not([](OldServer& server) { server.package = "1.2.0", server.architecture = "aarch64"; }), "");
}

TEST(DeploySteps, have_the_receiver_know_the_agent_before_that_one_starts) {
  EXPECT_EQ(words_of(good_server(), {}, false), "install write write make make start check check ");
  EXPECT_EQ(words_of(good_server(), {.paused = true, .tunnel = true}, true),
            "install write make keep pause start check check ");
}

TEST(DeploySteps, of_a_second_run_repair_or_upgrade) {
  OldServer server = good_server();
  server.has_config = true;
  server.bundle = "1.2.0";
  EXPECT_EQ(words_of(server, {}, true), "repair keep make make start check check ");
  server.bundle = "1.1.0";
  EXPECT_EQ(words_of(server, {}, true), "bring keep make make start check check ");
  server.package = "1.2.0";
  EXPECT_EQ(words_of(server, {}, true), "keep make make start check check ");
}

TEST(BundleName, is_that_of_its_first_entry) {
  const auto name = parse_bundle_name("maildirsync-1.2.0-rc1-x86_64/");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->version, "1.2.0-rc1");
  EXPECT_EQ(name->architecture, "x86_64");
  for (const char* wrong :
       {"", "maildirsync-1.2.0-x86_64", "maildirsync-/", "maildirsync-1/", "other-1-x86_64/", "maildirsync-1.2.0-/"})
    EXPECT_FALSE(parse_bundle_name(wrong)) << wrong;
}

TEST(Prefix, has_nothing_that_a_shell_takes_for_something_else) {
  EXPECT_TRUE(is_good_prefix("/srv/mail-tools/maildirsync_1.2"));
  for (const char* wrong : {"", "/", "opt", "/opt/", "/opt/a b", "/opt/$(x)", "/opt/'", "/opt/../x", "/opt/a\nb"})
    EXPECT_FALSE(is_good_prefix(wrong)) << wrong;
}

TEST(Scripts, quote_what_is_given) {
  EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
  EXPECT_NE(configure_script("/m", {"--root", "a b'c"}).find("'a b'\\''c'"), std::string::npos);
  EXPECT_EQ(install_line(k_prefix).find('\''), std::string::npos);
}

TEST(Tunnel, leads_from_the_loopback_there_to_where_the_receiver_listens) {
  const auto tunnel = make_tunnel({"ssh", "-p", "22"}, "root@old.example.org", {"0.0.0.0", 4465});
  EXPECT_EQ(tunnel.name, "maildirsync-tunnel-old.example.org");
  EXPECT_EQ(tunnel.command.back(), "root@old.example.org");
  const auto unit = tunnel_unit(tunnel, "root@old.example.org");
  EXPECT_NE(unit.find("\"-R\" \"127.0.0.1:4465:127.0.0.1:4465\""), std::string::npos) << unit;
  EXPECT_NE(tunnel_unit({"t", {"/s", "a%b\"c$d"}}, "o").find("\"a%%b\\\"c$$d\""), std::string::npos);
}

TEST(Tunnel, has_a_name_that_is_a_file_name) {
  EXPECT_EQ(tunnel_name("root@[2001:db8::1]"), "maildirsync-tunnel-_2001_db8__1_");
  EXPECT_EQ(tunnel_name("../../x"), "maildirsync-tunnel-.._.._x");
}

}  // namespace
}  // namespace maildirsync::cli
