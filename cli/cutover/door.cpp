#include "cli/cutover/door.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace maildirsync::cli {

namespace {

constexpr const char* k_head =
    "# Written by maildirsync at each move of an account, from what the agent knows: do not change it here.\n";
constexpr const char* k_reason = "The mailbox is being moved to another server. Please try again in a minute.";

/// What the maps' own syntax has no place for.
bool can_be_in_a_map(const std::string& name) {
  return !name.empty() && name.front() != '#' && std::none_of(name.begin(), name.end(), [](unsigned char c) {
    return c <= ' ' || c == 0x7f || c == ':' || c == '"' || c == '\\';
  });
}

/// A destination of Postfix that is not looked up in the DNS.
std::string next_hop(const std::string& host) {
  return "smtp:[" + (host.find(':') == std::string::npos ? host : "ipv6:" + host) + ']';
}

/// For a Dovecot that is asked before its own passdb: users who are elsewhere are sent there with the password they
/// gave. Who is not named is served there.
std::string proxied(const std::string& name, const std::string& host) {
  return name + ":::::::proxy=y nopassword=y host=" + host + '\n';
}
/// Sent to where nobody listens, they are told at once that the account is unavailable for a moment, and come again. Of
/// `nologin` Dovecot 2.3 says [CONTACTADMIN] instead, and clients ask for a password.
std::string kept_out(const std::string& name) {
  return name + ":::::::proxy=y nopassword=y host=127.0.0.1 port=1 proxy_timeout=1\n";
}

struct Server {
  std::string dovecot = k_head, transport = k_head, relay = k_head;

  void add(const DoorAccount& account, Place own, const std::string& other_host) {
    if (account.place == own) return;
    const bool moves = account.place == Place::moves;
    dovecot += moves ? kept_out(account.name) : proxied(account.name, other_host);
    transport +=
        moves ? account.name + " retry:4.3.2 " + k_reason + '\n' : account.name + ' ' + next_hop(other_host) + '\n';
    relay += account.name + " OK\n";
  }
};

}  // namespace

const char* name_of(Place place) {
  return place == Place::here ? "here" : place == Place::there ? "there" : "moves";
}

std::vector<DoorMap> door_maps(const std::string& old_host, const std::string& new_host,
                               const std::vector<DoorAccount>& accounts) {
  std::vector<DoorAccount> sorted;
  std::copy_if(accounts.begin(), accounts.end(), std::back_inserter(sorted),
               [](const DoorAccount& account) { return can_be_in_a_map(account.name); });
  std::sort(sorted.begin(), sorted.end(),
            [](const DoorAccount& left, const DoorAccount& right) { return left.name < right.name; });
  Server old_server, new_server;
  std::string table = k_head;
  for (const auto& account : sorted) {
    old_server.add(account, Place::here, new_host);
    new_server.add(account, Place::there, old_host);
    // Who is being moved is still known where he was.
    table += account.name + ' ' + (account.place == Place::there ? new_host : old_host) + '\n';
  }
  return {{"new/dovecot-proxy", new_server.dovecot},
          {"new/postfix-transport", new_server.transport},
          {"new/postfix-relay", new_server.relay},
          {"old/dovecot-proxy", old_server.dovecot},
          {"old/postfix-transport", old_server.transport},
          {"old/postfix-relay", old_server.relay},
          {"table", table}};
}

std::vector<DoorAccount> door_accounts(const Json& answer, const std::vector<std::string>& roots,
                                       const std::vector<std::string>& chosen, Place place) {
  const std::set<std::string> names(chosen.begin(), chosen.end());
  const std::set<std::string> all_of(roots.begin(), roots.end());
  std::vector<DoorAccount> accounts;
  for (const auto& account : list_of(answer, "accounts")) {
    const std::string name = text_of(account, "name");
    const bool is_chosen = names.empty() ? all_of.contains(text_of(account, "root")) : names.contains(name);
    accounts.push_back({name, is_chosen ? place : flag_of(account, "there") ? Place::there : Place::here, is_chosen});
  }
  return accounts;
}

}  // namespace maildirsync::cli
