#include "common/config/document.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include <sys/stat.h>
#include <toml++/toml.h>

#include "common/config/config.h"
#include "common/os/directory.h"
#include "common/os/printable.h"

namespace maildirsync::config {

namespace {

constexpr std::size_t k_max_file = 1024 * 1024;

Value convert(const toml::node& node, unsigned line);

Value convert_table(const toml::table& table) {
  Value value;
  for (const auto& [key, node] : table) {
    value.items.push_back(convert(node, key.source().begin.line));
    value.items.back().key = key.str();
  }
  // The parser sorts by name.
  std::stable_sort(value.items.begin(), value.items.end(),
                   [](const Value& left, const Value& right) { return left.line < right.line; });
  return value;
}

Value convert_list(const toml::array& list) {
  Value value;
  for (const auto& node : list)
    value.items.push_back(convert(node, node.source().begin.line));
  return value;
}

Value convert(const toml::node& node, unsigned line) {
  Value value;
  if (const auto* table = node.as_table()) value = convert_table(*table);
  if (const auto* list = node.as_array()) value = convert_list(*list);
  if (const auto* text = node.as_string()) value.text = text->get();
  if (const auto* integer = node.as_integer()) value.integer = integer->get();
  if (const auto* boolean = node.as_boolean()) value.boolean = boolean->get();
  switch (node.type()) {
    case toml::node_type::none:
    case toml::node_type::table:
      value.kind = Value::Kind::table;
      break;
    case toml::node_type::array:
      value.kind = Value::Kind::list;
      break;
    case toml::node_type::string:
      value.kind = Value::Kind::text;
      break;
    case toml::node_type::integer:
      value.kind = Value::Kind::integer;
      break;
    case toml::node_type::floating_point:
      value.kind = Value::Kind::fraction;
      break;
    case toml::node_type::boolean:
      value.kind = Value::Kind::boolean;
      break;
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      value.kind = Value::Kind::time;
      break;
  }
  value.line = line;
  return value;
}

}  // namespace

const Value* Value::find(std::string_view name) const {
  const auto found = std::find_if(items.begin(), items.end(), [name](const Value& item) { return item.key == name; });
  return found == items.end() ? nullptr : &*found;
}

Error complaint(const std::string& file, unsigned line, const std::string& sentence) {
  const std::string place = line == 0 ? file : file + ":" + std::to_string(line);
  return Error{ErrorCode::config, "", os::printable(place + ": " + sentence), 0};
}

Result<Value> read_document(const std::string& file) {
  const auto text = os::read_file(file, k_max_file);
  if (!text) {
    const Error& error = text.error();
    const std::string reason = error.error_number != 0 ? std::strerror(error.error_number) : error.detail;
    return Failure(complaint(file, 0,
                             "the configuration can't be read (" + reason +
                                 "); put it there, let this user read it, or name another file with --config"));
  }
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & S_IWOTH) != 0) {
    return Failure(complaint(file, 0, "anyone on this server may write to the configuration; run: chmod o-w " + file));
  }
  return parse_document(*text, file);
}

Result<Value> parse_document(const std::string& text, const std::string& file) {
  try {
    const toml::table table = toml::parse(std::string_view(text), std::string_view(file));
    return convert(table, 0);
  } catch (const toml::parse_error& error) {
    return Failure(complaint(file, error.source().begin.line,
                             "this is no TOML (" + std::string(error.description()) +
                                 "); mend the line, and remember that texts stand in double quotes"));
  }
}

std::string digest_of_file(const std::string& file) {
  auto files = peer_files(file).value_or(std::vector<std::string>());
  files.insert(files.begin(), file);
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a: nobody forges a collision against himself
  for (const auto& one : files) {
    const auto text = os::read_file(one, k_max_file);
    if (!text) return "";
    try {
      std::ostringstream values;
      values << toml::parse(std::string_view(*text));
      for (const char c : values.str()) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3ULL;
      }
    } catch (const toml::parse_error&) {
      return "";
    }
  }
  std::ostringstream digits;
  digits << std::hex << hash;
  return digits.str();
}

}  // namespace maildirsync::config
