#include "common/service/metrics.h"

#include <mutex>

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

namespace maildirsync::service {

namespace {

class Shown : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    const std::lock_guard lock(mutex_);
    return families_;
  }

  void show(const std::vector<Metric>& metrics) {
    std::vector<prometheus::MetricFamily> families;
    for (const auto& metric : metrics) {
      const bool is_gauge = metric.kind == Metric::Kind::gauge;
      if (families.empty() || families.back().name != metric.name) {
        auto& family = families.emplace_back();
        family.name = metric.name;
        family.help = metric.help;
        family.type = is_gauge ? prometheus::MetricType::Gauge : prometheus::MetricType::Counter;
      }
      auto& value = families.back().metric.emplace_back();
      (is_gauge ? value.gauge.value : value.counter.value) = metric.value;
      for (const auto& [name, text] : metric.labels)
        value.label.push_back({name, text});
    }
    const std::lock_guard lock(mutex_);
    families_ = std::move(families);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<prometheus::MetricFamily> families_;
};

class PrometheusMetrics : public Metrics {
 public:
  explicit PrometheusMetrics(const std::string& address) : exposer_(address, 1), shown_(std::make_shared<Shown>()) {
    exposer_.RegisterCollectable(shown_);
  }
  void show(std::vector<Metric> metrics) override { shown_->show(metrics); }

 private:
  prometheus::Exposer exposer_;
  std::shared_ptr<Shown> shown_;
};

}  // namespace

Result<std::unique_ptr<Metrics>> Metrics::listen(const std::string& address) {
  try {
    return std::make_unique<PrometheusMetrics>(address);
  } catch (const std::exception& exception) {
    return failure(
        ErrorCode::config, address,
        std::string("cannot listen for metrics (metrics.listen): ") + exception.what() + "; is the port in use?");
  }
}

}  // namespace maildirsync::service
