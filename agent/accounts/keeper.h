#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>

#include "agent/state/state.h"
#include "agent/turn/turn.h"

namespace maildirsync::agent {

/// The thread that writes to the state database, in the order of the calls, so that the event loop never waits for a
/// disk. What could not be written is the agent's problem until a turn was written down whole. Event loop, unless a
/// method says otherwise.
class Keeper {
 public:
  /// `differs` is called on the event loop for an account whose folders did not look at the destination as they were
  /// left, when operations were acknowledged.
  Keeper(asio::io_context& loop, State& state, std::function<void(AccountId)> differs);

  /// Has it done on the thread, after all that was asked for before. Any thread.
  void write(std::function<Result<>(State&)> what);
  /// Has a small value kept. Any thread.
  void set_value(std::string key, std::string value);
  /// The same for what reports its own errors.
  void post(std::function<void(State&)> what);
  /// What was acknowledged of a turn, and how folders look after it.
  void keep(const std::shared_ptr<Turn>& turn, std::vector<sync::Operation> applied,
            std::vector<State::FolderLook> looks);

  /// Something could not be written, or read. Any thread.
  void failed(const Error& error);
  /// A turn was written down whole.
  void has_recovered() { error_.reset(); }
  const std::optional<Error>& error() const { return error_; }

  /// Waits for all that was asked for.
  void stop() { thread_.join(); }

 private:
  struct Unkept {
    std::shared_ptr<Turn> turn;
    std::vector<sync::Operation> operations;
    std::vector<State::FolderLook> looks;
  };
  void keep_all();

  asio::io_context& loop_;
  State& state_;
  std::function<void(AccountId)> differs_;
  std::optional<Error> error_;
  std::mutex mutex_;
  std::vector<Unkept> unkept_;  ///< between the loop, which adds, and the thread, which takes
  asio::thread_pool thread_{1};
};

}  // namespace maildirsync::agent
