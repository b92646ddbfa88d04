#include "common/os/marker.h"

#include <charconv>

#include <fcntl.h>

namespace maildirsync::os {

namespace {

constexpr std::size_t k_longest = 4096;
constexpr std::string_view k_digits = "0123456789abcdef";
constexpr std::string_view k_head =
    "maildirsyncd knows this directory again by this file: do not change, copy or remove it.\n";
constexpr std::string_view k_id = "id ", k_counter = "counter ", k_former = "former ";

/// Takes "WORD value\n" off the text.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view word) {
  const auto end = text.find('\n');
  if (!text.starts_with(word) || end == std::string_view::npos) return std::nullopt;
  const auto value = text.substr(word.size(), end - word.size());
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

std::string to_text(const Marker& marker) {
  return std::string(k_head) + std::string(k_id) + marker.id + '\n' + std::string(k_counter) +
         std::to_string(marker.counter) + '\n' +
         (marker.former.empty() ? "" : std::string(k_former) + marker.former + '\n');
}

std::optional<Marker> parse_marker(std::string_view text) {
  if (!text.starts_with(k_head)) return std::nullopt;
  text.remove_prefix(k_head.size());
  const auto id = take_line(text, k_id);
  const auto counter = id ? take_line(text, k_counter) : std::nullopt;
  if (!counter || id->size() != k_marker_digits || id->find_first_not_of(k_digits) != std::string_view::npos)
    return std::nullopt;
  Marker marker{.id = std::string(*id)};
  const auto* const end = counter->data() + counter->size();
  const auto read = std::from_chars(counter->data(), end, marker.counter);
  if (read.ec != std::errc() || read.ptr != end || marker.counter == 0) return std::nullopt;
  marker.former = take_line(text, k_former).value_or("");
  return marker;
}

Result<std::optional<Marker>> read_marker(const Directory& root) {
  const std::string name(k_marker_name);
  const auto fd = root.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd && fd.error().code == ErrorCode::vanished) return std::nullopt;
  if (!fd) return Failure(fd.error());
  MAILDIRSYNC_ASSIGN(const auto text, read_all(fd->get(), k_longest, join(root.path(), name)));
  auto marker = parse_marker(text);
  if (!marker) return failure(ErrorCode::io, join(root.path(), name), "the file is damaged");
  return marker;
}

}  // namespace maildirsync::os
