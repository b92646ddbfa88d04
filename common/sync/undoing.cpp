#include "common/sync/undoing.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/sync/control_files.h"
#include "common/sync/drain.h"
#include "common/sync/equality.h"

namespace maildirsync::sync {

namespace {

/// By their base names, the folders that have a message.
class Places {
 public:
  explicit Places(const AccountManifest& account) {
    for (const auto& folder : account.folders) {
      for (const auto& entry : folder.entries) {
        if (is_message(entry)) by_base_.emplace(base_name(entry), folder.path);
      }
    }
  }

  bool has(std::string_view base) const { return by_base_.contains(base); }
  bool has(std::string_view folder, std::string_view base) const {
    const auto [begin, end] = by_base_.equal_range(base);
    return std::any_of(begin, end, [&](const auto& one) { return one.second == folder; });
  }
  auto all() const { return std::pair(by_base_.begin(), by_base_.end()); }

 private:
  std::unordered_multimap<std::string_view, std::string_view> by_base_;
};

bool is_equal(const Entry& left, const Entry& right) {
  if (left.kind == EntryKind::symlink || !left.digest || !right.digest) return same_stamp(left, right);
  return left.kind == right.kind && left.size == right.size && *left.digest == *right.digest;
}

class Undoing {
 public:
  Undoing(const AccountManifest& listed, const AccountManifest& known, const AccountManifest& after,
          std::int64_t given_until)
      : listed_(listed),
        known_(known),
        after_(after),
        given_until_(given_until),
        there_(listed),
        record_(known),
        source_(after) {
    const auto [begin, end] = there_.all();
    for (auto one = begin; one != end; ++one) {
      const auto& [base, folder] = *one;
      if (!record_.has(folder, base) && !source_.has(folder, base)) ++moved_here_[base];
    }
  }

  void count_missing(UsersWork& work) {
    work.deletions = work.in_missing_folders = 0;
    for (const auto& folder : after_.folders) {
      const bool is_there = listed_.find(folder.path) != nullptr;
      for (const auto& entry : folder.entries) {
        if (is_message(entry) && was_removed(folder.path, entry))
          ++(is_there ? work.deletions : work.in_missing_folders);
      }
    }
  }

  void count_control_files(UsersWork& work) const {
    std::set<std::pair<std::string_view, std::string_view>> names;
    for (const auto* account : {&known_, &after_}) {
      for (const auto& folder : account->folders) {
        for (const auto& entry : folder.entries) {
          if (is_message(entry)) break;  // they come last
          if (!is_servers_own(entry.name)) names.emplace(folder.path, entry.name);
        }
      }
    }
    for (const auto& [folder, name] : names)
      work.control_files += was_changed(folder, name) ? 1 : 0;
  }

 private:
  bool was_removed(const std::string& folder, const Entry& entry) {
    const std::string_view base = base_name(entry);
    if (there_.has(folder, base)) return false;
    if (!there_.has(base)) return record_.has(base) || came_at(entry) < given_until_;
    if (!record_.has(folder, base)) return false;  // moved or copied at the source, and not given
    const auto moved = moved_here_.find(base);
    if (moved == moved_here_.end() || moved->second == 0) return true;
    --moved->second;
    return false;
  }

  bool was_changed(std::string_view folder, std::string_view name) const {
    const Entry* there = listed_.find(folder, Area::folder, name);
    const Entry* acknowledged = known_.find(folder, Area::folder, name);
    const Entry* wanted = after_.find(folder, Area::folder, name);
    if (there == nullptr) return acknowledged != nullptr && wanted != nullptr;
    if (acknowledged == nullptr && given_until_ == 0) return false;  // it may be on its way for the first time
    return (acknowledged == nullptr || !is_equal(*there, *acknowledged)) &&
           (wanted == nullptr || !is_equal(*there, *wanted));
  }

  const AccountManifest& listed_;
  const AccountManifest& known_;
  const AccountManifest& after_;
  const std::int64_t given_until_;
  const Places there_, record_, source_;
  std::unordered_map<std::string_view, std::uint64_t> moved_here_;  ///< to how many folders, by base name
};

}  // namespace

UsersWork what_a_mirror_would_undo(const AccountManifest& listed, const AccountManifest& known,
                                   const std::vector<Intent>& intents, const AccountManifest& after,
                                   std::int64_t given_until) {
  auto work = what_users_did(listed, known, intents, after);
  Undoing undoing(listed, known, after, given_until);
  undoing.count_missing(work);
  undoing.count_control_files(work);
  work.written = 0;  // of these, by their content
  return work;
}

}  // namespace maildirsync::sync
