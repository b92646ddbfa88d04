#include "cli/deploy/here.h"

#include <iostream>

#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/setup/places.h"
#include "common/config/document.h"

namespace maildirsync::cli {

void tell(const std::string& line) {
  std::cerr << line << '\n' << std::flush;
}

int fail(const Options& options, const Error& error) {
  complain(error.message());
  if (options.json) print(to_line({{"done", false}, {"healthy", false}, {"detail", error.message()}}));
  return error.code == ErrorCode::config ? k_exit_usage : k_exit_incomplete;
}

std::string without_name(std::string sentence) {
  for (const char* name : {"maildirsync: ", "install: ", "uninstall: "}) {
    if (sentence.starts_with(name)) sentence.erase(0, std::string(name).size());
  }
  return sentence;
}

Result<Json> json_of(const Said& said) {
  Json json = Json::parse(said.out, nullptr, false);
  if (json.is_discarded() || !json.is_object())
    return failure(ErrorCode::protocol, "", "an unexpected answer: " + said.last_words());
  for (const auto& note : list_of(json, "notes")) {
    if (note.is_string()) tell("  " + note.get<std::string>());
  }
  return json;
}

std::string reason_of(const Said& said, const Json& json) {
  const auto& notes = list_of(json, "notes");
  return notes.empty() ? said.last_words() : notes.back().dump();
}

Result<Json> run_here(std::vector<std::string> words) {
  words.insert(words.begin(), {"/proc/self/exe", "--json"});
  MAILDIRSYNC_ASSIGN(const auto said, run_caught(words, {}, k_step_seconds));
  if (!said.good() && said.out.empty()) return failure(ErrorCode::io, "", "here: " + without_name(said.last_words()));
  MAILDIRSYNC_ASSIGN(auto json, json_of(said));
  if (!said.good()) return failure(ErrorCode::io, "", "here: " + reason_of(said, json));
  return json;
}

std::string receiver_config() {
  return places_of(Role::receiver, "", "").config;
}

std::set<std::string> receivers_peer_files() {
  const auto receiver = config::read_receiver(receiver_config());
  std::set<std::string> files;
  if (!receiver) return files;
  for (const auto& peer : receiver->peers)
    files.insert(peer.file);
  return files;
}

Result<config::Endpoint> receivers_address() {
  MAILDIRSYNC_ASSIGN(const auto document, config::read_document(receiver_config()));
  const config::Value* listen = document.find("listen");
  return config::parse_endpoint(listen == nullptr ? "" : listen->text);
}

void forget_peer(const std::string& fingerprint) {
  const auto receiver = config::read_receiver(receiver_config());
  if (!receiver || fingerprint.empty()) return;
  for (const auto& peer : receiver->peers) {
    if (peer.fingerprint != fingerprint) continue;
    for (const auto& root : peer.roots)
      print("left here: the mail in " + root.path + '\n');
    if (peer.file == receiver_config()) {
      print("left here: the peer " + peer.name + " in " + peer.file + '\n');
      continue;
    }
    ::unlink(peer.file.c_str());
    tell(peer.file + " is gone here");
    if (const auto told = run_here({"reload"}); !told)
      tell("the receiver does not run: it reads that at its next start");
  }
}

}  // namespace maildirsync::cli
