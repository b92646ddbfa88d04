#include "common/maildir/uidlist.h"

#include <algorithm>
#include <charconv>

namespace maildirsync::maildir {

namespace {

std::optional<std::uint32_t> number_at(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = end == text.data() + text.size() || *end == ' ';
  if (error != std::errc{} || !whole) return std::nullopt;
  return value;
}

/// The number of a field such as " N17" of the header.
std::optional<std::uint32_t> field(std::string_view header, char letter) {
  for (std::size_t space = header.find(' '); space != std::string_view::npos; space = header.find(' ', space + 1)) {
    const auto rest = header.substr(space + 1);
    if (!rest.empty() && rest.front() == letter) return number_at(rest.substr(1));
  }
  return std::nullopt;
}

std::string with_next(const std::string& header, std::uint32_t next) {
  const auto at = header.find(" N");
  if (at == std::string::npos) return header;
  const auto end = std::min(header.find(' ', at + 1), header.size());
  return header.substr(0, at) + " N" + std::to_string(next) + header.substr(end);
}

}  // namespace

std::string_view name_in_line(std::string_view line) {
  const auto colon = line.find(" :");
  return colon == std::string_view::npos ? std::string_view() : line.substr(colon + 2);
}

std::optional<Uidlist> parse_uidlist(std::string_view text) {
  Uidlist list;
  const auto first = text.find('\n');
  if (first == std::string_view::npos || !text.starts_with("3 ")) return std::nullopt;
  list.header = text.substr(0, first);
  const auto validity = field(list.header, 'V');
  const auto next = field(list.header, 'N');
  if (!validity || !next) return std::nullopt;
  list.validity = *validity;
  list.next = *next;
  text.remove_prefix(first + 1);
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) break;  // half a line: its writer is at work, or was ended
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto uid = number_at(line);
    if (!uid || name_in_line(line).empty()) continue;
    list.lines.insert_or_assign(*uid, std::string(line));
    if (*uid >= list.next && *uid != UINT32_MAX) list.next = *uid + 1;
  }
  return list;
}

std::string format_uidlist(const Uidlist& list) {
  std::string text = with_next(list.header, list.next) + '\n';
  for (const auto& [uid, line] : list.lines)
    text += line + '\n';
  return text;
}

Reunion reunite(const std::optional<Uidlist>& now, const std::vector<Uidlist>& older,
                const std::set<std::string>& wanted) {
  Reunion reunion;
  if (!now && older.empty()) return reunion;
  reunion.list = now ? *now : older.front();
  for (const auto& [uid, line] : reunion.list.lines) {
    if (std::string name(name_in_line(line)); wanted.contains(name)) reunion.found.insert(std::move(name));
  }
  for (const auto& list : older) {
    if (list.validity != reunion.list.validity) continue;
    for (const auto& [uid, line] : list.lines) {
      std::string name(name_in_line(line));
      if (!wanted.contains(name) || reunion.found.contains(name)) continue;
      if (!reunion.list.lines.emplace(uid, line).second) continue;
      reunion.found.insert(std::move(name));
    }
    reunion.list.next = std::max(reunion.list.next, list.next);
  }
  return reunion;
}

}  // namespace maildirsync::maildir
