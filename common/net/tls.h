#pragma once

#include <functional>
#include <memory>
#include <string>

#include <asio/ip/tcp.hpp>
#include <asio/ssl.hpp>

#include "common/os/result.h"

namespace maildirsync::net {

using TlsStream = asio::ssl::stream<asio::ip::tcp::socket>;

enum class Side { client, server };

/// A context of TLS 1.3 only, with our certificate and key, that demands the peer's certificate. Pinning is set on
/// each stream by pin_peer. Session resumption is off: every connection proves both keys.
Result<std::shared_ptr<asio::ssl::context>> make_context(Side side, const std::string& certificate,
                                                         const std::string& key);

/// Verifies the peer by the fingerprint of its public key alone. `accept` gets the fingerprint that the peer shows and
/// says whether it is a known one; otherwise the handshake fails. Called on the event loop.
void pin_peer(TlsStream& stream, std::function<bool(const std::string& fingerprint)> accept);

}  // namespace maildirsync::net
