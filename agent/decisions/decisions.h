#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>

#include "common/decisions/decision.h"
#include "common/os/result.h"

namespace maildirsync::agent {

/// What a person said to this agent: modes, the pause, releases. One small file in the state directory, apart from
/// all that can be found out again. Lives on the event loop; writes on a thread of its own.
class Decisions {
 public:
  /// Reads the file, and begins a run: its number is on the disk when this returns. Blocks.
  static Result<std::unique_ptr<Decisions>> open(asio::io_context& loop, const std::string& state_dir);
  ~Decisions();

  /// As it is on the disk.
  const decisions::Book& book() const { return book_; }
  /// Why the file was put aside at the start; empty: it was not.
  const std::string& damage() const { return damage_; }

  /// The same at once; before the loop runs. Blocks.
  Result<> change_now(const std::function<void(decisions::Book&)>& change);
  /// Has the book changed, once what was asked for before is done; `then` hears when that is on the disk, or why it is
  /// not: then nothing has changed.
  void change(std::function<void(decisions::Book&)> change, std::function<void(const Result<>&)> then);

  /// Waits for what was asked for; what is not yet begun is dropped.
  void stop();

 private:
  struct Change {
    std::function<void(decisions::Book&)> change;
    std::function<void(const Result<>&)> then;
  };

  Decisions(asio::io_context& loop, std::string path) : loop_(loop), path_(std::move(path)) {}
  void begin_next();

  asio::io_context& loop_;
  const std::string path_;
  decisions::Book book_;
  std::string damage_;
  std::deque<Change> waiting_;
  bool writing_ = false;
  bool stopped_ = false;
  asio::thread_pool writer_{1};
};

/// A word of this moment; whoever keeps it gives it its number. `by`: the command or file that said it.
decisions::Decision said_now(decisions::Word word, const std::string& by);

}  // namespace maildirsync::agent
