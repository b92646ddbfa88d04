#pragma once

#include <string>

#include "common/os/result.h"

struct x509_st;

namespace maildirsync::net {

/// In a program of the bundle, keeps OpenSSL from reading this machine's openssl.cnf: it is made for another release,
/// and may have it load engines. Must be called before anything else of OpenSSL. Does nothing elsewhere.
void begin_openssl();

/// "sha256:" and the hex digits of the SHA-256 of the certificate's public key (DER SubjectPublicKeyInfo, RFC 7469).
std::string fingerprint(x509_st* certificate);
/// The same, of the first certificate in a PEM file.
Result<std::string> fingerprint_of_file(const std::string& path);

/// Makes prefix.key (ECDSA P-256, mode 0600, never overwriting) and prefix.crt (self-signed, 100 years, CN); returns
/// the fingerprint.
Result<std::string> generate_identity(const std::string& prefix, const std::string& common_name);

}  // namespace maildirsync::net
