#include "daemon/decisions/cutover_copies.h"

#include <charconv>

#include "common/os/directory.h"
#include "common/os/replace_file.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

std::string path_of(const std::string& state_dir, const std::string& fingerprint) {
  return state_dir + "/cutover-" + fingerprint.substr(fingerprint.find(':') + 1);
}

/// The revision in a line of its own, and the record.
CutoverCopies::Copy copy_of(const std::string& text) {
  CutoverCopies::Copy copy;
  const auto end = text.find('\n');
  if (end == std::string::npos) return copy;
  const auto [last, error] = std::from_chars(text.data(), text.data() + end, copy.revision);
  if (error != std::errc() || last != text.data() + end) return {};
  copy.record = text.substr(end + 1);
  return copy;
}

}  // namespace

/// With the lock.
CutoverCopies::Copy& CutoverCopies::known(const std::string& fingerprint) {
  const auto [found, is_new] = copies_.try_emplace(fingerprint);
  if (!is_new) return found->second;
  const std::string path = path_of(state_dir_, fingerprint);
  const auto text = os::read_file(path, 2 * k_longest);
  if (text) found->second = copy_of(*text);
  if (!text && text.error().code != ErrorCode::vanished) {
    service::log_warning("cutover-copy path={} detail=\"{}\"", path, text.error().message());
  }
  return found->second;
}

CutoverCopies::Copy CutoverCopies::of(const std::string& fingerprint) {
  const std::lock_guard lock(mutex_);
  return known(fingerprint);
}

Result<> CutoverCopies::keep(const std::string& fingerprint, Copy copy) {
  const std::lock_guard lock(mutex_);
  Copy& kept = known(fingerprint);
  if (copy.revision <= kept.revision) return {};
  if (copy.record.size() > k_longest) return failure(ErrorCode::too_big, "", "the record of a cutover is too long");
  MAILDIRSYNC_TRY(
      os::replace_file(path_of(state_dir_, fingerprint), std::to_string(copy.revision) + '\n' + copy.record));
  kept = std::move(copy);
  return {};
}

}  // namespace maildirsync::daemon
