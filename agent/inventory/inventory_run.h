#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>

#include "agent/inventory/forecast.h"
#include "agent/link/link.h"

namespace maildirsync::agent {

/// One run of `plan`: takes the inventory of accounts one after the other on a thread of its own, then asks the
/// receiver on a lane's connection. Made, aborted and destroyed on the event loop, which hears of everything.
class InventoryRun {
 public:
  struct Subject {
    std::string path;  ///< below the root
    std::shared_ptr<const os::Directory> root;
  };
  struct Order {
    Facts facts;                    ///< as far as they are known; accounts without their inventories
    std::vector<Subject> accounts;  ///< of each of facts.accounts
    std::shared_ptr<Link> link;     ///< null when none is up
    std::uint64_t epoch = 0;
  };
  /// Called on the event loop.
  struct Hooks {
    std::function<void(std::size_t accounts_done, std::uint64_t messages, std::uint64_t bytes)> progress;
    std::function<void(const nlohmann::json& answer)> done;
  };

  InventoryRun(asio::io_context& loop, Order order, Hooks hooks);
  ~InventoryRun();
  InventoryRun(const InventoryRun&) = delete;
  InventoryRun& operator=(const InventoryRun&) = delete;

  /// Ends it soon; done() is called all the same.
  void abort() { stop_ = true; }
  bool is_running() const { return running_; }

 private:
  void work();
  void take_inventories();
  void ask_receiver();
  Result<> ask_for_root(Facts::Root& root, const std::vector<Facts::Owner>& owners);

  asio::io_context& loop_;
  Order order_;
  Hooks hooks_;
  std::atomic<bool> stop_{false};
  bool running_ = true;
  std::thread thread_;
};

}  // namespace maildirsync::agent
