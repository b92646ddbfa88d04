#include "cli/setup/address.h"

#include <array>
#include <memory>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/config/config.h"
#include "common/os/host.h"

namespace maildirsync::cli {

namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses resolve(const std::string& host, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) found = nullptr;
  return {found, ::freeaddrinfo};
}

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr) >> 24U) == 127;
  }
  return address->sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

/// Debian writes the host's own name into /etc/hosts as 127.0.1.1, which tells nothing about what others see; a name
/// with a domain is taken to be known to them.
bool leads_to_others(const std::string& name) {
  if (name.find('.') == std::string::npos) return false;
  if (name.find(".local") != std::string::npos) return false;
  return true;
}

/// The first address of an interface that others may reach; "" when there is none.
std::string interface_address() {
  ifaddrs* found = nullptr;
  if (::getifaddrs(&found) != 0) return "";
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(found, ::freeifaddrs);
  std::string v6;
  for (const ifaddrs* one = found; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0 || is_loopback(one->ifa_addr)) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (one->ifa_addr->sa_family == AF_INET) {
      ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text.data(), text.size());
      return text.data();
    }
    if (one->ifa_addr->sa_family == AF_INET6 && v6.empty()) {
      const auto& address = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
      if (!IN6_IS_ADDR_LINKLOCAL(&address)) v6 = ::inet_ntop(AF_INET6, &address, text.data(), text.size());
    }
  }
  return v6;
}

}  // namespace

std::string known_host_name() {
  const std::string name = os::host_name();
  if (name.empty()) return "localhost";
  const Addresses found = resolve(name.c_str(), AI_CANONNAME);
  const bool known = found && found->ai_canonname != nullptr && std::string(found->ai_canonname) != "localhost";
  return known ? found->ai_canonname : name;
}

Result<std::string> reachable_address(const std::string& listen, const std::string& wanted) {
  MAILDIRSYNC_ASSIGN(const auto own, config::parse_endpoint(listen));
  if (!wanted.empty()) {
    if (const auto whole = config::parse_endpoint(wanted)) return whole->text();
    const auto host = config::parse_endpoint(wanted + ":" + std::to_string(own.port));
    if (!host) return failure(ErrorCode::config, "", "--address: " + host.error().detail);
    return host->text();
  }
  config::Endpoint reached = own;
  if (own.host == "0.0.0.0" || own.host == "::") {
    reached.host = known_host_name();
    if (!leads_to_others(reached.host)) {
      const std::string address = interface_address();
      if (!address.empty()) reached.host = address;
    }
  }
  return reached.text();
}

}  // namespace maildirsync::cli
