#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/decisions/key_holder.h"
#include "daemon/decisions/tenure.h"

namespace maildirsync::daemon {

/// Which process is obeyed, for each agent (by its fingerprint), and which copies of it were seen: a file for each in
/// the state directory. One that is lost or damaged only makes whoever greets first the holder. Thread-safe; blocks on
/// files, unless it says otherwise.
class KeyHolders {
 public:
  explicit KeyHolders(std::string state_dir);

  /// Who that is now; does not block.
  std::shared_ptr<const Tenure> tenure(const std::string& fingerprint);
  Speaker holder(const std::string& fingerprint);

  /// What the process was told when it greeted last, or was found out about it since.
  Why why_not(const std::string& fingerprint, std::uint64_t session);

  /// If the judgement is `obeyed`, the speaker is the holder from now on, also after a restart.
  KeyJudgement greet(const std::string& fingerprint, const Speaker& speaker, bool is_here);
  /// A person says that the speaker takes the holder's place; the former holder is a copy from now on.
  void adopt(const std::string& fingerprint, const Speaker& speaker);
  /// The holder answered while the speaker was connected: that one is a copy.
  void note_copy(const std::string& fingerprint, const Speaker& speaker);
  /// The process tells which lease it keeps.
  void note_kept(const std::string& fingerprint, std::uint64_t session, const Lease& lease);

 private:
  struct Known {
    KeyHolder holder;
    std::set<std::uint64_t> followed;  ///< processes after which another one was obeyed
    std::map<std::uint64_t, Why> refused;
    std::shared_ptr<Tenure> tenure = std::make_shared<Tenure>();
  };

  Known& known(const std::string& fingerprint);
  void follow(const std::string& fingerprint, Known& known, const Speaker& speaker);
  static void sort_out(KeyHolder& next);
  void put(const std::string& fingerprint, Known& known, KeyHolder next);

  const std::string state_dir_;
  std::mutex tenures_mutex_;  ///< of the map alone, so that tenure() waits for no file
  std::map<std::string, std::shared_ptr<Tenure>> tenures_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

}  // namespace maildirsync::daemon
