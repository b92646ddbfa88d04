#include "cli/setup/toml_lines.h"

#include <algorithm>

#include <fmt/format.h>

namespace maildirsync::cli {

using config::Value;

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::size_t skip_blanks(const std::string& line, std::size_t at) {
  while (at < line.size() && is_blank(line[at]))
    ++at;
  return at;
}

Value* find(Value& table, const std::string& key) {
  const auto found = std::find_if(table.items.begin(), table.items.end(), [&](const Value& i) { return i.key == key; });
  return found == table.items.end() ? nullptr : &*found;
}

}  // namespace

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

bool is_header(const std::string& line) {
  const std::size_t at = skip_blanks(line, 0);
  return at < line.size() && line[at] == '[';
}

bool is_empty_or_comment(const std::string& line) {
  const std::size_t at = skip_blanks(line, 0);
  return at == line.size() || line[at] == '#';
}

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

std::optional<std::string> uncommented(const std::string& line, const std::string& key) {
  const std::size_t sign = skip_blanks(line, 0);
  if (sign == line.size() || line[sign] != '#') return std::nullopt;
  const std::size_t name = skip_blanks(line, sign + 1);
  if (line.compare(name, key.size(), key) != 0) return std::nullopt;
  const std::size_t equals = skip_blanks(line, name + key.size());
  if (equals == line.size() || line[equals] != '=') return std::nullopt;
  return line.substr(0, sign) + line.substr(name);
}

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

bool is_same(const Value& left, const Value& right) {
  return left.kind == right.kind && left.key == right.key && left.text == right.text && left.integer == right.integer &&
         left.boolean == right.boolean && left.items.size() == right.items.size() &&
         std::all_of(left.items.begin(), left.items.end(), [&](const Value& item) {
           if (left.kind == Value::Kind::table) {  // whose items are sorted by their lines
             const Value* other = right.find(item.key);
             return other != nullptr && is_same(item, *other);
           }
           return is_same(item, right.items[static_cast<std::size_t>(&item - left.items.data())]);
         });
}

void erase_key(Value& table, const std::string& key) {
  std::erase_if(table.items, [&](const Value& item) { return item.key == key; });
}

Value without(Value document, const std::string& table, const std::string& key) {
  if (table.empty()) {
    erase_key(document, key);
  } else if (Value* inner = find(document, table)) {
    erase_key(*inner, key);
    if (inner->items.empty()) erase_key(document, table);
  }
  return document;
}

Failure by_hand(const std::string& file, const std::string& what) {
  return failure(ErrorCode::config, "", file + " is written in a way that can't be edited here; by hand: " + what);
}

}  // namespace maildirsync::cli
