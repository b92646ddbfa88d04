#include "common/maildir/layout.h"

#include <algorithm>

namespace maildirsync::maildir {

namespace {

/// What the placeholders of a path stand for; empty while not known.
struct Captures {
  std::string_view domain;
  std::string_view local_part;
  std::string_view whole;

  std::string_view& of(char placeholder) {
    return placeholder == 'd' ? domain : placeholder == 'n' ? local_part : whole;
  }
};

// The longest run first: in "%n@%d" a local part may hold an "@", a domain can't.
bool match_component(std::string_view pattern, std::string_view name, Captures& captures) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    for (std::size_t length = name.size() + 1; length-- > 0;) {
      if (match_component(pattern.substr(1), name.substr(length), captures)) return true;
    }
    return false;
  }
  if (pattern[0] == '%' && pattern[1] != '%') {
    for (std::size_t length = name.size(); length > 0; --length) {
      if (!match_component(pattern.substr(2), name.substr(length), captures)) continue;
      captures.of(pattern[1]) = name.substr(0, length);
      return true;
    }
    return false;
  }
  const std::size_t width = pattern[0] == '%' ? 2 : 1;
  return !name.empty() && name[0] == pattern[0] && match_component(pattern.substr(width), name.substr(1), captures);
}

bool begins_with_placeholder(std::string_view pattern) {
  return pattern.starts_with('*') || (pattern.starts_with('%') && !pattern.starts_with("%%"));
}

bool matches_component(std::string_view pattern, std::string_view name, Captures& captures) {
  if (begins_with_placeholder(pattern) && (name.starts_with('.') || name == "lost+found")) return false;
  return match_component(pattern, name, captures);
}

Failure wrong(std::string_view pattern, const std::string& what) {
  return failure(ErrorCode::config, "", "the layout \"" + std::string(pattern) + "\" " + what);
}

/// Takes the first component off `path`.
std::string_view next_component(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view component = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return component;
}

std::size_t count_components(std::string_view path) {
  return 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

}  // namespace

Result<Layout> Layout::parse(std::string_view pattern) {
  std::string seen;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') continue;
    const char placeholder = ++i < pattern.size() ? pattern[i] : '/';
    if (placeholder == '%') continue;
    if (std::string_view("dnu").find(placeholder) == std::string_view::npos) {
      return wrong(pattern, "holds an unknown placeholder; use %d, %n, %u, or %% for a percent sign");
    }
    if (seen.find(placeholder) != std::string::npos) {
      return wrong(pattern, std::string("holds %") + placeholder + " twice");
    }
    seen.push_back(placeholder);
  }
  if (seen.empty()) return wrong(pattern, "names no account: it needs one of %n, %u and %d");

  Layout layout;
  std::string_view rest = pattern;
  for (std::size_t i = count_components(pattern); i > 0; --i) {
    const std::string_view component = next_component(rest);
    if (component.empty()) return wrong(pattern, "has an empty component; it is relative to the root's path");
    if (component == "." || component == "..") return wrong(pattern, "must not hold \".\" or \"..\"");
    layout.components_.push_back({std::string(component)});
  }
  return layout;
}

bool Layout::matches(std::size_t depth, std::string_view name) const {
  Captures ignored;
  return depth < components_.size() && matches_component(components_[depth].pattern, name, ignored);
}

std::optional<std::string> Layout::account_name(std::string_view relative_path) const {
  if (count_components(relative_path) != components_.size()) return std::nullopt;
  Captures captures;
  for (const Component& component : components_) {
    if (!matches_component(component.pattern, next_component(relative_path), captures)) return std::nullopt;
  }
  if (!captures.whole.empty()) return std::string(captures.whole);
  if (captures.domain.empty()) return std::string(captures.local_part);
  if (captures.local_part.empty()) return std::string(captures.domain);
  return std::string(captures.local_part) + "@" + std::string(captures.domain);
}

bool is_chosen(std::string_view glob, std::string_view account) {
  return glob.empty() || glob_match(glob, account);
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_end = 0;  // where the run that the last star takes ends
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_end = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool is_included(const std::vector<std::string>& include, const std::vector<std::string>& exclude,
                 std::string_view account) {
  const auto matches = [account](const std::string& pattern) { return glob_match(pattern, account); };
  return std::any_of(include.begin(), include.end(), matches) && std::none_of(exclude.begin(), exclude.end(), matches);
}

}  // namespace maildirsync::maildir
