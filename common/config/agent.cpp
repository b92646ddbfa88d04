#include <utility>

#include "common/config/shared.h"
#include "common/config/values.h"
#include "common/maildir/layout.h"

namespace maildirsync::config {

namespace {

constexpr unsigned k_max_connections = 64;
constexpr int k_min_level = 1;
constexpr int k_max_level = 19;

void read_tls(const Section& top, const std::string& state_dir, AgentTls& tls) {
  const Section section = top.table("tls", {"certificate", "key", "receiver_fingerprint"});
  read_identity(section, "agent", state_dir, tls.certificate, tls.key);
  section.required_text("receiver_fingerprint", "sha256:...", tls.receiver_fingerprint, parse_fingerprint);
}

void read_list(const Section& section, std::string_view key, std::string& path, AccountList& list) {
  section.text(key, path, parse_absolute_path);
  if (path.empty()) return;
  auto found = read_account_list(path);
  if (!found) return section.wrong(key, found.error().message());
  list = std::move(*found);
}

/// A root with a list has the accounts of that list, and those of its globs if it has any.
void read_members(const Section& section, AgentRoot& root) {
  read_list(section, "include_file", root.include_file, root.included);
  read_list(section, "exclude_file", root.exclude_file, root.excluded);
  if (!root.include_file.empty()) root.include.clear();
  section.texts("include", root.include);
  section.texts("exclude", root.exclude);
}

void read_roots(const Section& top, std::vector<AgentRoot>& roots) {
  Unique names("root", "name");
  for (const Section& section : top.tables("root", {"name", "path", "accounts", "include", "include_file", "exclude",
                                                    "exclude_file", "mode", "owners", "removed_accounts"})) {
    AgentRoot root;
    section.required_text("name", "vhosts", root.name, parse_name);
    section.required_text("path", "/var/mail/vhosts", root.path, parse_absolute_path);
    section.required_text("accounts", "%d/%n/Maildir", root.accounts, parse_layout);
    read_members(section, root);
    section.text("mode", root.mode, parse_mode);
    section.text("owners", root.owners, parse_account_owners);
    section.text("removed_accounts", root.removed_accounts, parse_removed_accounts);
    names.check(section, root.name);
    roots.push_back(std::move(root));
  }
  if (roots.empty()) {
    top.findings().add(0,
                       "there is no [[root]]; add one, with the keys \"name\", \"path\" and \"accounts\", for each "
                       "tree that holds Maildirs");
  }
}

void read_compression(const Section& section, Transfer& transfer) {
  const char* remedy = "write a level from 1 to 19 without quotes, \"auto\" or \"off\"";
  const Value* value = section.find("compression");
  if (value == nullptr) return;
  if (value->kind == Value::Kind::integer) {
    if (value->integer < k_min_level || value->integer > k_max_level) {
      return section.wrong("compression", std::to_string(value->integer) + " is not a level; " + remedy);
    }
    transfer.compression = Compression::level;
    transfer.level = static_cast<int>(value->integer);
  } else if (value->kind != Value::Kind::text) {
    section.wrong_type(*value, remedy);
  } else if (value->text == "off") {
    transfer.compression = Compression::off;
  } else if (value->text != "auto") {
    section.wrong("compression", in_quotes(value->text) + " is not known here; " + remedy);
  }
}

void read_transfer(const Section& top, Transfer& transfer) {
  const Section section = top.table("transfer", {"connections", "compression", "bandwidth_limit", "schedule"});
  section.integer("connections", transfer.connections, 0, k_max_connections);
  read_compression(section, transfer);
  section.text("bandwidth_limit", transfer.bandwidth_limit, parse_rate);
  std::vector<std::string> spans;
  section.texts("schedule", spans);
  for (const auto& text : spans) {
    auto span = parse_span(text);
    if (!span) return section.wrong("schedule", span.error().detail);
    transfer.timetable.push_back(std::move(*span));
  }
}

void read_door(const Section& top, std::optional<Door>& door) {
  if (top.find("door") == nullptr) return;
  const Section section = top.table("door", {"directory", "old_host", "new_host", "changed"});
  Door read;
  section.required_text("directory", "/etc/maildirsync/door", read.directory, parse_absolute_path);
  section.required_text("old_host", "10.0.0.1", read.old_host, parse_host);
  section.required_text("new_host", "10.0.0.2", read.new_host, parse_host);
  section.text("changed", read.changed, [](const std::string& text) { return Result<std::string>(text); });
  door = std::move(read);
}

}  // namespace

bool takes(const AgentRoot& root, std::string_view account) {
  if (!root.included.contains(account) && !maildir::is_included(root.include, {}, account)) return false;
  return !root.excluded.contains(account) && maildir::is_included({"*"}, root.exclude, account);
}

Result<Agent> read_agent(const std::string& path) {
  MAILDIRSYNC_ASSIGN(const auto document, read_document(path));

  Agent agent;
  agent.file = path;
  Findings findings(path);
  const Section top(document, findings,
                    {"receiver", "state_dir", "control", "tls", "root", "transfer", "watch", "door", "log", "metrics"});
  top.required_text("receiver", "new.example.org:4465", agent.receiver, parse_endpoint);
  read_paths(top, agent.state_dir, agent.control);
  read_tls(top, agent.state_dir, agent.tls);
  read_roots(top, agent.roots);
  read_transfer(top, agent.transfer);
  top.table("watch", {"backend"}).text("backend", agent.watch.backend, parse_watch_backend);
  read_door(top, agent.door);
  read_log(top, agent.log);
  read_metrics(top, agent.metrics);
  if (findings.first()) return Failure(*findings.first());
  return agent;
}

}  // namespace maildirsync::config
