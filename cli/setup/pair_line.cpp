#include "cli/setup/pair_line.h"

#include <charconv>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

#include "common/config/config.h"
#include "common/config/values.h"

namespace maildirsync::cli {

namespace {

constexpr std::string_view k_mark = "maildirsync-pair";
constexpr std::string_view k_version = "v1";
constexpr std::string_view k_root = "root=";
constexpr std::size_t k_longest = 64 * 1024;
constexpr std::string_view k_remedy = "; copy the whole line that `maildirsync pair` prints on the other server";

Failure wrong(const std::string& what) {
  return failure(ErrorCode::config, "", what + std::string(k_remedy));
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-/@").find(c) != std::string_view::npos;
}

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text)
    escaped += is_plain(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return escaped;
}

Result<std::string> unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    unsigned value = 0;
    const char* begin = text.data() + i + 1;
    if (i + 2 >= text.size()) return wrong("the line ends in the middle of a character");
    const auto [end, error] = std::from_chars(begin, begin + 2, value, 16);
    if (error != std::errc() || end != begin + 2) return wrong("the line holds a % without two hex digits");
    plain += static_cast<char>(value);
    i += 2;
  }
  return plain;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string format_owners(const OfferedRoot& root, const std::vector<OfferedOwner>& owners) {
  if (root.many_owners) return "*";
  std::string text;
  for (const auto& owner : owners)
    text += fmt::format("{}{}:{}", text.empty() ? "" : "+", escape(owner.name), owner.id);
  return text;
}

Result<std::vector<OfferedOwner>> parse_owners(std::string_view text) {
  std::vector<OfferedOwner> owners;
  if (text.empty() || text == "*") return owners;
  for (const auto part : split(text, '+')) {
    const std::size_t colon = part.rfind(':');
    OfferedOwner owner;
    if (colon == std::string_view::npos) return wrong("an owner in the line has no number");
    MAILDIRSYNC_ASSIGN(auto name, unescape(part.substr(0, colon)));
    if (!name.empty()) {
      if (auto good = config::parse_owner_name(name); !good) return wrong(good.error().detail);
    }
    owner.name = std::move(name);
    const char* last = part.data() + part.size();
    const auto [end, error] = std::from_chars(part.data() + colon + 1, last, owner.id);
    if (error != std::errc() || end != last) return wrong("an owner in the line has no number");
    owners.push_back(std::move(owner));
  }
  return owners;
}

Result<OfferedRoot> parse_root(std::string_view text) {
  const auto parts = split(text, ',');
  if (parts.size() != 4) return wrong("a root in the line has not four parts");
  OfferedRoot root;
  auto name = unescape(parts[0]);
  auto path = unescape(parts[1]);
  if (!name || !path) return Failure((name ? path : name).error());
  auto good_name = config::parse_name(*name);
  if (!good_name) return wrong("the name of a root in the line " + good_name.error().detail);
  auto good_path = config::parse_absolute_path(*path);
  if (!good_path) return wrong("the path of a root in the line " + good_path.error().detail);
  root.name = std::move(*good_name);
  root.path = std::move(*good_path);
  root.many_owners = parts[2] == "*" || parts[3] == "*";
  auto users = parse_owners(parts[2]);
  auto groups = parse_owners(parts[3]);
  if (!users || !groups) return Failure((users ? groups : users).error());
  root.users = std::move(*users);
  root.groups = std::move(*groups);
  return root;
}

/// The words of what was pasted; without quotes around the whole.
std::vector<std::string> words_of(std::string text) {
  std::erase_if(text, [](char c) { return c == '\'' || c == '"'; });
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;)
    words.push_back(std::move(word));
  return words;
}

}  // namespace

const char* role_word(Role role) {
  return role == Role::agent ? "agent" : "receiver";
}

std::string format_pair_line(const PairLine& line) {
  std::string text =
      fmt::format("{} {} {} {} {}", k_mark, k_version, role_word(line.role), line.address, line.fingerprint);
  for (const auto& root : line.roots) {
    text += fmt::format(" {}{},{},{},{}", k_root, escape(root.name), escape(root.path), format_owners(root, root.users),
                        format_owners(root, root.groups));
  }
  return text;
}

Result<PairLine> parse_pair_line(const std::string& text) {
  if (text.size() > k_longest) return wrong("what was given is much longer than such a line");
  auto words = words_of(text);
  // The whole command was pasted.
  if (words.size() > 2 && words[0] == "maildirsync" && words[1] == "pair")
    words.erase(words.begin(), words.begin() + 2);
  if (words.empty() || words[0] != k_mark) return wrong("what was given is no line of `maildirsync pair`");
  if (words.size() < 2 || words[1] != k_version) {
    return failure(ErrorCode::config, "",
                   "the line is of another version than v1; install the same release of maildirsync on both servers");
  }
  if (words.size() < 5) return wrong("the line is cut off");
  PairLine line;
  if (words[2] != "agent" && words[2] != "receiver") return wrong("the line names neither an agent nor a receiver");
  line.role = words[2] == "agent" ? Role::agent : Role::receiver;
  line.address = words[3];
  if (line.role == Role::receiver) {
    const auto endpoint = config::parse_endpoint(line.address);
    if (!endpoint) return wrong(endpoint.error().detail);
  } else if (const auto name = config::parse_name(line.address); !name) {
    return wrong(name.error().detail);
  }
  auto fingerprint = config::parse_fingerprint(words[4]);
  if (!fingerprint) return wrong("the fingerprint in the line is not whole");
  line.fingerprint = std::move(*fingerprint);
  for (std::size_t i = 5; i < words.size(); ++i) {
    if (!words[i].starts_with(k_root)) return wrong("the line goes on with " + config::in_quotes(words[i]));
    MAILDIRSYNC_ASSIGN(auto root, parse_root(std::string_view(words[i]).substr(k_root.size())));
    line.roots.push_back(std::move(root));
  }
  if (line.role == Role::agent && line.roots.empty()) return wrong("the agent's line names no root; it is cut off");
  return line;
}

}  // namespace maildirsync::cli
