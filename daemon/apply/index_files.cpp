#include "daemon/apply/index_files.h"

#include <sys/stat.h>
#include <unistd.h>

namespace maildirsync::daemon {

namespace {

constexpr std::int64_t k_renamed_into_place = 50'000'000;  // ns between the last write and the final name

bool is_written_here(const struct stat& status) {
  return S_ISREG(status.st_mode) &&
         os::nanoseconds(status.st_ctim) - os::nanoseconds(status.st_mtim) < k_renamed_into_place;
}

}  // namespace

bool is_index(std::string_view name) {
  return name.starts_with("dovecot.index") || name.starts_with("dovecot.list.index");
}

bool has_index_written_here(const os::Directory& folder) {
  for (const auto* name : {"dovecot.index.log", "dovecot.index.cache", "dovecot.index"}) {
    if (const auto status = folder.status(name); status && is_written_here(*status)) return true;
  }
  return false;
}

void remove_indexes(const os::Directory& folder) {
  const auto names = folder.list();
  if (!names) return;
  for (const auto& name : *names) {
    if (is_index(name.name)) ::unlinkat(folder.fd(), name.name.c_str(), 0);
  }
}

}  // namespace maildirsync::daemon
