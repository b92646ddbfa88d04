#include <charconv>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/config/values.h"

namespace maildirsync::config {

namespace {

constexpr std::size_t k_max_host = 253;  // RFC 1035, 2.3.4, without the root's dot

Failure wrong(const std::string& text, const std::string& what) {
  return failure(
      ErrorCode::config, "",
      in_quotes(text) + " " + what + "; write host:port, such as \"mail.example.org:4465\" or \"[2001:db8::1]:4465\"");
}

bool is_address(int family, const std::string& host) {
  in6_addr address{};
  return ::inet_pton(family, host.c_str(), &address) == 1;
}

/// An IPv6 address, with the zone that a link-local one needs ("fe80::1%eth0").
bool is_v6(const std::string& host) {
  const std::size_t percent = host.find('%');
  return percent + 1 != host.size() && is_address(AF_INET6, host.substr(0, percent));
}

bool is_name_or_v4(const std::string& host) {
  constexpr std::string_view k_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  if (host.size() > k_max_host || host.find_first_not_of(k_letters) != std::string::npos) return false;
  if (host.starts_with('.') || host.starts_with('-')) return false;
  const bool only_numbers = host.find_first_not_of("0123456789.") == std::string::npos;
  return !only_numbers || is_address(AF_INET, host);
}

}  // namespace

std::string Endpoint::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  if (colon == std::string::npos || text.ends_with(']')) return wrong(text, "names no port");

  Endpoint endpoint;
  endpoint.host = text.substr(0, colon);
  if (endpoint.host.empty()) {
    return wrong(text, "names no host (\"0.0.0.0\" and \"[::]\" stand for all addresses of this server)");
  }
  if (bracketed) {
    if (!endpoint.host.ends_with(']')) return wrong(text, "has a bracket that is not closed");
    endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    if (!is_v6(endpoint.host)) return wrong(text, "holds no IPv6 address in its brackets");
  } else {
    if (endpoint.host.find(':') != std::string::npos) return wrong(text, "holds an IPv6 address without brackets");
    if (!is_name_or_v4(endpoint.host))
      return wrong(text, "has neither an address nor the name of a host before its port");
  }

  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, endpoint.port);
  if (error != std::errc{} || rest != end || endpoint.port == 0) {
    return wrong(text, "has no port from 1 to 65535 behind its last colon");
  }
  return endpoint;
}

}  // namespace maildirsync::config
