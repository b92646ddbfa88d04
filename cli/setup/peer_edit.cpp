#include "cli/setup/peer_edit.h"

#include <algorithm>

#include "cli/setup/toml_lines.h"

namespace maildirsync::cli {

namespace {

using config::Value;

const Value* peer_named(const Value& document, const std::string& name) {
  const Value* peers = document.find("peer");
  if (peers == nullptr) return nullptr;
  for (const Value& peer : peers->items) {
    const Value* found = peer.find("name");
    if (found != nullptr && found->text == name) return &peer;
  }
  return nullptr;
}

/// The peers but one key of the named one, and all other tables, are as they were.
bool only_differs_in_peer(const Value& before, const Value& after, const std::string& name, const std::string& key) {
  if (!is_same(without(before, "", "peer"), without(after, "", "peer"))) return false;
  const auto peers = [&](const Value& document) {
    Value list = document.find("peer") == nullptr ? Value{} : *document.find("peer");
    for (Value& peer : list.items) {
      const Value* named = peer.find("name");
      if (named != nullptr && named->text == name) erase_key(peer, key);
    }
    return list;
  };
  return is_same(peers(before), peers(after));
}

std::string toml_key(const std::string& key) {
  const bool bare = !key.empty() && key.find_first_not_of(
                                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"
                                        "0123456789") == std::string::npos;
  // A bare number is a legal key, but reads like an index.
  const bool number = key.find_first_not_of("0123456789") == std::string::npos;
  return bare && !number ? key : toml_text(key);
}

std::string inline_table(const std::map<std::string, std::string>& values) {
  std::string text;
  for (const auto& [key, value] : values)
    text += (text.empty() ? " " : ", ") + toml_key(key) + " = " + toml_text(value);
  return text.empty() ? "{}" : "{" + text + " }";
}

std::string policy_word(config::OwnerPolicy policy) {
  switch (policy) {
    case config::OwnerPolicy::map:
      return "map";
    case config::OwnerPolicy::name:
      return "name";
    case config::OwnerPolicy::numeric:
      break;
  }
  return "numeric";
}

std::vector<std::string> root_lines(const config::PeerRoot& root) {
  std::vector<std::string> lines{"",
                                 "  [[peer.root]]",
                                 "  name = " + toml_text(root.name),
                                 "  path = " + toml_text(root.path),
                                 "",
                                 "    [peer.root.owner]",
                                 "    policy   = " + toml_text(policy_word(root.owner.policy))};
  if (root.owner.policy == config::OwnerPolicy::map) {
    lines.push_back("    users    = " + inline_table(root.owner.users) + "  # there = here");
    lines.push_back("    groups   = " + inline_table(root.owner.groups));
  }
  lines.push_back("    unmapped = " + toml_text(root.owner.unmapped));
  return lines;
}

std::vector<std::string> peer_lines(const config::Peer& peer) {
  std::vector<std::string> lines{"[[peer]]", "name        = " + toml_text(peer.name),
                                 "fingerprint = " + toml_text(peer.fingerprint)};
  for (const auto& root : peer.roots) {
    const auto more = root_lines(root);
    lines.insert(lines.end(), more.begin(), more.end());
  }
  return lines;
}

/// The first line after a peer's block (counted from 0): at the next header that is not below it, or the end, without
/// the comment that stands before that header.
std::size_t end_of_peer(const Value& document, const Value& peer, const std::vector<std::string>& lines) {
  std::size_t end = lines.size();
  const auto consider = [&](const Value& other) {
    if (other.line > peer.line) end = std::min<std::size_t>(end, other.line - 1);
  };
  for (const Value& item : document.items) {
    if (item.key != "peer") consider(item);
  }
  for (const Value& other : document.find("peer")->items)
    consider(other);
  while (end > peer.line && is_empty_or_comment(lines[end - 1]))
    --end;
  return end;
}

}  // namespace

std::string peer_text(const config::Peer& peer) {
  auto lines = peer_lines(peer);
  lines.insert(lines.begin(), "# Written by `maildirsync pair`; yours to change.");
  return join_lines(lines);
}

std::string peer_file_name(const std::string& peer) {
  std::string name;
  for (const char c : peer) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || (c == '.' && !name.empty());
    name += plain ? c : '_';
  }
  return name + ".toml";
}

Result<std::string> add_peer_root(const std::string& toml, const std::string& file, const std::string& peer,
                                  const config::PeerRoot& root) {
  MAILDIRSYNC_ASSIGN(const auto before, config::parse_document(toml, file));
  auto lines = split_lines(toml);
  const auto more = root_lines(root);
  const auto refused = [&] { return by_hand(file, "below [[peer]] " + peer + " add\n" + join_lines(more)); };
  const Value* found = peer_named(before, peer);
  if (found == nullptr || found->line == 0 || found->line > lines.size()) return refused();
  const std::size_t end = end_of_peer(before, *found, lines);
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(end), more.begin(), more.end());
  std::string edited = join_lines(lines);
  const auto after = config::parse_document(edited, file);
  if (!after || !only_differs_in_peer(before, *after, peer, "root")) return refused();
  const Value* roots = peer_named(*after, peer)->find("root");
  const Value* old_roots = found->find("root");
  const std::size_t old_count = old_roots == nullptr ? 0 : old_roots->items.size();
  bool good = roots != nullptr && roots->items.size() == old_count + 1;
  for (std::size_t i = 0; good && i < old_count; ++i)
    good = is_same(old_roots->items[i], roots->items[i]);
  if (!good) return refused();
  return edited;
}

Result<std::string> set_peer_fingerprint(const std::string& toml, const std::string& file, const std::string& peer,
                                         const std::string& fingerprint) {
  MAILDIRSYNC_ASSIGN(const auto before, config::parse_document(toml, file));
  auto lines = split_lines(toml);
  const auto refused = [&] {
    return by_hand(file, "fingerprint = " + toml_text(fingerprint) + " for the [[peer]] " + peer);
  };
  const Value* found = peer_named(before, peer);
  const Value* old = found == nullptr ? nullptr : found->find("fingerprint");
  if (old == nullptr || old->line == 0 || old->line > lines.size()) return refused();
  std::string& line = lines[old->line - 1];
  const auto span = value_span(line);
  if (!span) return refused();
  line.replace(span->first, span->second - span->first, toml_text(fingerprint));
  std::string edited = join_lines(lines);
  const auto after = config::parse_document(edited, file);
  if (!after || !only_differs_in_peer(before, *after, peer, "fingerprint")) return refused();
  const Value* now = peer_named(*after, peer)->find("fingerprint");
  if (now == nullptr || now->text != fingerprint) return refused();
  return edited;
}

}  // namespace maildirsync::cli
