#include "common/maildir/own_names.h"

#include <algorithm>
#include <array>

#include "common/maildir/name.h"

namespace maildirsync::maildir {

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "0123456789abcdef.7": what an aside has after the prefix.
bool is_aside(std::string_view rest) {
  constexpr std::size_t k_digits = 16;
  return rest.size() > k_digits && rest.find_first_not_of("0123456789abcdef") == k_digits && rest[k_digits] == '.' &&
         is_number(rest.substr(k_digits + 1));
}

}  // namespace

bool is_own_name(std::string_view name) {
  if (!name.starts_with(k_aside_prefix)) return false;
  std::string_view rest = name.substr(k_aside_prefix.size());
  constexpr std::string_view k_being_written = ".new";
  if (rest.ends_with(k_being_written)) rest.remove_suffix(k_being_written.size());
  constexpr std::array<std::string_view, 5> k_notes = {"root", "given", "decisions", "account", "folder"};
  constexpr std::array<std::string_view, 3> k_numbered = {"uidlist.", "times.", "doctor."};
  return is_aside(rest) || std::find(k_notes.begin(), k_notes.end(), rest) != k_notes.end() ||
         std::any_of(k_numbered.begin(), k_numbered.end(), [&](std::string_view begin) {
           return rest.starts_with(begin) && rest.find_first_not_of("0123456789.", begin.size()) == rest.npos;
         });
}

}  // namespace maildirsync::maildir
