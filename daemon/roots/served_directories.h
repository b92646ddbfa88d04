#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/os/threads.h"
#include "daemon/roots/served_directory.h"

namespace maildirsync::daemon {

/// A root of the configuration: whose it is, its name, and the path where it lands.
struct ConfiguredRoot {
  std::string peer, root, path;
  auto operator<=>(const ConfiguredRoot&) const = default;
};

/// All directories in which roots land, and the file of the state directory that remembers them (roots.json). Several
/// roots may land in one. Thread-safe.
class ServedDirectories {
 public:
  /// Reads what the last run knew. A damaged file is put aside: the markers in the directories are believed then.
  static Result<std::unique_ptr<ServedDirectories>> open(const std::string& state_dir);

  /// What the configuration says from now on. What is not in it any more loses its marker, at the next look_at_all().
  void configure(const std::vector<ConfiguredRoot>& roots);
  /// The directory at that path; never null. One that is not known yet begins here.
  std::shared_ptr<ServedDirectory> find(const std::string& path);
  /// Whether a root was given another path by the configuration, so that it need not be the directory that the agent
  /// knows.
  bool has_moved(const std::string& peer, const std::string& root) const;
  /// Those that are not what they were, as of the last look.
  std::vector<std::shared_ptr<ServedDirectory>> held() const;
  /// Before the first look. `put_back` is called when a directory is found to be as it was at an earlier time, before
  /// anything is done in it.
  void on_put_back(std::function<void(const std::string& path)> put_back) { put_back_ = std::move(put_back); }
  /// Every few seconds. Each directory on a thread of its own, for one of them may hang; does not block.
  void look_at_all();
  /// Blocks until the looks that are under way have ended.
  void wait() { threads_.wait(); }

 private:
  static constexpr std::size_t k_threads = 1000;  ///< looks at once

  explicit ServedDirectories(std::string file) : file_(std::move(file)) {}
  Result<> read();
  std::shared_ptr<ServedDirectory> make(const std::string& path, std::optional<KnownDirectory> known);
  Result<> save();

  void abandon(const std::vector<std::shared_ptr<ServedDirectory>>& all,
               const std::vector<std::shared_ptr<ServedDirectory>>& abandoned);
  void look_at(const std::shared_ptr<ServedDirectory>& directory);

  const std::string file_;
  std::function<void(const std::string& path)> put_back_;
  std::mutex saving_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ServedDirectory>> directories_;  ///< by path
  std::set<ConfiguredRoot> roots_;
  std::set<std::pair<std::string, std::string>> moved_;
  std::vector<std::shared_ptr<ServedDirectory>> abandoned_;
  std::set<const ServedDirectory*> looked_at_;  ///< a look at them is under way
  std::set<const ServedDirectory*> silent_;     ///< the log has been told
  os::Threads threads_{k_threads};
};

}  // namespace maildirsync::daemon
