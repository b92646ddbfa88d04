#pragma once

#include <functional>
#include <memory>
#include <string>

#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>

#include "common/wire/protocol.pb.h"

namespace maildirsync::agent {

/// Where this process runs, and the receiver's lease: by both the receiver knows a copy of this agent, on the clone of
/// its machine or beside it, that works with the same key. The lease is one small file in the state directory. Lives on
/// the event loop; writes on a thread of its own.
class OwnPlace {
 public:
  /// Reads the file; one that cannot be read counts as lost, which only makes this agent one without a past. Blocks;
  /// before the loop runs, with the state directory open (State): nobody else has it open then.
  /// `kept`: another lease is on the disk, and the receiver should hear of it soon: until then it cannot tell a copy of
  /// this state from the state itself.
  OwnPlace(asio::io_context& loop, const std::string& state_dir, std::function<void()> kept);
  ~OwnPlace();
  OwnPlace(const OwnPlace&) = delete;
  OwnPlace& operator=(const OwnPlace&) = delete;

  void tell(wire::Hello& hello) const;
  void tell(wire::Ping& ping) const;
  /// Keeps the lease that the receiver gave. Until it is on the disk, tell() says the one before.
  void take(const wire::Lease& given);

 private:
  asio::io_context& loop_;
  const std::string path_;
  const std::function<void()> kept_;
  wire::Place place_;
  wire::Lease wanted_;  ///< the last that was given
  bool writing_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  asio::thread_pool writer_{1};
};

}  // namespace maildirsync::agent
