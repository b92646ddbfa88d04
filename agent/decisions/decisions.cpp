#include "agent/decisions/decisions.h"

#include <asio/post.hpp>

#include "common/decisions/file.h"
#include "common/os/clock.h"
#include "common/service/log.h"

namespace maildirsync::agent {

using decisions::Book;

Result<std::unique_ptr<Decisions>> Decisions::open(asio::io_context& loop, const std::string& state_dir) {
  std::unique_ptr<Decisions> opened(new Decisions(loop, state_dir + "/decisions"));
  MAILDIRSYNC_ASSIGN(auto found, decisions::read_book(opened->path_));
  opened->book_ = std::move(found.book);
  opened->damage_ = std::move(found.damage);
  if (!opened->damage_.empty()) {
    service::log_warning("decisions-damaged detail=\"{}\" action=\"the receiver's word counts\"", opened->damage_);
  }
  ++opened->book_.run;
  MAILDIRSYNC_TRY(decisions::write_book(opened->path_, opened->book_));
  return opened;
}

Decisions::~Decisions() {
  stop();
}

void Decisions::stop() {
  stopped_ = true;
  waiting_.clear();
  writer_.join();
}

Result<> Decisions::change_now(const std::function<void(Book&)>& change) {
  Book next = book_;
  change(next);
  if (next == book_) return {};
  MAILDIRSYNC_TRY(decisions::write_book(path_, next));
  book_ = std::move(next);
  return {};
}

void Decisions::change(std::function<void(Book&)> change, std::function<void(const Result<>&)> then) {
  waiting_.push_back({std::move(change), std::move(then)});
  begin_next();
}

void Decisions::begin_next() {
  if (writing_ || stopped_ || waiting_.empty()) return;
  writing_ = true;
  auto next = std::make_shared<Book>(book_);
  waiting_.front().change(*next);
  asio::post(writer_, [this, next] {
    auto written = std::make_shared<Result<>>(*next == book_ ? Result<>() : decisions::write_book(path_, *next));
    asio::post(loop_, [this, next, written] {
      if (stopped_) return;
      if (*written) {
        book_ = std::move(*next);
      } else {
        service::log_error("decisions-failed detail=\"{}\"", written->error().message());
      }
      auto done = std::move(waiting_.front());
      waiting_.pop_front();
      writing_ = false;
      done.then(*written);
      begin_next();
    });
  });
}

decisions::Decision said_now(decisions::Word word, const std::string& by) {
  return {.number = 0,
          .word = word,
          .id = decisions::random_id(),
          .when = decisions::stamp_of(os::wall_clock() / 1'000'000'000),
          .by = by,
          .given_until = 0};
}

}  // namespace maildirsync::agent
