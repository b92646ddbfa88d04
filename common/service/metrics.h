#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::service {

struct Metric {
  std::string name;  ///< with its unit, such as maildirsync_lag_seconds
  std::string help;
  enum class Kind { gauge, counter } kind = Kind::gauge;
  double value = 0;
  std::vector<std::pair<std::string, std::string>> labels{};
};

/// A Prometheus text endpoint (/metrics) with a thread of its own; shows the values that it was last given.
class Metrics {
 public:
  /// `address`: host:port. Fails with ErrorCode::config when it cannot listen there.
  static Result<std::unique_ptr<Metrics>> listen(const std::string& address);
  virtual ~Metrics() = default;
  /// Metrics of the same name, which differ in their labels, stand together.
  virtual void show(std::vector<Metric> metrics) = 0;
};

}  // namespace maildirsync::service
