#include "cli/setup/toml_edit.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "common/config/document.h"

namespace maildirsync::cli {

namespace {

using config::Value;

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string join_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines)
    text += line + '\n';
  return text;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::size_t skip_blanks(const std::string& line, std::size_t at) {
  while (at < line.size() && is_blank(line[at]))
    ++at;
  return at;
}

bool is_header(const std::string& line) {
  const std::size_t at = skip_blanks(line, 0);
  return at < line.size() && line[at] == '[';
}

bool is_empty_or_comment(const std::string& line) {
  const std::size_t at = skip_blanks(line, 0);
  return at == line.size() || line[at] == '#';
}

/// Where the value of "key = value # comment" begins and ends; nothing when it goes on in the next line or is no plain
/// value.
std::optional<std::pair<std::size_t, std::size_t>> value_span(const std::string& line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos) return std::nullopt;
  const std::size_t begin = skip_blanks(line, equals + 1);
  if (begin == line.size()) return std::nullopt;
  const char first = line[begin];
  if (first == '[' || first == '{' || line.compare(begin, 3, "\"\"\"") == 0 || line.compare(begin, 3, "'''") == 0)
    return std::nullopt;
  std::size_t end = begin + 1;
  if (first == '"' || first == '\'') {
    while (end < line.size() && line[end] != first)
      end += first == '"' && line[end] == '\\' ? 2 : 1;
    if (end >= line.size()) return std::nullopt;
    return std::pair(begin, end + 1);
  }
  while (end < line.size() && !is_blank(line[end]) && line[end] != '#')
    ++end;
  return std::pair(begin, end);
}

/// "#key = …" with the comment sign taken off; nothing for any other line.
std::optional<std::string> uncommented(const std::string& line, const std::string& key) {
  const std::size_t sign = skip_blanks(line, 0);
  if (sign == line.size() || line[sign] != '#') return std::nullopt;
  const std::size_t name = skip_blanks(line, sign + 1);
  if (line.compare(name, key.size(), key) != 0) return std::nullopt;
  const std::size_t equals = skip_blanks(line, name + key.size());
  if (equals == line.size() || line[equals] != '=') return std::nullopt;
  return line.substr(0, sign) + line.substr(name);
}

bool is_same(const Value& left, const Value& right) {
  return left.kind == right.kind && left.key == right.key && left.text == right.text && left.integer == right.integer &&
         left.items.size() == right.items.size() &&
         std::all_of(left.items.begin(), left.items.end(), [&](const Value& item) {
           if (left.kind == Value::Kind::table) {  // whose items are sorted by their lines
             const Value* other = right.find(item.key);
             return other != nullptr && is_same(item, *other);
           }
           return is_same(item, right.items[static_cast<std::size_t>(&item - left.items.data())]);
         });
}

void erase(Value& table, const std::string& key) {
  std::erase_if(table.items, [&](const Value& item) { return item.key == key; });
}

Value* find(Value& table, const std::string& key) {
  const auto found = std::find_if(table.items.begin(), table.items.end(), [&](const Value& i) { return i.key == key; });
  return found == table.items.end() ? nullptr : &*found;
}

Failure by_hand(const std::string& file, const std::string& what) {
  return failure(ErrorCode::config, "", file + " is written in a way that can't be edited here; by hand: " + what);
}

/// All but one key, for a comparison; a table that this leaves empty is none.
Value without(Value document, const std::string& table, const std::string& key) {
  if (table.empty()) {
    erase(document, key);
  } else if (Value* inner = find(document, table)) {
    erase(*inner, key);
    if (inner->items.empty()) erase(document, table);
  }
  return document;
}

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
      if (named != nullptr && named->text == name) erase(peer, key);
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

/// The first line behind a peer that is none of its own (counted from 0): at the next header that is not below it, or
/// the end, without the comment that stands before that header.
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

std::string toml_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

Result<std::string> set_text(const std::string& toml, const std::string& file, const std::string& table,
                             const std::string& key, const std::string& value) {
  const auto document = config::parse_document(toml, file);
  if (!document) return Failure(document.error());
  auto lines = split_lines(toml);
  const std::string wanted = key + " = " + toml_text(value);
  const auto refused = [&] { return by_hand(file, wanted + (table.empty() ? "" : " in [" + table + "]")); };

  const Value* holder = table.empty() ? &*document : document->find(table);
  const Value* found = holder == nullptr ? nullptr : holder->find(key);
  if (found != nullptr) {
    if (found->line == 0 || found->line > lines.size()) return refused();
    std::string& line = lines[found->line - 1];
    const auto span = value_span(line);
    if (!span) return refused();
    line.replace(span->first, span->second - span->first, toml_text(value));
  } else if (holder == nullptr) {
    lines.insert(lines.end(), {"", "[" + table + "]", wanted});
  } else {
    std::size_t begin = table.empty() ? 0 : holder->line;
    std::size_t end = begin;
    while (end < lines.size() && !is_header(lines[end]))
      ++end;
    bool done = false;
    for (std::size_t i = begin; i < end && !done; ++i) {
      auto line = uncommented(lines[i], key);
      const auto span = line ? value_span(*line) : std::nullopt;
      if (!span) continue;
      line->replace(span->first, span->second - span->first, toml_text(value));
      lines[i] = *line;
      done = true;
    }
    if (!done) {
      while (table.empty() && begin < end && is_empty_or_comment(lines[begin]))
        ++begin;
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(begin), wanted);
    }
  }

  const std::string edited = join_lines(lines);
  const auto after = config::parse_document(edited, file);
  if (!after || !is_same(without(*document, table, key), without(*after, table, key))) return refused();
  const Value* now = table.empty() ? &*after : after->find(table);
  now = now == nullptr ? nullptr : now->find(key);
  if (now == nullptr || now->kind != Value::Kind::text || now->text != value) return refused();
  return edited;
}

Result<std::string> add_peer(const std::string& toml, const std::string& file, const config::Peer& peer) {
  const auto before = config::parse_document(toml, file);
  if (!before) return Failure(before.error());
  auto lines = split_lines(toml);
  while (!lines.empty() && skip_blanks(lines.back(), 0) == lines.back().size())
    lines.pop_back();
  if (!lines.empty()) lines.push_back("");
  const auto more = peer_lines(peer);
  lines.insert(lines.end(), more.begin(), more.end());
  std::string edited = join_lines(lines);
  const auto after = config::parse_document(edited, file);
  const Value* old_peers = before->find("peer");
  const std::size_t old_count = old_peers == nullptr ? 0 : old_peers->items.size();
  const Value* peers = after ? after->find("peer") : nullptr;
  bool good = peers != nullptr && peers->items.size() == old_count + 1 &&
              is_same(without(*before, "", "peer"), without(*after, "", "peer"));
  for (std::size_t i = 0; good && i < old_count; ++i)
    good = is_same(old_peers->items[i], peers->items[i]);
  if (!good) return by_hand(file, "append\n" + join_lines(more));
  return edited;
}

Result<std::string> add_peer_root(const std::string& toml, const std::string& file, const std::string& peer,
                                  const config::PeerRoot& root) {
  const auto before = config::parse_document(toml, file);
  if (!before) return Failure(before.error());
  auto lines = split_lines(toml);
  const auto more = root_lines(root);
  const auto refused = [&] { return by_hand(file, "below [[peer]] " + peer + " add\n" + join_lines(more)); };
  const Value* found = peer_named(*before, peer);
  if (found == nullptr || found->line == 0 || found->line > lines.size()) return refused();
  const std::size_t end = end_of_peer(*before, *found, lines);
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(end), more.begin(), more.end());
  std::string edited = join_lines(lines);
  const auto after = config::parse_document(edited, file);
  if (!after || !only_differs_in_peer(*before, *after, peer, "root")) return refused();
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
  const auto before = config::parse_document(toml, file);
  if (!before) return Failure(before.error());
  auto lines = split_lines(toml);
  const auto refused = [&] {
    return by_hand(file, "fingerprint = " + toml_text(fingerprint) + " for the [[peer]] " + peer);
  };
  const Value* found = peer_named(*before, peer);
  const Value* old = found == nullptr ? nullptr : found->find("fingerprint");
  if (old == nullptr || old->line == 0 || old->line > lines.size()) return refused();
  std::string& line = lines[old->line - 1];
  const auto span = value_span(line);
  if (!span) return refused();
  line.replace(span->first, span->second - span->first, toml_text(fingerprint));
  std::string edited = join_lines(lines);
  const auto after = config::parse_document(edited, file);
  if (!after || !only_differs_in_peer(*before, *after, peer, "fingerprint")) return refused();
  const Value* now = peer_named(*after, peer)->find("fingerprint");
  if (now == nullptr || now->text != fingerprint) return refused();
  return edited;
}

}  // namespace maildirsync::cli
