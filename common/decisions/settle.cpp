#include "common/decisions/settle.h"

#include <fmt/format.h>

namespace maildirsync::decisions {

Next next_of_agent(const Chain& agents, const Chain& receivers, bool was_something) {
  switch (relate(agents, receivers)) {
    case Relation::unknown:
      return was_something ? Next::hold : Next::begin;
    case Relation::same:
      return Next::go_on;
    case Relation::left:
      return Next::tell;
    case Relation::right:
      return Next::adopt;
    case Relation::contradict:
      break;
  }
  return Next::hold;
}

const Chain& kept_by_receiver(const Chain& kept, const Chain& told) {
  return relate(told, kept) == Relation::left ? told : kept;
}

const Chain& newer_copy(const Chain& file, const Chain& copy) {
  switch (relate(file, copy)) {
    case Relation::right:
      return copy;
    case Relation::contradict:
      return copy.back().word == Word::drain || copy.back().word == Word::pause ? copy : file;
    default:
      return file;
  }
}

Token token_of(const Chain& chain) {
  const Decision* last = newest(chain);
  return last == nullptr ? Token{} : Token{last->number, last->id};
}

Admits admits(const Chain& kept, const Token& token) {
  const Decision* last = newest(kept);
  if (last == nullptr) return token.number == 0 ? Admits::everything : Admits::nothing;
  const bool names_none = token.number == 0;
  if (!names_none && (token.number != last->number || token.id != last->id)) return Admits::nothing;
  return last->word == Word::drain ? Admits::new_mail : Admits::everything;
}

std::string describe(const Chain& chain) {
  const Decision* last = newest(chain);
  if (last == nullptr) return "nothing";
  return fmt::format("{}, number {}, said {} by {}", to_string(last->word), last->number, last->when, last->by);
}

}  // namespace maildirsync::decisions
