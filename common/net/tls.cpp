#include "common/net/tls.h"

#include <optional>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/net/identity.h"

namespace maildirsync::net {

namespace {

Failure refused(const std::string& file, const std::string& what, const std::string& why) {
  return failure(ErrorCode::config, "", file + " can't be used as " + what + ": " + why);
}

// Without one, OpenSSL asks the terminal and the daemon hangs.
int no_password(char*, int, int, void*) {
  return -1;
}

Result<> load_identity(asio::ssl::context& context, const std::string& certificate, const std::string& key) {
  asio::error_code error;
  context.use_certificate_chain_file(certificate, error);
  if (error) return refused(certificate, "the certificate", error.message());
  SSL_CTX_set_default_passwd_cb(context.native_handle(), no_password);
  context.use_private_key_file(key, asio::ssl::context::pem, error);
  if (error) return refused(key, "the key of " + certificate, error.message());
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    return refused(key, "the key of " + certificate, "they do not belong together");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<asio::ssl::context>> make_context(Side side, const std::string& certificate,
                                                         const std::string& key) {
  auto context = std::make_shared<asio::ssl::context>(side == Side::client ? asio::ssl::context::tls_client
                                                                           : asio::ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  if (SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION) != 1 || SSL_CTX_set_num_tickets(native, 0) != 1) {
    return failure(ErrorCode::tls, "", "this OpenSSL does not do TLS 1.3");
  }
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(native, SSL_OP_NO_TICKET);
  // Until pin_peer says whom to trust, nobody is trusted: there are no authorities.
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  MAILDIRSYNC_TRY(load_identity(*context, certificate, key));
  return context;
}

void pin_peer(TlsStream& stream, std::function<bool(const std::string& fingerprint)> accept) {
  stream.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  // OpenSSL calls once for each objection (self-signed, expired) and once more at the end: all get the same answer.
  stream.set_verify_callback(
      [accept = std::move(accept), known = std::optional<bool>()](bool, asio::ssl::verify_context& verify) mutable {
        X509_STORE_CTX* store = verify.native_handle();
        if (X509_STORE_CTX_get_error_depth(store) != 0) return true;
        if (!known) {
          const std::string shown = fingerprint(X509_STORE_CTX_get0_cert(store));
          known = !shown.empty() && accept(shown);
        }
        return *known;
      });
}

}  // namespace maildirsync::net
