// Names of files, accounts and links: any bytes are a name. The input is up to four texts, apart by NULs.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/maildir/layout.h"
#include "common/maildir/name.h"
#include "common/os/directory.h"
#include "common/os/printable.h"

namespace {

using namespace maildirsync;

void check_message(std::string_view name) {
  const auto split = maildir::split(name);
  if (std::string(split.base) + std::string(split.flags) != name || maildir::base_of(name) != split.base) std::abort();
  // What is left out of cur/ is left out everywhere.
  if (maildir::is_left_out_of_messages(name) && !maildir::is_left_out(name)) std::abort();
}

/// Seen from `directory`, by counting: the target never stands above the account.
bool stays_inside(std::string_view directory, std::string_view target) {
  if (target.empty() || target.front() == '/') return false;
  long depth = 0;
  const auto walk = [&](std::string_view path) {
    while (!path.empty()) {
      const auto slash = std::min(path.find('/'), path.size());
      const auto part = path.substr(0, slash);
      path.remove_prefix(std::min(slash + 1, path.size()));
      if (part.empty() || part == ".") continue;
      depth += part == ".." ? -1 : 1;
      if (depth < 0) return false;
    }
    return true;
  };
  return walk(directory) && walk(target);
}

void check_printable(std::string_view text) {
  for (const unsigned char byte : os::printable(text)) {
    if (byte < 0x20 || byte == 0x7f) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string, 4> texts;
  for (auto& text : texts) {
    text = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
  }
  check_message(texts[0]);
  check_printable(texts[0]);
  if (os::is_confined(texts[0]) && maildir::link_stays_inside(texts[0], texts[1]) &&
      !stays_inside(texts[0], texts[1])) {
    std::abort();
  }
  if (const auto layout = maildir::Layout::parse(texts[2])) {
    (void)layout->account_name(texts[3]);
    for (std::size_t depth = 0; depth < layout->depth(); ++depth)
      (void)layout->matches(depth, texts[3]);
  }
  (void)maildir::is_included({texts[0], "*"}, {texts[1]}, texts[3]);
  return 0;
}
