#include "agent/decisions/cutover_record.h"

#include <utility>

#include <asio/post.hpp>

#include "common/os/directory.h"
#include "common/os/replace_file.h"
#include "common/service/log.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

constexpr std::size_t k_largest = 1024 * 1024;

}  // namespace

CutoverRecord::CutoverRecord(asio::io_context& loop, std::string path) : loop_(loop), path_(std::move(path)) {
  const auto text = os::read_file(path_, k_largest);
  if (!text && text.error().code == ErrorCode::vanished) return;
  record_ = text ? json::parse(*text, nullptr, false) : json();
  if (is_sound(record_)) return;
  // Something was under way: that must not be forgotten, though it cannot be said what.
  record_ = {{"damaged", true}, {"open", true}};
  service::log_error("cutover-record path=\"{}\" detail=\"{}\"", path_,
                     text ? "it is not a cutover's record" : text.error().message());
}

CutoverRecord::~CutoverRecord() {
  *alive_ = false;
  writer_.join();
}

bool CutoverRecord::is_sound(const json& record) {
  if (!record.is_object()) return false;
  const auto is_text = [&](const char* key) { return !record.contains(key) || record[key].is_string(); };
  const auto is_flag = [&](const char* key) { return !record.contains(key) || record[key].is_boolean(); };
  return is_text("holder") && is_text("by") && is_text("began") && is_text("step") && is_flag("open") &&
         is_flag("damaged") && (!record.contains("revision") || record["revision"].is_number_unsigned());
}

std::string CutoverRecord::holder() const {
  return record_.is_object() ? record_.value("holder", "") : "";
}

std::uint64_t CutoverRecord::revision() const {
  return record_.is_object() ? record_.value("revision", std::uint64_t{0}) : 0;
}

bool CutoverRecord::is_open() const {
  return record_.is_object() && record_.value("open", false);
}

void CutoverRecord::replace(json next, std::function<void(const Result<>&)> then) {
  busy_ = true;
  asio::post(writer_, [this, alive = alive_, next = std::move(next), then = std::move(then)]() mutable {
    auto written = os::replace_file(path_, next.dump(1, ' ', false, json::error_handler_t::replace) + '\n');
    asio::post(loop_, [this, alive = std::move(alive), next = std::move(next), then = std::move(then),
                       written = std::move(written)]() mutable {
      if (!*alive) return;
      busy_ = false;
      if (written) record_ = std::move(next);
      then(written);
      go_on();
    });
  });
}

void CutoverRecord::when_idle(std::function<void()> then) {
  waiting_.push_back(std::move(then));
  go_on();
}

void CutoverRecord::go_on() {
  while (!busy_ && !waiting_.empty()) {
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next();
  }
}

}  // namespace maildirsync::agent
