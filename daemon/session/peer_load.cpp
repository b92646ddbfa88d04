#include "daemon/session/peer_load.h"

#include <asio/post.hpp>

namespace maildirsync::daemon {

void PeerLoad::begin_listing(std::function<void()> start) {
  waiting_.push_back(std::move(start));
  start_next();
}

void PeerLoad::end_listing() {
  --listings_;
  start_next();
}

void PeerLoad::start_next() {
  if (waiting_.empty() || listings_ >= k_listings) return;
  ++listings_;
  asio::post(loop_, std::move(waiting_.front()));
  waiting_.pop_front();
}

}  // namespace maildirsync::daemon
