#include "cli/setup/config_text.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "cli/setup/toml_lines.h"
#include "common/config/config.h"

namespace maildirsync::cli {

namespace {

constexpr std::string_view k_writable = "ReadWritePaths=";

/// Lines that are only needed where the service's own places are not used.
std::string own_places(const Places& places, Role role) {
  const Places usual = places_of(role, "", "");
  std::string text;
  if (places.state_dir != usual.state_dir) text += "state_dir = " + toml_text(places.state_dir) + "\n";
  if (places.control != usual.control) text += "control   = " + toml_text(places.control) + "\n";
  return text;
}

std::string comment(const std::string& text) {
  return text.empty() ? "" : "# " + text + "\n";
}

bool is_home(const std::string& path) {
  for (const std::string_view home : {"/home", "/root", "/run/user"}) {
    if (path == home || path.starts_with(std::string(home) + "/")) return true;
  }
  return false;
}

/// As systemd.syntax(7) has it: a word in double quotes, % doubled.
std::string unit_word(const std::string& path) {
  std::string word;
  for (const char c : path) {
    if (c == '"' || c == '\\') word += '\\';
    if (c == '%') word += '%';
    word += c;
  }
  return word.find_first_of(" \t'\"\\;") == std::string::npos ? word : '"' + word + '"';
}

}  // namespace

std::string agent_text(const Places& places, const std::vector<ChosenRoot>& roots) {
  std::string text = fmt::format(R"(# {}: the old mail server. Written by `maildirsync setup agent`.
# Every key: maildirsync-agent.toml(5). After a change: maildirsync doctor, then systemctl reload maildirsync-agent.

# Where maildirsyncd listens on the new mail server; `maildirsync pair` puts it here.
#receiver = "new.example.org:4465"
{}
[tls]
certificate          = {}
key                  = {}
# What the receiver's key must be; `maildirsync pair` puts it here.
#receiver_fingerprint = "sha256:..."
)",
                                 places.config, own_places(places, Role::agent), toml_text(places.identity + ".crt"),
                                 toml_text(places.identity + ".key"));
  for (const auto& root : roots) {
    text += fmt::format(R"(
# A tree that holds accounts: %d is the domain, %n the local part, %u the whole name, * anything.
{}[[root]]
name     = {}
path     = {}
accounts = {}
#exclude = ["spamtrap@*"]
)",
                        comment(root.why), toml_text(root.name), toml_text(root.path), toml_text(root.accounts));
  }
  return text + R"(
#[transfer]
#compression     = "auto"
#bandwidth_limit = "20MiB/s"

#[metrics]
#listen = "127.0.0.1:9465"
)";
}

std::string receiver_text(const Places& places, const std::string& listen) {
  return fmt::format(R"(# {}: the new mail server. Written by `maildirsync setup receiver`.
# Every key: maildirsync-receiver.toml(5). After a change: maildirsync doctor, then systemctl reload maildirsyncd.

# Where agents connect to; the firewall must let the old mail servers in.
listen = {}
{}
[tls]
certificate = {}
key         = {}

#[metrics]
#listen = "127.0.0.1:9466"

# `maildirsync pair` writes a file with a [[peer]] for each agent into {}.
# A new path also needs a line in {}, which it writes, too.
)",
                     places.config, toml_text(listen), own_places(places, Role::receiver),
                     toml_text(places.identity + ".crt"), toml_text(places.identity + ".key"),
                     config::peer_directory(places.config), places.dropin);
}

std::string dropin_text(const std::vector<std::string>& paths) {
  std::string text =
      R"(# Where maildirsyncd may write: written by `maildirsync setup` and `maildirsync pair` from the paths in receiver.toml.
# After a change by hand: systemctl daemon-reload && systemctl restart maildirsyncd
)";
  if (paths.empty()) return text;
  text += "[Unit]\n";
  for (const auto& path : paths)
    text += "RequiresMountsFor=" + unit_word(path) + '\n';
  text += "\n[Service]\n";
  for (const auto& path : paths)
    text += std::string(k_writable) + unit_word(path) + '\n';
  if (std::any_of(paths.begin(), paths.end(), is_home)) text += "ProtectHome=read-only\n";
  return text;
}

std::vector<std::string> dropin_paths(const std::string& text) {
  std::vector<std::string> paths;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(k_writable)) continue;
    std::string word = line.substr(k_writable.size());
    const bool quoted = word.size() >= 2 && word.front() == '"' && word.back() == '"';
    if (quoted) word = word.substr(1, word.size() - 2);
    std::string path;
    for (std::size_t i = 0; i < word.size(); ++i) {
      if ((word[i] == '\\' || word[i] == '%') && i + 1 < word.size()) ++i;
      path += word[i];
    }
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

}  // namespace maildirsync::cli
