#include "daemon/session/acks.h"

#include <string>
#include <utility>

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_failures_in_ack = 500;
constexpr std::size_t k_detail = 800;  // bytes of a sentence

}  // namespace

std::vector<wire::Header> acks_of(const std::vector<Committed>& done) {
  std::vector<wire::Header> acks;
  wire::Header header;
  std::size_t special = 0;
  const auto shortened = [](const std::string& text) { return text.substr(0, k_detail); };
  for (const auto& one : done) {
    auto& ack = *header.mutable_ack();
    ack.set_sequence(one.sequence);
    if (one.error) {
      ++special;
      auto& failed = *ack.add_failed();
      failed.set_sequence(one.sequence);
      failed.set_code(static_cast<std::uint32_t>(one.error->code));
      failed.set_detail(shortened(one.error->message()));
      failed.set_whole_root(one.account->root_error && one.account->root_error->code != ErrorCode::owned_by_another);
      failed.set_untouched(one.untouched);
    } else if (!one.outcome.renamed.empty()) {
      ++special;
      auto& renamed = *ack.add_renamed();
      renamed.set_sequence(one.sequence);
      renamed.set_name(one.outcome.renamed);
      renamed.set_detail(shortened(one.outcome.detail));
    }
    if (!one.error && one.lesser_mode) {
      ++special;
      auto& lesser = *ack.add_lesser_modes();
      lesser.set_sequence(one.sequence);
      lesser.set_mode(*one.lesser_mode);
    }
    if (!one.error && one.outcome.other_time) {
      ++special;
      auto& other = *ack.add_other_times();
      other.set_sequence(one.sequence);
      other.set_time(*one.outcome.other_time);
    }
    if (one.outcome.indexed && !one.error) {
      ++special;
      ack.add_indexed(one.sequence);
    }
    for (const auto& look : one.looks) {
      ++special;
      auto& left = *ack.add_left();
      left.set_sequence(one.sequence);
      left.set_folder(look.folder);
      left.set_before(look.before);
      left.set_after(look.after);
    }
    if (special < k_failures_in_ack) continue;
    acks.push_back(std::exchange(header, {}));
    special = 0;
  }
  if (header.has_ack()) acks.push_back(std::move(header));
  return acks;
}

}  // namespace maildirsync::daemon
