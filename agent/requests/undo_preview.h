#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "agent/link/link.h"
#include "agent/state/state.h"
#include "common/os/directory.h"
#include "common/sync/users_work.h"

namespace maildirsync::agent {

/// What `mirror` would undo of a root whose users may have worked at the destination: compares each account with what
/// was acknowledged, and changes nothing. On a thread of its own, with questions on a lane's connection. Made, aborted
/// and destroyed on the event loop, which hears of everything.
class UndoPreview {
 public:
  struct Subject {
    AccountId id = 0;
    std::string path;  ///< below the root
    std::string name;
  };
  struct Order {
    std::string root_name;
    std::shared_ptr<const os::Directory> root;
    std::vector<Subject> accounts;
    std::shared_ptr<Link> link;
    std::uint64_t epoch = 0;  ///< of the link's connection
    /// After a drain: until when mail that came to the source had been given (ns since the epoch; 0: not known).
    std::optional<std::int64_t> given_until;
  };
  struct Found {
    std::string account;
    sync::UsersWork work;
  };
  struct Outcome {
    std::vector<Found> accounts;  ///< those whose users did something
    std::size_t compared = 0;
    std::string trouble;  ///< why not all were compared; empty: they were
  };
  /// Called on the event loop.
  struct Hooks {
    std::function<void(std::size_t accounts_done)> progress;
    std::function<void(Outcome outcome)> done;
  };

  UndoPreview(asio::io_context& loop, State& state, Order order, Hooks hooks);
  ~UndoPreview();
  UndoPreview(const UndoPreview&) = delete;
  UndoPreview& operator=(const UndoPreview&) = delete;

  /// Ends it soon; done() is called all the same.
  void abort() { stop_ = true; }

 private:
  void work();
  Result<sync::UsersWork> compare(const Subject& subject) const;
  std::int64_t given_until(const sync::AccountManifest& record) const;

  asio::io_context& loop_;
  State& state_;
  Order order_;
  Hooks hooks_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// All of it in numbers.
sync::UsersWork sum(const std::vector<UndoPreview::Found>& found);
/// As the commands tell it.
nlohmann::json to_json(const sync::UsersWork& work);

}  // namespace maildirsync::agent
