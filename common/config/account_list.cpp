#include "common/config/account_list.h"

#include <algorithm>
#include <utility>

#include "common/maildir/layout.h"
#include "common/os/directory.h"

namespace maildirsync::config {

namespace {

constexpr std::size_t k_longest_list = std::size_t{64} << 20U;

/// What a line names; "" for one that names nothing.
std::string_view name_in(std::string_view line) {
  line = line.substr(0, line.find('#'));
  constexpr std::string_view k_blank = " \t\r";
  const auto begin = line.find_first_not_of(k_blank);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(k_blank) - begin + 1);
}

/// Without their ends.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

}  // namespace

void AccountList::add(std::string name) {
  if (name.find('*') != std::string::npos) {
    globs_.push_back(std::move(name));
  } else {
    names_.insert(std::move(name));
  }
}

bool AccountList::contains(std::string_view account) const {
  return names_.contains(account) || maildir::is_included(globs_, {}, account);
}

AccountList parse_account_list(std::string_view text) {
  AccountList list;
  for (const auto line : lines_of(text)) {
    if (const auto name = name_in(line); !name.empty()) list.add(std::string(name));
  }
  return list;
}

std::string with_names(std::string_view text, const std::vector<std::string>& names) {
  const AccountList there = parse_account_list(text);
  std::string result(text);
  if (!result.empty() && result.back() != '\n') result += '\n';
  for (const auto& name : names) {
    if (!there.names().contains(name)) result += name + '\n';
  }
  return result;
}

std::string without_names(std::string_view text, const std::vector<std::string>& names) {
  const std::set<std::string_view> unwanted(names.begin(), names.end());
  std::string result;
  for (const auto line : lines_of(text)) {
    if (!unwanted.contains(name_in(line))) result += std::string(line) + '\n';
  }
  return result;
}

Result<AccountList> read_account_list(const std::string& path) {
  const auto text = os::read_file(path, k_longest_list);
  if (!text) {
    return failure(ErrorCode::config, "",
                   text.error().message() + "; a list of accounts may be empty, but must be there");
  }
  return parse_account_list(*text);
}

}  // namespace maildirsync::config
