#include "common/config/reader.h"

#include <algorithm>

#include "common/config/nearest.h"
#include "common/config/values.h"

namespace maildirsync::config {

namespace {

using Kind = Value::Kind;

const char* describe(Kind kind) {
  switch (kind) {
    case Kind::text:
      return "a text";
    case Kind::integer:
      return "a number";
    case Kind::fraction:
      return "a fraction";
    case Kind::boolean:
      return "true or false";
    case Kind::time:
      return "a date or time";
    case Kind::list:
      return "a list";
    case Kind::table:
      return "a table";
  }
  return "unknown";
}

/// [[name]] is a list of tables, and so is an empty list as far as anybody can tell.
bool is_list_of_tables(const Value& value) {
  return value.kind == Kind::list && std::all_of(value.items.begin(), value.items.end(),
                                                 [](const Value& item) { return item.kind == Kind::table; });
}

std::string known_names(const std::vector<std::string_view>& known) {
  std::string names;
  for (const auto name : known)
    names += (names.empty() ? "" : ", ") + in_quotes(name);
  return names;
}

}  // namespace

void Findings::add(unsigned line, const std::string& sentence) {
  if (!first_) first_ = complaint(file_, line, sentence);
}

Section::Section(const Value& top, Findings& findings, Known known) : Section(&top, findings, "", "", known) {}

Section::Section(const Value* table, Findings& findings, std::string path, std::string header, const Known& known)
    : table_(table), findings_(&findings), path_(std::move(path)), header_(std::move(header)) {
  if (table_ != nullptr) check_known(known);
}

Section Section::table(std::string_view key, Known known) const {
  const Value* value = find(key);
  const std::string path = path_of(key);
  const std::string header = "[" + path + "]";
  if (value != nullptr && value->kind != Kind::table) {
    wrong_type(*value, "write it once, as a table " + header);
    // Its own keys are not missing as well.
    static const Value k_empty;
    return Section(&k_empty, *findings_, path, header, {});
  }
  return Section(value, *findings_, path, header, known);
}

std::vector<Section> Section::tables(std::string_view key, const Known& known) const {
  std::vector<Section> sections;
  const Value* value = find(key);
  if (value == nullptr) return sections;
  const std::string path = path_of(key);
  const std::string header = "[[" + path + "]]";
  if (!is_list_of_tables(*value)) {
    wrong_type(*value, "write a table " + header + ", in two pairs of brackets, for each one");
    return sections;
  }
  for (const Value& item : value->items)
    sections.push_back(Section(&item, *findings_, path, header, known));
  return sections;
}

const Value* Section::find(std::string_view key) const {
  return table_ == nullptr ? nullptr : table_->find(key);
}

void Section::texts(std::string_view key, std::vector<std::string>& target) const {
  const Value* value = find(key);
  if (value == nullptr) return;
  const auto is_text = [](const Value& item) { return item.kind == Kind::text; };
  if (value->kind != Kind::list || !std::all_of(value->items.begin(), value->items.end(), is_text)) {
    return wrong_type(*value, "write a list of nothing but texts, such as [\"*\"]");
  }
  target.clear();
  for (const Value& item : value->items)
    target.push_back(item.text);
}

void Section::integer(std::string_view key, unsigned& target, unsigned least, unsigned most) const {
  const Value* value = find(key);
  if (value == nullptr) return;
  const std::string remedy = "write a number from " + std::to_string(least) + " to " + std::to_string(most);
  if (value->kind != Kind::integer) return wrong_type(*value, remedy + " without quotes");
  if (value->integer < least || value->integer > most) {
    return wrong(key, std::to_string(value->integer) + " is out of its range; " + remedy);
  }
  target = static_cast<unsigned>(value->integer);
}

void Section::flag(std::string_view key, bool& target) const {
  const Value* value = find(key);
  if (value == nullptr) return;
  if (value->kind != Kind::boolean) return wrong_type(*value, "write true or false, without quotes");
  target = value->boolean;
}

void Section::wrong(std::string_view key, const std::string& sentence) const {
  const Value* value = find(key);
  findings_->add(value == nullptr ? line() : value->line, "key " + in_quotes(path_of(key)) + ": " + sentence);
}

void Section::wrong_type(const Value& value, const std::string& remedy) const {
  const bool tables = is_list_of_tables(value) && !value.items.empty();
  wrong(value.key, std::string("its value is ") + describe(value.kind) + (tables ? " of tables; " : "; ") + remedy);
}

bool Section::is_text(const Value& value) const {
  if (value.kind == Kind::text) return true;
  wrong_type(value, "write a text in double quotes");
  return false;
}

void Section::missing(std::string_view key, std::string_view example) const {
  const std::string remedy = std::string(key) + " = " + in_quotes(example);
  if (header_.empty()) {
    return findings_->add(0, "the required key " + in_quotes(key) + " is missing; add a line such as " + remedy +
                                 " above the first table");
  }
  if (table_ == nullptr) {
    return findings_->add(0, "the table " + header_ + " with the required key " + in_quotes(key) +
                                 " is missing; add the table with a line such as " + remedy);
  }
  findings_->add(line(), "the table " + header_ + " lacks the required key " + in_quotes(key) +
                             "; add a line such as " + remedy + " below its header");
}

void Section::check_known(const Known& known) const {
  for (const Value& item : table_->items) {
    if (std::find(known.begin(), known.end(), item.key) != known.end()) continue;
    const bool is_table = item.kind == Kind::table || (is_list_of_tables(item) && !item.items.empty());
    std::string sentence = std::string("unknown ") + (is_table ? "table " : "key ") + in_quotes(item.key);
    if (!header_.empty()) sentence += " in " + header_;
    Known candidates = known;
    sort_by_distance(candidates, item.key);
    const bool mistyped = !candidates.empty() && is_like(item.key, candidates.front());
    sentence += mistyped ? "; did you mean " + in_quotes(candidates.front()) + "?"
                         : "; remove it, or write one of those known here: " + known_names(candidates);
    return findings_->add(item.line, sentence);
  }
}

std::string Section::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

}  // namespace maildirsync::config
