#include "agent/turn/control_body.h"

#include <algorithm>
#include <utility>

#include "common/codec/delta.h"
#include "common/codec/digest.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_most_delta = 4 * 1024 * 1024;  // in memory; a longer one saves little

/// Digests of a content that may begin with what the destination holds.
struct Digests {
  sync::Digest whole, appended;
  bool is_appended = false;  ///< it does begin with that
};

Result<Digests> digests_of(const os::Content& content, const std::optional<ControlBasis>& basis) {
  const std::uint64_t begins_with = basis && basis->size <= content.size() ? basis->size : 0;
  codec::Digester whole, appended;
  const auto digest_up_to = [&](std::uint64_t from, std::uint64_t to) {
    return content.read(from, to, [&](std::string_view piece) -> Result<> {
      whole.update(piece);
      if (from == begins_with) appended.update(piece);
      return {};
    });
  };
  Digests digests;
  if (begins_with > 0) {
    MAILDIRSYNC_TRY(digest_up_to(0, begins_with));
    digests.is_appended = whole.finish() == basis->digest;
  }
  MAILDIRSYNC_TRY(digest_up_to(begins_with, content.size()));
  digests.whole = whole.finish();
  digests.appended = appended.finish();
  return digests;
}

}  // namespace

Failure changed_while_read(const std::string& path) {
  return failure(ErrorCode::changed_while_read, path, "the file changed while it was read; it is looked at again");
}

Result<ControlBody> control_body(const os::Content& content, const std::optional<ControlBasis>& basis,
                                 const std::optional<sync::Digest>& expected, const std::string& path) {
  MAILDIRSYNC_ASSIGN(const auto digests, digests_of(content, basis));
  if (expected && digests.whole != *expected) return changed_while_read(path);
  ControlBody made{.body = {.content = content, .end = content.size(), .digest = digests.whole},
                   .digest = digests.whole};
  const bool is_signed = basis && basis->signature;
  auto fresh = digests.is_appended && is_signed ? codec::signature_of_appended(*basis->signature, basis->size, content)
                                                : codec::signature(content);
  if (fresh) made.signature = std::move(*fresh);
  if (digests.is_appended) {
    auto [head, tail] = codec::delta_of_appended(basis->size, content.size());
    Body grown{.content = content,
               .offset = basis->size,
               .end = content.size(),
               .head = std::move(head),
               .tail = std::move(tail),
               .digest = digests.appended};
    if (grown.size() >= content.size() / 2) return made;
    made.body = std::move(grown);
    made.basis = basis->digest;
    return made;
  }
  if (!is_signed) return made;
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(content.size() / 2, k_most_delta));
  auto delta = codec::delta(*basis->signature, content, most);
  if (!delta) return made;
  made.delta = std::make_shared<const std::string>(std::move(*delta));
  made.body = {.content = *made.delta, .end = made.delta->size()};
  made.basis = basis->digest;
  return made;
}

}  // namespace maildirsync::agent
