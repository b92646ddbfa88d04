// The record of a cutover belongs to one program at a time: whoever writes it names the holder that it found, so that
// of two that begin at one moment one is refused.

#include "agent/decisions/cutover_record.h"

#include "agent/requests/commands.h"
#include "agent/requests/requests.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

void replace(Requests& requests, const json& request, Reply reply) {
  CutoverRecord& kept = requests.cutover();
  json next = request["record"];
  if (!CutoverRecord::is_sound(next)) {
    return reply->finish(control::error("usage", "this is not a cutover's record"));
  }
  if (request.value("expects", "") != kept.holder()) {
    return reply->finish(
        {{"ok", false}, {"record", kept.record()}, {"message", "another cutover has begun at the same time"}});
  }
  next["revision"] = requests.cutover_copy().next_revision();
  kept.replace(std::move(next), [&requests, reply](const Result<>& written) {
    if (!written) return reply->finish(control::error("state", written.error().message()));
    requests.cutover_copy().tell([reply] { reply->finish({{"ok", true}}); });
  });
}

}  // namespace

/// What a program that is gone has asked for is on the disk before another one reads the record.
void cutover_record(Requests& requests, const json& request, Reply reply) {
  CutoverRecord& kept = requests.cutover();
  kept.when_idle([&requests, &kept, request, reply] {
    if (request.contains("record")) return replace(requests, request, reply);
    reply->finish({{"ok", true}, {"record", kept.record()}});
  });
}

}  // namespace maildirsync::agent
