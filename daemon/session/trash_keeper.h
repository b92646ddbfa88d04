#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <nlohmann/json_fwd.hpp>

#include "common/config/config.h"
#include "common/control/server.h"
#include "common/os/threads.h"
#include "daemon/apply/trash_walk.h"
#include "daemon/commit/committers.h"

namespace maildirsync::daemon {

/// Looks after the trash of all roots: unlinks what has been there for long enough, counts the rest for `status`, and
/// puts back what the command `restore` asks for. Lives on the event loop; walks on threads of its own, and gives names
/// by the committers'.
class TrashKeeper {
 public:
  TrashKeeper(asio::io_context& loop, Committers& committers);
  ~TrashKeeper();

  /// From now on, the roots and their days are these.
  void use(const config::Receiver& config);
  /// Ends what is under way. The committers must still run.
  void stop();

  /// What lies in the trash of the root with this path, as it was counted last; null for one without a trash.
  nlohmann::json status_of(const std::string& path) const;
  /// The same, for whoever plans; any thread.
  TrashUse use_of(const std::string& path) const;

  void restore(const nlohmann::json& request, const std::shared_ptr<control::Reply>& reply);

 private:
  /// A directory in which roots land: several may land in one.
  struct Place {
    unsigned days = 0;  ///< the most that one of its roots wants
    std::vector<std::string> roots;
  };
  struct Wish;

  void arm();
  void tend();
  nlohmann::json put_back(const Wish& wish, const std::shared_ptr<control::Reply>& reply);
  nlohmann::json put_back_account(const DirectoryPtr& root, const TrashedAccount& account, nlohmann::json& answer);

  asio::io_context& loop_;
  Committers& committers_;
  asio::steady_timer timer_;
  os::Threads threads_{2};               ///< one looks through, one puts back
  std::map<std::string, Place> places_;  ///< by path
  using Uses = std::map<std::string, TrashUse>;
  std::atomic<std::shared_ptr<const Uses>> uses_{std::make_shared<const Uses>()};
  bool tending_ = false, restoring_ = false;
  std::uint64_t deletes_seen_ = 0;
  std::chrono::steady_clock::time_point next_{}, not_before_{};
  std::atomic<bool> stopping_{false};
};

}  // namespace maildirsync::daemon
