#include "agent/requests/cutover_copy.h"

#include <algorithm>
#include <utility>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "common/service/log.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

/// A cutover goes on without the receiver's copy: within its window the receiver may be what has failed.
constexpr std::chrono::seconds k_patience{1};

}  // namespace

void CutoverCopy::greet(wire::Hello& hello) const {
  hello.mutable_cutover()->set_revision(record_.revision());
}

std::uint64_t CutoverCopy::next_revision() const {
  return std::max(record_.revision(), theirs_) + 1;
}

void CutoverCopy::heard(const wire::Hello& receiver) {
  is_kept_there_ = receiver.has_cutover();
  theirs_ = receiver.cutover().revision();
  asio::post(loop_, [this] {  // once the connection is up
    if (record_.revision() > theirs_) tell([] {});
  });
  if (theirs_ > record_.revision() && !receiver.cutover().record().empty()) adopt(receiver.cutover());
}

void CutoverCopy::adopt(wire::Cutover copy) {
  record_.when_idle([this, copy = std::move(copy)] {
    json record = json::parse(copy.record(), nullptr, false);
    if (record_.revision() >= copy.revision() || !CutoverRecord::is_sound(record)) return;
    record["revision"] = copy.revision();
    service::log_warning("cutover-adopted revision={} here={} action=\"the receiver's copy of the record counts\"",
                         copy.revision(), record_.revision());
    record_.replace(std::move(record), [](const Result<>& written) {
      if (!written) service::log_error("cutover-record detail=\"{}\"", written.error().message());
    });
  });
}

void CutoverCopy::tell(std::function<void()> then) {
  const auto link = lanes_.up();
  if (!link || !is_kept_there_) return then();
  const auto revision = record_.revision();
  wire::Header header;
  auto& cutover = *header.mutable_decide()->mutable_cutover();
  cutover.set_revision(revision);
  cutover.set_record(record_.record().dump(-1, ' ', false, json::error_handler_t::replace));
  const auto once = std::make_shared<std::function<void()>>(std::move(then));
  const auto end = [once] {
    if (const auto call = std::exchange(*once, nullptr)) call();
  };
  const auto timer = std::make_shared<asio::steady_timer>(loop_, k_patience);
  timer->async_wait([timer, end](const asio::error_code& cancelled) {
    if (!cancelled) end();
  });
  link->ask(std::move(header), [this, revision, timer, end](const Result<std::vector<wire::Header>>& answer) {
    timer->cancel();
    if (answer && answer->front().decided().error() == 0) {
      theirs_ = std::max(theirs_, revision);
    } else {
      service::log_warning("cutover-untold detail=\"{}\"",
                           answer ? answer->front().decided().detail() : answer.error().message());
    }
    end();
  });
}

}  // namespace maildirsync::agent
