#pragma once

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include <asio/awaitable.hpp>

#include "daemon/session/intake.h"
#include "daemon/session/services.h"

namespace maildirsync::daemon {

/// The connection that listings are sent on. Event loop only.
class ListingSink {
 public:
  virtual ~ListingSink() = default;
  virtual void send(const wire::Header& header) = 0;
  /// Until the peer has taken so much that more may be sent.
  virtual asio::awaitable<void> wait_for_reader() = 0;
  virtual bool has_ended() const = 0;
  /// Ends the connection, telling the peer why.
  virtual void end(ErrorCode code, const std::string& sentence) = 0;
  /// A question less is open.
  virtual void answered() = 0;
};

/// The listings of one connection, which it owns: each waits for its turn among the peer's, and blocks on threads only.
class Listings {
 public:
  explicit Listings(Services& services) : services_(services) {}

  /// Before the first one.
  void use(std::shared_ptr<PeerLoad> load) { load_ = std::move(load); }
  /// Any thread. `sink` keeps this alive.
  void begin(ListRequest request, std::shared_ptr<ListingSink> sink);

  // Event loop only:
  /// The peer's other connections may list meanwhile: those of this one wait for a directory that does not answer.
  void give_back();
  template <class Predicate>
  bool any_in(Predicate directory) const {
    return std::any_of(under_way_in_.begin(), under_way_in_.end(), directory);
  }

 private:
  asio::awaitable<void> list(ListRequest request, std::shared_ptr<ListingSink> sink);
  asio::awaitable<void> list_account(const ListRequest& request, ListingSink& sink);
  asio::awaitable<void> list_all_accounts(const ListRequest& request, ListingSink& sink);

  Services& services_;
  std::shared_ptr<PeerLoad> load_;
  std::size_t under_way_ = 0;
  bool gave_back_ = false;
  std::multiset<std::shared_ptr<ServedDirectory>> under_way_in_;
};

}  // namespace maildirsync::daemon
