#include "common/wire/decisions.h"

#include <algorithm>
#include <limits>

namespace maildirsync::wire {

namespace {

constexpr std::size_t k_longest_text = 256;
constexpr std::size_t k_longest_word = 32;
constexpr std::uint64_t k_highest = std::numeric_limits<std::uint64_t>::max() / 2;

/// What may stand in the file as a word: an id, a stamp.
bool is_word(const std::string& text) {
  return !text.empty() && text.size() <= k_longest_word && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == ':';
  });
}

}  // namespace

void to_wire(const decisions::Chain& chain, RootDecisions& out) {
  for (const auto& decision : chain) {
    auto& one = *out.add_chain();
    one.set_number(decision.number);
    one.set_word(static_cast<std::uint32_t>(decision.word));
    one.set_id(decision.id);
    one.set_when(decision.when);
    one.set_by(decision.by);
    one.set_given_until(decision.given_until);
  }
}

Result<decisions::Chain> from_wire(const RootDecisions& decisions) {
  if (static_cast<std::size_t>(decisions.chain_size()) > decisions::k_longest_chain) {
    return failure(ErrorCode::protocol, "", "too many decisions of one root");
  }
  decisions::Chain chain;
  for (const auto& one : decisions.chain()) {
    const bool is_word_known = one.word() >= static_cast<std::uint32_t>(decisions::Word::mirror) &&
                               one.word() <= static_cast<std::uint32_t>(decisions::Word::pause);
    if (one.number() == 0 || one.number() > k_highest || !is_word_known || !is_word(one.id()) || !is_word(one.when()) ||
        one.by().size() > k_longest_text || one.given_until() < 0) {
      return failure(ErrorCode::protocol, "", "a decision is not one");
    }
    chain.push_back(
        {one.number(), static_cast<decisions::Word>(one.word()), one.id(), one.when(), one.by(), one.given_until()});
  }
  return chain;
}

}  // namespace maildirsync::wire
