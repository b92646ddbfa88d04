#include "common/net/identity.h"

#include <array>
#include <cerrno>
#include <memory>
#include <span>

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/hex.h"
#include "common/os/host.h"

namespace maildirsync::net {

namespace {

constexpr std::size_t k_max_file = 1024 * 1024;
constexpr long k_century = 36525L * 24 * 60 * 60;
constexpr long k_clock_skew = 24L * 60 * 60;

struct Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Bio = std::unique_ptr<BIO, Free>;

Failure openssl_failure(const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return failure(ErrorCode::tls, "", what + (reason != nullptr ? std::string(": ") + reason : ""));
}

bool set_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // positive and not zero (RFC 5280, 4.1.2.2)
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr), BN_free);
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_names(X509* certificate, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1;
}

Result<Certificate> make_certificate(EVP_PKEY* key, const std::string& common_name) {
  Certificate certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 || !set_serial(certificate.get()) ||
      X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -k_clock_skew) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(certificate.get()), k_century) == nullptr ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return openssl_failure("a certificate could not be made");
  }
  if (common_name.size() > 255 || !set_names(certificate.get(), common_name)) {
    return openssl_failure("a certificate can't be made for the name \"" + common_name +
                           "\" (it has 1 to 64 characters)");
  }
  if (X509_sign(certificate.get(), key, EVP_sha256()) == 0) return openssl_failure("a certificate could not be signed");
  return certificate;
}

/// The bytes of a memory BIO that was written with a key; wiped when they go.
class Pem {
 public:
  Pem() : bio_(BIO_new(BIO_s_mem())) {}
  Pem(const Pem&) = delete;
  Pem& operator=(const Pem&) = delete;
  ~Pem() { OPENSSL_cleanse(data(), size()); }
  BIO* bio() { return bio_.get(); }
  std::string_view bytes() { return {data(), size()}; }

 private:
  char* data() {
    char* start = nullptr;
    BIO_get_mem_data(bio_.get(), &start);
    return start;
  }
  std::size_t size() {
    char* start = nullptr;
    return static_cast<std::size_t>(BIO_get_mem_data(bio_.get(), &start));
  }
  Bio bio_;
};

/// A file of our making; taken away again unless it is kept.
class NewFile {
 public:
  static Result<std::unique_ptr<NewFile>> create(const std::string& path, mode_t mode) {
    os::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd) return os_failure(path, "can't be made", errno);
    return std::unique_ptr<NewFile>(new NewFile(std::move(fd), path, mode));
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (!kept_) ::unlink(path_.c_str());
  }

  Result<> write(std::string_view bytes) {
    if (::fchmod(fd_.get(), mode_) != 0) return os_failure(path_, "its mode can't be set", errno);
    MAILDIRSYNC_TRY(os::write_all(fd_.get(), bytes, path_));
    if (::fsync(fd_.get()) != 0) return os_failure(path_, "can't be synced", errno);
    return {};
  }
  void keep() { kept_ = true; }

 private:
  NewFile(os::Fd fd, std::string path, mode_t mode) : fd_(std::move(fd)), path_(std::move(path)), mode_(mode) {}

  os::Fd fd_;
  std::string path_;
  mode_t mode_;
  bool kept_ = false;
};

}  // namespace

void begin_openssl() {
  if (os::is_bundled()) ::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
}

std::string fingerprint(x509_st* certificate) {
  unsigned char* der = nullptr;
  const int size = certificate == nullptr ? -1 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(der, static_cast<std::size_t>(size), digest.data());
  OPENSSL_free(der);
  return "sha256:" + os::to_hex(std::span(digest.data(), digest.size()));
}

Result<std::string> fingerprint_of_file(const std::string& path) {
  MAILDIRSYNC_ASSIGN(const auto bytes, os::read_file(path, k_max_file));
  const Bio bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return openssl_failure(path + " holds no certificate in PEM form");
  std::string text = fingerprint(certificate.get());
  if (text.empty()) return openssl_failure(path + " holds a certificate without a usable public key");
  return text;
}

Result<std::string> generate_identity(const std::string& prefix, const std::string& common_name) {
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return openssl_failure("a key could not be made");
  MAILDIRSYNC_ASSIGN(const auto certificate, make_certificate(key.get(), common_name));

  Pem key_pem;
  Pem certificate_pem;
  if (PEM_write_bio_PrivateKey(key_pem.bio(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_pem.bio(), certificate.get()) != 1) {
    return openssl_failure("a key could not be written as PEM");
  }

  MAILDIRSYNC_ASSIGN(const auto key_file, NewFile::create(prefix + ".key", 0600));
  MAILDIRSYNC_ASSIGN(const auto certificate_file, NewFile::create(prefix + ".crt", 0644));
  MAILDIRSYNC_TRY(key_file->write(key_pem.bytes()));
  MAILDIRSYNC_TRY(certificate_file->write(certificate_pem.bytes()));
  key_file->keep();
  certificate_file->keep();
  return fingerprint(certificate.get());
}

}  // namespace maildirsync::net
