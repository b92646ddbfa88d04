// The check of the destination's tree, one look a folder: at each new session, by each flush, and slowly all the time.

#include "agent/destination/destination_looks.h"

#include <algorithm>
#include <thread>
#include <unordered_set>

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_question_bytes = 128 * 1024;
constexpr std::size_t k_folder_overhead = 16;
constexpr int k_rounds = 3;
constexpr auto k_between_rounds = std::chrono::milliseconds(30);

}  // namespace

bool must_be_compared(const BelievedLooks& account) {
  return std::any_of(account.folders.begin(), account.folders.end(),
                     [](const auto& folder) { return folder.second == 0; });
}

std::vector<LooksQuestion> looks_questions(const std::string& root, const std::vector<BelievedLooks>& accounts) {
  std::vector<LooksQuestion> questions;
  std::size_t size = k_question_bytes;
  for (const auto& account : accounts) {
    if (size >= k_question_bytes) {
      questions.emplace_back().list.set_root(root);
      size = 0;
    }
    auto& believed = *questions.back().list.add_believed();
    believed.set_account(account.path);
    for (const auto& [folder, look] : account.folders) {
      believed.add_folders(folder);
      believed.add_stamps(look);
      size += folder.size() + k_folder_overhead;
    }
    size += account.path.size() + k_folder_overhead;
    questions.back().accounts.push_back(account.account);
  }
  return questions;
}

namespace {

Result<std::unordered_set<AccountId>> find_differing_once(State& state, Link& link, std::uint64_t epoch,
                                                          const std::string& root,
                                                          const std::vector<std::pair<AccountId, std::string>>& of) {
  std::unordered_set<AccountId> differing;
  std::vector<BelievedLooks> to_ask;
  for (const auto& [id, path] : of) {
    auto looks = state.looks(id);
    if (!looks) return Failure(looks.error());
    if (looks->empty()) continue;  // nothing was ever sent of it
    BelievedLooks believed{id, path, std::move(*looks)};
    if (must_be_compared(believed)) {
      differing.insert(id);
    } else {
      to_ask.push_back(std::move(believed));
    }
  }
  for (const auto& question : looks_questions(root, to_ask)) {
    const auto answer = ask_for_differing(link, epoch, question.list);
    if (!answer) return Failure(answer.error());
    for (const std::uint32_t index : *answer) {
      if (index < question.accounts.size()) differing.insert(question.accounts[index]);
    }
  }
  return differing;
}

}  // namespace

Result<std::vector<AccountId>> find_differing(State& state, Link& link, std::uint64_t epoch, const std::string& root,
                                              std::vector<std::pair<AccountId, std::string>> accounts) {
  for (int round = 1; !accounts.empty(); ++round) {
    const auto differing = find_differing_once(state, link, epoch, root, accounts);
    if (!differing) return Failure(differing.error());
    std::erase_if(accounts, [&](const auto& account) { return !differing->contains(account.first); });
    if (round == k_rounds || accounts.empty()) break;
    std::this_thread::sleep_for(k_between_rounds);
  }
  std::vector<AccountId> ids;
  for (const auto& [id, path] : accounts)
    ids.push_back(id);
  return ids;
}

}  // namespace maildirsync::agent
