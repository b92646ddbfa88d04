#include "common/wire/frame.h"

#include <array>
#include <cassert>

namespace maildirsync::wire {

namespace {

void append_u32(std::uint32_t value, std::string& out) {
  for (int shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<char>((value >> shift) & 0xff));
}

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i)
    value = (value << 8) | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return value;
}

}  // namespace

void encode(const Header& header, std::string_view payload, std::string& out) {
  const std::size_t size = header.ByteSizeLong();
  assert(size <= k_max_header && payload.size() <= k_max_payload);
  append_u32(static_cast<std::uint32_t>(size), out);
  append_u32(static_cast<std::uint32_t>(payload.size()), out);
  const std::size_t start = out.size();
  out.resize(start + size);
  header.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out.data() + start));
  out.append(payload);
}

Result<Lengths> decode_prefix(std::string_view prefix) {
  if (prefix.size() != k_prefix) return failure(ErrorCode::protocol, "", "a frame's prefix has the wrong size");
  const Lengths lengths{read_u32(prefix), read_u32(prefix.substr(4))};
  if (lengths.header > k_max_header || lengths.payload > k_max_payload) {
    return failure(ErrorCode::protocol, "",
                   "a frame is over the bound: header of " + std::to_string(lengths.header) + " bytes, payload of " +
                       std::to_string(lengths.payload) + " bytes");
  }
  return lengths;
}

Result<> decode_header(std::string_view bytes, Header& header) {
  if (!header.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return failure(ErrorCode::protocol, "", "a frame's header is not one of this protocol");
  }
  if (header.kind_case() == Header::KIND_NOT_SET) {
    return failure(ErrorCode::protocol, "", "a frame's header is of a kind that this version does not know");
  }
  return {};
}

Result<Frame> decode(std::string_view header, std::string payload) {
  Frame frame;
  MAILDIRSYNC_TRY(decode_header(header, frame.header));
  frame.payload = std::move(payload);
  return frame;
}

}  // namespace maildirsync::wire
