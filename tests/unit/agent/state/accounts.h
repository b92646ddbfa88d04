#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/state/state.h"
#include "common/sync/operation.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::agent::testing {

using maildirsync::testing::Tree;

inline constexpr sync::FolderShape k_maildir{
    .self = {0700, 1000, 1000}, .cur = sync::Attributes{0700, 1000, 1000}, .new_ = sync::Attributes{0700, 1000, 1000}};

/// "cur/1.x:2,S", "new/1.x", or a control file's name, in a folder.
inline sync::Location at(const std::string& folder, const std::string& path) {
  const auto slash = path.find('/');
  const std::string area = slash == std::string::npos ? "" : path.substr(0, slash);
  return {folder,
          area == "cur"   ? sync::Area::cur
          : area == "new" ? sync::Area::new_
                          : sync::Area::folder,
          slash == std::string::npos ? path : path.substr(slash + 1)};
}

/// The content, the size and the mtime follow from the inode.
inline sync::Entry entry(const sync::Location& at, std::uint64_t inode) {
  sync::Entry entry;
  entry.area = at.area;
  entry.name = at.name;
  entry.inode = inode;
  entry.size = 1000 + inode;
  entry.mtime = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(inode);
  entry.attributes = {0600, 1000, 1000};
  entry.digest.emplace().bytes[0] = static_cast<std::uint8_t>(inode);
  return entry;
}

inline sync::Operation make_folder(const std::string& path, std::uint64_t inode = 7) {
  return {.kind = sync::OperationKind::make_folder, .to = {path}, .folder = k_maildir, .folder_inode = inode};
}
inline sync::Operation rename_folder(const std::string& from, const std::string& to, std::uint64_t inode = 7) {
  return {.kind = sync::OperationKind::rename_folder, .from = {from}, .to = {to}, .folder_inode = inode};
}
inline sync::Operation remove_folder(const std::string& path) {
  return {.kind = sync::OperationKind::remove_folder, .from = {path}};
}
inline sync::Operation put(const sync::Location& to, std::uint64_t inode) {
  const auto kind = to.area == sync::Area::folder ? sync::OperationKind::put_control : sync::OperationKind::put;
  return {.kind = kind, .to = to, .result = entry(to, inode)};
}
inline sync::Operation rename(const sync::Location& from, const sync::Location& to, std::uint64_t inode) {
  return {.kind = sync::OperationKind::rename, .from = from, .to = to, .result = entry(to, inode)};
}
inline sync::Operation remove(const sync::Location& from) {
  return {.kind = sync::OperationKind::remove, .from = from};
}

/// A state in a directory of its own, with one account.
class StateTest : public ::testing::Test {
 protected:
  StateTest() { open(); }

  void open() {
    state.reset();
    auto opened = State::open(directory.path());
    if (!opened) throw std::runtime_error(opened.error().message());
    state = std::move(*opened);
    account = state->account("vhosts", "example.org/ann").value();
  }
  void apply(const std::vector<sync::Operation>& operations) {
    const auto applied = state->apply(account, operations);
    ASSERT_TRUE(applied) << applied.error().message();
  }
  /// "folder/cur/name" of each, as listed.
  std::vector<std::string> names(const std::string& folder) {
    std::vector<std::string> names;
    const auto entries = state->entries(account, folder).value();
    for (const auto& entry : entries)
      names.push_back(path_of(entry));
    return names;
  }
  static std::string path_of(const sync::Entry& entry) {
    return (entry.area == sync::Area::cur ? "cur/" : entry.area == sync::Area::new_ ? "new/" : "") + entry.name;
  }

  Tree directory;
  std::unique_ptr<State> state;
  AccountId account = 0;
};

using Names = std::vector<std::string>;

}  // namespace maildirsync::agent::testing
