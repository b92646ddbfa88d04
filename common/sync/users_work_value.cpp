// What the counts of users' work mean: whether they are evident, and how people are told of them.

#include <algorithm>

#include <fmt/format.h>

#include "common/sync/users_work.h"

namespace maildirsync::sync {

namespace {

constexpr std::uint64_t k_with_server = 2;
constexpr std::uint64_t k_new_flags = 3;
constexpr std::uint64_t k_written_files = 2;

}  // namespace

UsersWork& UsersWork::operator+=(const UsersWork& other) {
  flags += other.flags;
  added += other.added;
  deletions += other.deletions;
  moves += other.moves;
  only_there += other.only_there;
  arrived += other.arrived;
  uidlists += other.uidlists;
  in_missing_folders += other.in_missing_folders;
  written += other.written;
  control_files += other.control_files;
  indexed |= other.indexed;
  return *this;
}

bool is_evident(const UsersWork& work, const Surroundings& around) {
  const bool server = work.indexed || work.uidlists > 0;
  const std::uint64_t missing = work.deletions + work.in_missing_folders;
  const std::uint64_t changes = work.flags + missing + work.moves + work.arrived;
  if (server && (changes >= k_with_server || work.written > 0)) return true;
  if (work.added >= k_new_flags || work.written >= k_written_files) return true;
  if (!around.users_in_root) return false;
  // Without a record, other flags and another folder may be what the source has changed since.
  const std::uint64_t theirs = around.has_record ? changes : work.added + missing + work.arrived;
  return theirs + work.written + work.uidlists > 0;
}

std::string describe(const UsersWork& work) {
  std::string text;
  const auto add = [&](std::uint64_t count, const char* one, const char* more) {
    if (count == 0) return;
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", count, count == 1 ? one : more);
  };
  add(work.flags, "message with other flags", "messages with other flags");
  add(work.deletions, "message deleted there", "messages deleted there");
  add(work.moves, "message moved there", "messages moved there");
  add(work.only_there, "message only there", "messages only there");
  add(work.in_missing_folders, "message of a folder missing there", "messages of folders missing there");
  const auto files = std::max(work.control_files, work.written);
  add(files, "control file changed or removed there", "control files changed or removed there");
  add(work.uidlists, "folder whose UIDs were given there", "folders whose UIDs were given there");
  return text;
}

}  // namespace maildirsync::sync
