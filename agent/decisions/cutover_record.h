#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <nlohmann/json.hpp>

#include "common/os/result.h"

namespace maildirsync::agent {

/// Where the last cutover stands, as `maildirsync cutover` wrote it: one small file beside the decisions, so that
/// another one can go on after a crash or a reboot. The agent reads only who holds it and whether it is open. Lives on
/// the event loop; writes on a thread of its own.
class CutoverRecord {
 public:
  /// Reads the file. Blocks; before the loop runs.
  CutoverRecord(asio::io_context& loop, std::string path);
  ~CutoverRecord();
  CutoverRecord(const CutoverRecord&) = delete;
  CutoverRecord& operator=(const CutoverRecord&) = delete;

  /// Whether that can be one: the fields that the agent reads are of their types.
  static bool is_sound(const nlohmann::json& record);
  /// As it is on the disk; null: there was no cutover.
  const nlohmann::json& record() const { return record_; }
  /// The program that works at it; "" when none does.
  std::string holder() const;
  /// Whether something of it stands that is neither complete nor undone.
  bool is_open() const;
  /// Of what is on the disk; 0 for one that an earlier release wrote, or that is damaged.
  std::uint64_t revision() const;
  /// Once no replacement is under way: at once, or later.
  void when_idle(std::function<void()> then);
  /// Replaces it. `then` hears when that is on the disk, or why it is not: then nothing has changed. Only while no
  /// other replacement is under way.
  void replace(nlohmann::json next, std::function<void(const Result<>&)> then);

 private:
  void go_on();

  asio::io_context& loop_;
  const std::string path_;
  nlohmann::json record_;
  bool busy_ = false;
  std::deque<std::function<void()>> waiting_;  ///< for it to be idle
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  asio::thread_pool writer_{1};
};

}  // namespace maildirsync::agent
