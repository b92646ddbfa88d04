// Bytes of a connection, as either side reads them: frames, and in them what is checked on its way from the wire.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <google/protobuf/stubs/logging.h>

#include "common/os/directory.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "common/wire/listing.h"

namespace {

using namespace maildirsync;

std::string on_the_wire(const sync::Operation& operation) {
  wire::Operation message;
  wire::to_wire(operation, message);
  return message.SerializeAsString();
}

/// What was accepted is confined, and stays what it is over another way through the wire.
void check(const sync::Operation& operation) {
  wire::Operation message;
  wire::to_wire(operation, message);
  const auto back = wire::from_wire(message);
  if (!back || on_the_wire(*back) != message.SerializeAsString()) std::abort();
  for (const auto* at : {&operation.from, &operation.to}) {
    if (!os::is_confined(at->folder) || at->name.find('/') != std::string::npos || at->name == "..") std::abort();
  }
}

void read(wire::Header& header) {
  if (header.has_operation()) {
    if (const auto operation = wire::from_wire(header.operation())) check(*operation);
  }
  if (!header.has_listing() || !wire::unpack(*header.mutable_listing())) return;
  for (const auto& folder : header.listing().folders()) {
    (void)wire::from_wire(folder.shape());
    for (const auto& entry : folder.entries())
      (void)wire::from_wire(entry);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  [[maybe_unused]] static const auto unsaid = google::protobuf::SetLogHandler(nullptr);  // it tells of each bad text
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (rest.size() >= wire::k_prefix) {
    const auto lengths = wire::decode_prefix(rest.substr(0, wire::k_prefix));
    rest.remove_prefix(wire::k_prefix);
    if (!lengths || rest.size() < std::size_t{lengths->header} + lengths->payload) return 0;
    auto frame =
        wire::decode(rest.substr(0, lengths->header), std::string(rest.substr(lengths->header, lengths->payload)));
    if (!frame) return 0;
    read(frame->header);
    rest.remove_prefix(std::size_t{lengths->header} + lengths->payload);
  }
  return 0;
}
