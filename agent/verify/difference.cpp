#include "agent/verify/difference.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "common/sync/equality.h"

namespace maildirsync::agent {

namespace {

using sync::AccountManifest;
using sync::Entry;

/// Digests by folder and base name.
using Carried = std::map<std::string, std::unordered_multimap<std::string_view, const Entry*>, std::less<>>;

void carry(AccountManifest& account, const Carried& carried) {
  for (auto& folder : account.folders) {
    const auto entries = carried.find(folder.path);
    if (entries == carried.end()) continue;
    for (auto& entry : folder.entries) {
      const auto [begin, end] = entries->second.equal_range(sync::base_name(entry));
      const auto found =
          std::find_if(begin, end, [&](const auto& candidate) { return sync::same_stamp(*candidate.second, entry); });
      if (found != end) entry.digest = found->second->digest;
    }
  }
}

auto key_of(const Difference& difference) {
  return std::tie(difference.kind, difference.folder, difference.area, difference.name, difference.evidence);
}

/// A content is compared whatever name its message has by now.
auto content_key_of(const Difference& difference) {
  return std::tuple(difference.folder, std::string(sync::base_name(*difference.at_source)), difference.evidence);
}

}  // namespace

std::string_view to_string(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::missing:
      return "missing";
    case DifferenceKind::extra:
      return "extra";
    case DifferenceKind::content:
      return "content";
    case DifferenceKind::name:
      return "name";
    case DifferenceKind::size:
      return "size";
    case DifferenceKind::time:
      return "time";
    case DifferenceKind::owner:
      return "owner";
    case DifferenceKind::mode:
      return "mode";
    case DifferenceKind::control:
      return "control";
  }
  return "";
}

void carry_digests(const std::vector<Difference>& earlier, AccountManifest& source, AccountManifest& destination) {
  Carried of_source, of_destination;
  for (const auto& difference : earlier) {
    if (difference.kind != DifferenceKind::content) continue;
    for (const auto& [entry, carried] :
         {std::pair(&difference.at_source, &of_source), std::pair(&difference.at_destination, &of_destination)}) {
      if (*entry && (*entry)->digest) (*carried)[difference.folder].emplace(sync::base_name(**entry), &**entry);
    }
  }
  if (!of_source.empty()) carry(source, of_source);
  if (!of_destination.empty()) carry(destination, of_destination);
}

std::vector<Difference> lasting(const std::vector<Difference>& earlier, std::vector<Difference> now) {
  std::set<decltype(key_of(earlier.front()))> keys;
  std::set<decltype(content_key_of(earlier.front()))> contents;
  for (const auto& difference : earlier) {
    keys.insert(key_of(difference));
    if (difference.kind == DifferenceKind::content) contents.insert(content_key_of(difference));
  }
  std::erase_if(now, [&](const Difference& difference) {
    if (difference.kind == DifferenceKind::content) return !contents.contains(content_key_of(difference));
    return !keys.contains(key_of(difference));
  });
  return now;
}

}  // namespace maildirsync::agent
