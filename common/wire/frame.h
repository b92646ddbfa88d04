#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/result.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::wire {

inline constexpr std::uint32_t k_version = 1;
inline constexpr std::size_t k_max_header = 512 * 1024;   ///< bytes of a protobuf header
inline constexpr std::size_t k_max_payload = 256 * 1024;  ///< bytes of a raw payload
inline constexpr std::size_t k_prefix = 8;                ///< two little-endian u32: header and payload length
inline constexpr std::size_t k_max_frame = k_prefix + k_max_header + k_max_payload;
inline constexpr std::size_t k_max_packed = 1024 * 1024;  ///< bytes of the frames in a Packed, unpacked

/// One frame: a header and raw bytes.
struct Frame {
  Header header;
  std::string payload;
};

/// Appends the frame's bytes. The caller keeps to the bounds (asserted).
void encode(const Header& header, std::string_view payload, std::string& out);

/// The lengths of a prefix of k_prefix bytes; protocol when one is over its bound.
struct Lengths {
  std::uint32_t header = 0;
  std::uint32_t payload = 0;
};
Result<Lengths> decode_prefix(std::string_view prefix);

/// The header of those bytes; protocol when it is not one of ours.
Result<> decode_header(std::string_view bytes, Header& header);
/// The frame of a header and payload of those lengths.
Result<Frame> decode(std::string_view header, std::string payload);

}  // namespace maildirsync::wire
