#include "common/sync/aliases.h"

#include <algorithm>

#include "common/sync/equality.h"

namespace maildirsync::sync {

namespace {

const Entry* find_base(const FolderManifest* folder, std::string_view base) {
  if (folder == nullptr) return nullptr;
  const auto found = std::find_if(folder->entries.begin(), folder->entries.end(),
                                  [&](const Entry& entry) { return is_message(entry) && base_name(entry) == base; });
  return found == folder->entries.end() ? nullptr : &*found;
}

class Settling {
 public:
  Settling(AccountManifest& listed, const AccountManifest& known, const AccountManifest& after)
      : listed_(listed), known_(known), after_(after) {}

  void settle(const std::string& path, const std::string& base, const std::string& alias) {
    auto* folder = listed_.find(path);
    const Entry* ours = find_base(folder, alias);
    const Entry* there = find_base(folder, base);
    const Entry* source = find_base(after_.find(path), base);
    if (there != nullptr && is_message_of(*there, path, base)) {
      result_.over.emplace(std::pair(path, base), alias);
      if (ours != nullptr) {
        result_.doubles.push_back(
            {.kind = OperationKind::remove, .from = {path, ours->area, ours->name}, .expected = *ours});
        erase(*folder, alias);
      }
      return;
    }
    if (ours == nullptr && there == nullptr) {
      result_.over.emplace(std::pair(path, base), alias);
      return;
    }
    const bool is_free = there == nullptr && source != nullptr;
    if (is_free) {
      Entry named = *source;
      named.area = ours->area;
      named.name = base + ours->name.substr(alias.size());
      result_.back.push_back({.kind = OperationKind::rename,
                              .from = {path, ours->area, ours->name},
                              .to = {path, named.area, named.name},
                              .expected = *ours,
                              .result = named});
    } else {
      result_.standing.emplace(std::pair(path, base), alias);
    }
    for (const auto& entry : folder->entries) {
      const bool is_anothers = is_message(entry) && base_name(entry) == base;
      if (is_anothers) result_.taken_by.push_back({path, entry.area, entry.name});
    }
    erase(*folder, base);
    for (auto& entry : folder->entries) {
      if (is_message(entry) && base_name(entry) == alias) entry.name = base + entry.name.substr(alias.size());
    }
    std::sort(folder->entries.begin(), folder->entries.end(), before_in_folder);
  }

  SettledAliases take() { return std::move(result_); }

 private:
  /// Whether it is the message of that name, and not what took its name.
  bool is_message_of(const Entry& entry, const std::string& path, const std::string& base) const {
    for (const auto* side : {&after_, &known_}) {
      const Entry* message = find_base(side->find(path), base);
      if (message != nullptr && same_stamp(*message, entry)) return true;
    }
    return false;
  }

  static void erase(FolderManifest& folder, std::string_view base) {
    std::erase_if(folder.entries, [&](const Entry& entry) { return is_message(entry) && base_name(entry) == base; });
  }

  AccountManifest& listed_;
  const AccountManifest& known_;
  const AccountManifest& after_;
  SettledAliases result_;
};

}  // namespace

SettledAliases settle_aliases(AccountManifest& listed, const Aliases& aliases, const AccountManifest& known,
                              const AccountManifest& after) {
  Settling settling(listed, known, after);
  for (const auto& [place, alias] : aliases)
    settling.settle(place.first, place.second, alias);
  return settling.take();
}

}  // namespace maildirsync::sync
