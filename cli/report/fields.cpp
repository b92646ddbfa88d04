#include "cli/report/fields.h"

#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

const Json* find(const Json& object, const char* key) {
  const auto found = object.find(key);  // end() when it is not an object
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::string text_of(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_string() ? os::printable(value->get_ref<const std::string&>()) : "";
}

std::optional<double> number_of(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

std::uint64_t count_of(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) return 0;
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  if (!value->is_number()) return 0;
  const auto number = value->get<double>();
  return number >= 0 && number < 1e19 ? static_cast<std::uint64_t>(number) : 0;
}

bool flag_of(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

const Json& list_of(const Json& object, const char* key) {
  static const Json empty = Json::array();
  const Json* value = find(object, key);
  return value != nullptr && value->is_array() ? *value : empty;
}

const Json& object_of(const Json& object, const char* key) {
  static const Json empty = Json::object();
  const Json* value = find(object, key);
  return value != nullptr && value->is_object() ? *value : empty;
}

std::string left_out_text(const Json& left_out) {
  std::string text;
  for (const char* key : {"root", "account", "path", "detail"}) {
    const std::string value = text_of(left_out, key);
    if (!value.empty()) text += (text.empty() ? "" : ": ") + value;
  }
  return text;
}

std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace maildirsync::cli
