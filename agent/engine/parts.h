#pragma once

#include "agent/destination/destination_checks.h"
#include "agent/engine/acknowledgements.h"
#include "agent/engine/orders.h"
#include "agent/engine/releases.h"
#include "common/service/configuration.h"

namespace maildirsync::agent {

/// The parts of the engine, as requests see them: each owns its state.
struct Parts {
  asio::io_context& loop;
  const config::Agent& config;
  const service::Configuration& configuration;  ///< which one this is, for `status`
  Totals& totals;
  const std::string& watcher_reason;
  State& state;  ///< for threads; the loop does not wait for it
  Watcher& watcher;
  Roster& roster;
  Keeper& keeper;
  Lanes& lanes;
  std::shared_ptr<Limiter> limiter;
  Schedule& schedule;
  Holds& holds;
  Walks& walks;
  Watching& watching;
  Agreements& agreements;
  Destinations& destinations;
  DestinationChecks& checks;
  Rooms& rooms;
  Releases& releases;
};

}  // namespace maildirsync::agent
