#include "cli/setup/toml_edit.h"

#include "cli/setup/toml_lines.h"

namespace maildirsync::cli {

using config::Value;

Result<std::string> set_text(const std::string& toml, const std::string& file, const std::string& table,
                             const std::string& key, const std::string& value) {
  MAILDIRSYNC_ASSIGN(const auto document, config::parse_document(toml, file));
  auto lines = split_lines(toml);
  const std::string wanted = key + " = " + toml_text(value);
  const auto refused = [&] { return by_hand(file, wanted + (table.empty() ? "" : " in [" + table + "]")); };

  const Value* holder = table.empty() ? &document : document.find(table);
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
  if (!after || !is_same(without(document, table, key), without(*after, table, key))) return refused();
  const Value* now = table.empty() ? &*after : after->find(table);
  now = now == nullptr ? nullptr : now->find(key);
  if (now == nullptr || now->kind != Value::Kind::text || now->text != value) return refused();
  return edited;
}

}  // namespace maildirsync::cli
