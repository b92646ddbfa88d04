#include "agent/destination/agreed_pause.h"

#include <utility>

#include "common/decisions/settle.h"
#include "common/service/log.h"
#include "common/wire/decisions.h"

namespace maildirsync::agent {

using decisions::Book;
using decisions::Chain;
using decisions::Word;

void AgreedPause::begin(const std::optional<std::string>& earlier) {
  if (decisions_.book().pause.empty() && earlier) {
    const Word word = *earlier == "1" ? Word::pause : Word::run;
    if (const auto kept = decisions_.change_now(
            [&](Book& book) { book.pause = decisions::say({}, {}, said_now(word, "an earlier release")); });
        !kept) {
      service::log_error("decisions-failed detail=\"{}\"", kept.error().message());
    }
  }
  const auto* last = decisions::newest(decisions_.book().pause);
  schedule_.set_paused(last != nullptr && last->word == Word::pause);
}

void AgreedPause::heard(const wire::RootDecisions& said) {
  const auto heard = wire::from_wire(said);
  if (!heard) return;
  const Chain& own = decisions_.book().pause;
  switch (decisions::relate(own, *heard)) {
    case decisions::Relation::left:
      return tell();
    case decisions::Relation::right:
      service::log_warning("decision-adopted pause agent=\"{}\" receiver=\"{}\"", describe(own), describe(*heard));
      schedule_.set_paused(heard->back().word == Word::pause);
      decisions_.change([heard = *heard](Book& book) { book.pause = heard; },
                        [this](const Result<>&) { schedule_.add_all(); });
      return;
    case decisions::Relation::contradict:
      // Of the two, the pause harms nobody.
      schedule_.set_paused(true);
      decisions_.change(
          [heard = *heard](Book& book) {
            book.pause = decisions::say(book.pause, heard, said_now(Word::pause, "pause"));
          },
          [this](const Result<>&) { tell(); });
      return;
    default:
      return;
  }
}

void AgreedPause::tell() {
  const auto link = lanes_.up();
  if (!link || !lanes_.keeps_decisions().value_or(false)) return;
  wire::Header header;
  wire::to_wire(decisions_.book().pause, *header.mutable_decide()->mutable_decisions());
  link->ask(std::move(header), [](const Result<std::vector<wire::Header>>&) {});
}

void AgreedPause::set(bool paused, std::function<void(const Result<>&)> then) {
  const bool before = schedule_.is_paused();
  if (paused) schedule_.set_paused(true);
  decisions_.change(
      [paused](Book& book) {
        const auto* last = decisions::newest(book.pause);
        const Word word = paused ? Word::pause : Word::run;
        if (last == nullptr ? !paused : last->word == word) return;
        book.pause = decisions::say(book.pause, {}, said_now(word, paused ? "pause" : "resume"));
      },
      [this, paused, before, then = std::move(then)](const Result<>& kept) {
        schedule_.set_paused(kept ? paused : before);
        if (kept) {
          tell();
          service::log_info("{}", paused ? "paused" : "resumed");
          schedule_.add_all();
        }
        then(kept);
      });
}

}  // namespace maildirsync::agent
