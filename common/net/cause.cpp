#include "common/net/cause.h"

#include <asio/error.hpp>
#include <asio/ssl/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace maildirsync::net {

namespace {

std::string within(int seconds) {
  return " within " + std::to_string(seconds) + " s";
}

/// What the other side sent is not TLS at all: a mail server's banner, an answer of a web server.
bool is_other_language(const asio::error_code& error) {
  if (error.category() != asio::error::get_ssl_category()) return false;
  switch (ERR_GET_REASON(static_cast<unsigned long>(error.value()))) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_UNKNOWN_PROTOCOL:
      return true;
    default:
      return false;
  }
}

}  // namespace

Cause cause_of_connect(const std::string& where, const asio::error_code& error, Ended ended, int seconds) {
  const std::string cannot = "cannot connect to the receiver " + where + ": ";
  if (ended == Ended::by_time || error == asio::error::timed_out) {
    return {ErrorCode::unreachable,
            cannot + "no answer" + within(seconds) + ": a firewall drops what we send, or no machine has the address",
            "open the port in every firewall between the servers, and check `receiver`"};
  }
  if (error == asio::error::connection_refused) {
    return {ErrorCode::unreachable, cannot + "it refuses the connection: nobody listens on that port there",
            "start maildirsyncd there, and check that `receiver` here and `listen` there name the same port"};
  }
  if (error == asio::error::host_unreachable || error == asio::error::network_unreachable) {
    return {ErrorCode::unreachable, cannot + "there is no way to it: " + error.message(),
            "check the address in `receiver`, the routes and the firewalls"};
  }
  return {ErrorCode::unreachable, cannot + error.message(), "is maildirsyncd running there and its port open?"};
}

Cause cause_of_handshake(const std::string& where, const asio::error_code& error, Ended ended, int seconds) {
  if (ended == Ended::by_time) {
    return {ErrorCode::timed_out,
            where + " takes the connection and then says nothing" + within(seconds) +
                ": the program there is stopped or hangs, or it is another service that waits for us to speak",
            "look on the new server: systemctl status maildirsyncd, and maildirsync doctor"};
  }
  if (is_other_language(error)) {
    return {ErrorCode::wrong_service, "what listens at " + where + " does not speak TLS: it is another service",
            "put the port of `receiver` right: it is that of `listen` at maildirsyncd, 4465 if nobody changed it"};
  }
  const bool cut = error == asio::error::eof || error == asio::error::connection_reset ||
                   error == asio::error::broken_pipe || error == asio::ssl::error::stream_truncated;
  if (cut) {
    return {ErrorCode::unreachable,
            where +
                " ends the connection before it shows a key: another service listens there, a proxy with nobody "
                "behind it, or maildirsyncd is being stopped",
            "is that maildirsyncd's port? See its log on the new server"};
  }
  return {ErrorCode::tls, "the TLS handshake with " + where + " failed: " + error.message(),
          "is that maildirsyncd's port? Compare the fingerprints of both sides, and install the same release on both"};
}

}  // namespace maildirsync::net
