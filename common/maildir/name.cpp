#include "common/maildir/name.h"

#include <algorithm>

namespace maildirsync::maildir {

namespace {

bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Dovecot keeps whatever follows a further comma as it is, so only what stands before it has to be flags.
bool looks_like_flags(std::string_view text) {
  const std::string_view flags = text.substr(0, text.find(','));
  return std::all_of(flags.begin(), flags.end(), is_ascii_letter);
}

}  // namespace

MessageName split(std::string_view name) {
  constexpr std::string_view k_version = "2,";
  for (std::size_t at = name.size(); at-- > 0;) {
    const char separator = name[at];
    if (separator != ':' && separator != ';' && separator != '!') continue;
    const std::string_view rest = name.substr(at + 1);
    if (rest.starts_with(k_version) && looks_like_flags(rest.substr(k_version.size()))) {
      return {name.substr(0, at), name.substr(at)};
    }
  }
  return {name, {}};
}

std::string_view base_of(std::string_view name) {
  return split(name).base;
}

bool is_left_out(std::string_view name) {
  return is_left_out_of_messages(name) || name.ends_with(".lock") || name.starts_with("mailboxes.lock") ||
         name == "dovecot-uidlist.tmp" || name.starts_with("dovecot.index") || name.starts_with("dovecot.list.index") ||
         name.starts_with("dovecot.mailbox.log");
}

bool is_left_out_of_messages(std::string_view name) {
  return name.starts_with(".nfs") || name.starts_with(k_aside_prefix);
}

bool link_stays_inside(std::string_view directory, std::string_view target) {
  if (target.empty() || target.front() == '/') return false;
  auto depth = directory.empty() ? 0 : 1 + std::count(directory.begin(), directory.end(), '/');
  bool descends = false;
  for (std::size_t start = 0; start <= target.size();) {
    const std::size_t end = std::min(target.find('/', start), target.size());
    const std::string_view component = target.substr(start, end - start);
    if (component == "..") {
      if (descends || --depth < 0) return false;
    } else if (!component.empty() && component != ".") {
      descends = true;
    }
    start = end + 1;
  }
  return true;
}

}  // namespace maildirsync::maildir
