#include "common/decisions/decision.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "common/os/clock.h"

namespace maildirsync::decisions {

std::string_view to_string(Word word) {
  switch (word) {
    case Word::mirror:
      return "mirror";
    case Word::drain:
      return "drain";
    case Word::run:
      return "run";
    case Word::pause:
      return "pause";
  }
  return "unknown";
}

const Decision* newest(const Chain& chain) {
  return chain.empty() ? nullptr : &chain.back();
}

bool contains(const Chain& chain, const Decision& decision) {
  return std::any_of(chain.begin(), chain.end(),
                     [&](const Decision& known) { return known.number == decision.number && known.id == decision.id; });
}

Relation relate(const Chain& left, const Chain& right) {
  if (left.empty() && right.empty()) return Relation::unknown;
  if (right.empty()) return Relation::left;
  if (left.empty()) return Relation::right;
  const Decision& ours = left.back();
  const Decision& theirs = right.back();
  if (ours.number == theirs.number && ours.id == theirs.id) return Relation::same;
  if (contains(left, theirs)) return Relation::left;
  if (contains(right, ours)) return Relation::right;
  if (ours.word != theirs.word) return Relation::contradict;
  const bool is_ours =
      ours.number != theirs.number ? ours.number > theirs.number : ours.id > theirs.id;  // both choose the same
  return is_ours ? Relation::left : Relation::right;
}

Chain say(const Chain& mine, const Chain& heard, Decision said) {
  Chain chain = mine;
  if (const Decision* theirs = newest(heard); theirs != nullptr && !contains(chain, *theirs)) chain.push_back(*theirs);
  said.number = 1;
  for (const Chain* known : {&mine, &heard}) {
    for (const auto& earlier : *known)
      said.number = std::max(said.number, earlier.number + 1);
  }
  chain.push_back(std::move(said));
  if (chain.size() > k_longest_chain) chain.erase(chain.begin(), chain.end() - k_longest_chain);
  return chain;
}

std::string random_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", static_cast<std::uint32_t>(device()), static_cast<std::uint32_t>(device()));
}

std::string stamp_of(std::int64_t seconds) {
  return os::stamp_of(static_cast<std::time_t>(seconds));
}

}  // namespace maildirsync::decisions
