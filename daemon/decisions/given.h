#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/os/directory.h"
#include "common/os/result.h"

namespace maildirsync::daemon {

/// Which messages the users of drained roots have had: of each its account and base name, as a number of 64 bits. What
/// was given once is not given again, so that mail which its users removed stays removed, whatever the agent has
/// forgotten. Kept in the directory where the roots land (`.maildirsync.given`, mode 0600), where it outlives both
/// state directories, is as old as the mail after a snapshot was put back, and is any agent's that comes after another;
/// read when it is first asked. Thread-safe; blocks on files.
class Given {
 public:
  /// Whether a root was ever drained in the directory at that path.
  static bool lies_in(const std::string& place);
  /// Whether the account ever had a message of that base name, as far as this was noted.
  bool has(const os::Directory& root, std::string_view account, std::string_view base);
  /// It has one from now on; on the disk after keep().
  void note(const os::Directory& root, std::string_view account, std::string_view base);
  /// The file is as it was at an earlier time, and so is the mail: what it says counts, and nothing that came after it.
  void forget();
  /// All that was noted is durable when it returns.
  Result<> keep(const os::Directory& root);

  /// Whether the stock was taken for this drain (of an agent, a root and a decision): all that lay there then is noted.
  bool took_stock(const os::Directory& root, const std::string& drain);
  /// Notes all messages of these accounts (paths below the root), and of what else is there and looks like one, in any
  /// folder. Ends early when `stops`; false when somebody else is at it already.
  Result<bool> take_stock(const os::Directory& root, const std::string& drain, const std::vector<std::string>& accounts,
                          const std::atomic<bool>& stops);
  /// The same for one account, durable when it returns.
  Result<> note_account(const os::Directory& root, const std::string& account);

 private:
  void read(const os::Directory& root);
  void insert(std::uint64_t key);
  bool contains(std::uint64_t key) const;
  Result<> append(const os::Directory& root);

  Result<> note_all(const os::Directory& root, const std::vector<std::string>& accounts,
                    const std::atomic<bool>& stops);
  Result<> note_one(const os::Directory& root, const std::string& account, const std::atomic<bool>& stops);
  void note_key(std::uint64_t key);

  std::atomic<bool> is_taking_stock_ = false;
  std::mutex mutex_;
  bool is_read_ = false;
  std::vector<std::uint64_t> sorted_;  ///< most of them, at 8 bytes each …
  std::unordered_set<std::uint64_t> fresh_;
  std::vector<std::uint64_t> unkept_;
};

}  // namespace maildirsync::daemon
