#pragma once

#include <string>

#include <asio/error_code.hpp>

#include "common/os/result.h"

namespace maildirsync::net {

/// Why a peer cannot be talked to, told apart as far as the outside shows it: each cause has another remedy.
struct Cause {
  ErrorCode code = ErrorCode::unreachable;
  std::string what;    ///< a sentence
  std::string remedy;  ///< another one

  std::string sentence() const { return what + "; " + remedy; }
};

/// Whether an attempt ended by itself, or was ended because its time was over.
enum class Ended { by_itself, by_time };

/// Of a TCP connection to `where` (host:port) that was not made within `seconds`.
Cause cause_of_connect(const std::string& where, const asio::error_code& error, Ended ended, int seconds);
/// Of a TLS handshake that did not succeed on a connection that was made.
Cause cause_of_handshake(const std::string& where, const asio::error_code& error, Ended ended, int seconds);

}  // namespace maildirsync::net
