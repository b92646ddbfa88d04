#include "daemon/decisions/key_holders.h"

#include <algorithm>
#include <span>

#include <nlohmann/json.hpp>

#include "common/decisions/decision.h"
#include "common/os/directory.h"
#include "common/os/hex.h"
#include "common/os/replace_file.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

using nlohmann::json;

namespace {

constexpr std::size_t k_largest = 1024 * 1024;
constexpr std::size_t k_most_copies = 64;

/// A file for each agent: this, and the 64 hex digits of its fingerprint.
std::string path_of(const std::string& state_dir, const std::string& fingerprint) {
  return state_dir + "/holder-" + fingerprint.substr(fingerprint.find(':') + 1);
}

std::string hex(const std::string& bytes) {
  return os::to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

std::string bytes_of(const std::string& digits) {
  std::string out;
  for (std::size_t at = 0; at + 1 < digits.size(); at += 2)
    out += static_cast<char>(std::stoi(digits.substr(at, 2), nullptr, 16));
  return out;
}

json to_json(const Lease& lease) {
  return {{"number", lease.number}, {"id", lease.id}};
}

Lease lease_of(const json& text) {
  return {text.at("number").get<std::uint64_t>(), text.at("id").get<std::string>()};
}

json to_json(const std::vector<KeyHolder::Copy>& copies) {
  json list = json::array();
  for (const auto& copy : copies)
    list.push_back({{"instance", hex(copy.instance)}, {"lease", to_json(copy.lease)}});
  return list;
}

std::vector<KeyHolder::Copy> copies_of(const json& list) {
  std::vector<KeyHolder::Copy> copies;
  for (const auto& copy : list)
    copies.push_back({bytes_of(copy.at("instance").get<std::string>()), lease_of(copy.at("lease"))});
  return copies;
}

json to_json(const KeyHolder& holder) {
  const Speaker& who = holder.who;
  return {{"session", who.session},
          {"instance", hex(who.instance)},
          {"host", who.host},
          {"address", who.address},
          {"tells_place", who.tells_place},
          {"home", hex(who.home)},
          {"machine", hex(who.machine)},
          {"hardware", hex(who.hardware)},
          {"given", to_json(holder.given)},
          {"before", to_json(holder.before)},
          {"kept", holder.kept},
          {"copies", to_json(holder.copies)},
          {"unsure", to_json(holder.unsure)},
          {"beside", holder.beside}};
}

/// Throws what the library and the standard throw for text that is not as to_json() gave it.
KeyHolder holder_of(const json& text) {
  const auto string = [&](const char* key) { return text.at(key).get<std::string>(); };
  KeyHolder holder;
  holder.who = {.session = text.at("session").get<std::uint64_t>(),
                .instance = bytes_of(string("instance")),
                .host = string("host"),
                .address = string("address"),
                .tells_place = text.at("tells_place").get<bool>(),
                .home = bytes_of(string("home")),
                .machine = bytes_of(string("machine")),
                .hardware = bytes_of(string("hardware")),
                .lease = {}};
  holder.given = lease_of(text.at("given"));
  holder.before = lease_of(text.at("before"));
  holder.kept = text.at("kept").get<bool>();
  holder.copies = copies_of(text.at("copies"));
  holder.unsure = copies_of(text.at("unsure"));
  holder.beside = text.at("beside").get<std::vector<std::uint64_t>>();
  return holder;
}

/// One without a holder where there is no file, or none that can be read.
KeyHolder read_holder(const std::string& path) {
  const auto text = os::read_file(path, k_largest);
  if (!text && text.error().code == ErrorCode::vanished) return {};
  std::string why = text ? "" : text.error().message();
  if (text) {
    try {
      return holder_of(json::parse(*text));
    } catch (const std::exception& wrong) {
      why = wrong.what();
    }
  }
  service::log_warning("holder-damaged path={} detail=\"{}\" action=\"the agent that greets first is obeyed\"", path,
                       why);
  return {};
}

bool contains(const std::vector<KeyHolder::Copy>& list, const KeyHolder::Copy& copy) {
  return std::find(list.begin(), list.end(), copy) != list.end();
}

/// A new one, of an agent that showed that one.
void give_lease(KeyHolder& holder, const Lease& shown) {
  holder.before = shown;
  holder.given = {std::max(holder.given.number, shown.number) + 1, decisions::random_id()};
  holder.kept = false;
}

}  // namespace

KeyHolders::KeyHolders(std::string state_dir) : state_dir_(std::move(state_dir)) {}

std::shared_ptr<const Tenure> KeyHolders::tenure(const std::string& fingerprint) {
  const std::lock_guard lock(tenures_mutex_);
  auto& tenure = tenures_[fingerprint];
  if (!tenure) tenure = std::make_shared<Tenure>();
  return tenure;
}

/// With the lock.
KeyHolders::Known& KeyHolders::known(const std::string& fingerprint) {
  const auto [found, is_new] = known_.try_emplace(fingerprint);
  if (is_new) {
    tenure(fingerprint);
    const std::lock_guard lock(tenures_mutex_);
    found->second.tenure = tenures_[fingerprint];
    found->second.holder = read_holder(path_of(state_dir_, fingerprint));
    found->second.tenure->set(found->second.holder.who.session, found->second.holder.given);
  }
  return found->second;
}

Speaker KeyHolders::holder(const std::string& fingerprint) {
  const std::lock_guard lock(mutex_);
  return known(fingerprint).holder.who;
}

KeyJudgement KeyHolders::greet(const std::string& fingerprint, const Speaker& speaker, bool is_here) {
  if (speaker.session == 0) return {};
  const std::lock_guard lock(mutex_);
  Known& known = this->known(fingerprint);
  const auto judgement = judge_process(known.holder, speaker, is_here, known.followed.contains(speaker.session));
  if (judgement.standing != Standing::obeyed) {
    known.refused[speaker.session] = judgement.why;
  } else {
    known.refused.erase(speaker.session);
    follow(fingerprint, known, speaker);
  }
  return judgement;
}

Why KeyHolders::why_not(const std::string& fingerprint, std::uint64_t session) {
  const std::lock_guard lock(mutex_);
  const auto& refused = known(fingerprint).refused;
  const auto found = refused.find(session);
  return found == refused.end() ? Why::later_one_came : found->second;
}

/// The lease that was given last is offered again where nobody has said yet that it keeps it: the agent may have it.
void KeyHolders::follow(const std::string& fingerprint, Known& known, const Speaker& speaker) {
  if (known.holder.who.session == speaker.session) return;
  const KeyHolder& last = known.holder;
  const bool is_offered_again =
      last.given.number > 0 && !last.kept && speaker.instance == last.who.instance && speaker.lease == last.before;
  known.followed.insert(last.who.session);
  known.followed.erase(speaker.session);
  KeyHolder next = last;
  next.who = speaker;
  if (speaker.tells_place && !is_offered_again) give_lease(next, speaker.lease);
  put(fingerprint, known, std::move(next));
}

void KeyHolders::put(const std::string& fingerprint, Known& known, KeyHolder next) {
  const json text = to_json(next);
  if (text != to_json(known.holder)) {
    const auto written = os::replace_file(path_of(state_dir_, fingerprint),
                                          text.dump(1, ' ', false, json::error_handler_t::replace) + '\n');
    if (!written) {
      // Obeyed all the same; the next one that begins goes on from what is on the disk.
      service::log_error("holder-unwritten detail=\"{}\"", written.error().message());
      next.given = known.holder.given;
      next.before = known.holder.before;
      next.kept = known.holder.kept;
    }
  }
  known.holder = std::move(next);
  known.tenure->set(known.holder.who.session, known.holder.given);
}

void KeyHolders::adopt(const std::string& fingerprint, const Speaker& speaker) {
  const std::lock_guard lock(mutex_);
  Known& known = this->known(fingerprint);
  if (known.holder.who.session == speaker.session) return;
  const KeyHolder former = known.holder;
  KeyHolder next = former;
  std::erase(next.unsure, KeyHolder::Copy{speaker.instance, speaker.lease});
  next.unsure.push_back({former.who.instance, former.given});
  if (!former.kept) next.unsure.push_back({former.who.instance, former.before});
  std::erase(next.copies, KeyHolder::Copy{speaker.instance, speaker.lease});
  next.who = speaker;
  give_lease(next, speaker.lease);
  known.followed.insert(former.who.session);
  known.followed.erase(speaker.session);
  std::erase(next.beside, speaker.session);
  next.beside.push_back(former.who.session);
  sort_out(next);
  put(fingerprint, known, std::move(next));
}

void KeyHolders::note_copy(const std::string& fingerprint, const Speaker& speaker) {
  const std::lock_guard lock(mutex_);
  Known& known = this->known(fingerprint);
  const KeyHolder::Copy copy{speaker.instance, speaker.lease};
  const auto& beside = known.holder.beside;
  if (speaker.session == known.holder.who.session) return;
  if (std::find(beside.begin(), beside.end(), speaker.session) != beside.end()) return;
  service::log_warning("agent-copy fingerprint={} host={} address={} holder_host={} holder_address={}", fingerprint,
                       speaker.host, speaker.address, known.holder.who.host, known.holder.who.address);
  known.refused[speaker.session] = Why::seen_beside;
  KeyHolder next = known.holder;
  next.beside.push_back(speaker.session);
  if (!contains(next.copies, copy) && !contains(next.unsure, copy)) next.unsure.push_back(copy);
  sort_out(next);
  put(fingerprint, known, std::move(next));
}

void KeyHolders::note_kept(const std::string& fingerprint, std::uint64_t session, const Lease& lease) {
  const std::lock_guard lock(mutex_);
  Known& known = this->known(fingerprint);
  if (known.holder.who.session != session || !(known.holder.given == lease) || known.holder.kept) return;
  KeyHolder next = known.holder;
  next.kept = true;
  sort_out(next);
  put(fingerprint, known, std::move(next));
}

/// A copy that shows what the holder itself could show is told apart by another lease, once the holder keeps that.
void KeyHolders::sort_out(KeyHolder& next) {
  if (next.beside.size() > k_most_copies) next.beside.erase(next.beside.begin());
  if (!next.who.tells_place) return;
  bool is_mistakable = false;
  std::erase_if(next.unsure, [&](const KeyHolder::Copy& copy) {
    if (may_be_holders(next, copy)) {
      is_mistakable = true;
      return false;
    }
    if (!contains(next.copies, copy)) next.copies.push_back(copy);
    return true;
  });
  if (next.copies.size() > k_most_copies) next.copies.erase(next.copies.begin());
  if (is_mistakable && next.kept) give_lease(next, next.given);
}

}  // namespace maildirsync::daemon
