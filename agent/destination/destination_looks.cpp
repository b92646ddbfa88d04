// The check of the destination's tree, one look a folder: at each new session, by each flush, and slowly all the time.

#include "agent/destination/destination_looks.h"

#include <algorithm>

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_question_bytes = 128 * 1024;
constexpr std::size_t k_folder_overhead = 16;

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

Result<> ask_whether_usable(Link& link, std::uint64_t epoch, const std::string& root, const std::string& account) {
  const auto questions = looks_questions(root, {{0, account, {}}});
  MAILDIRSYNC_TRY(ask_for_differing(link, epoch, questions.front().list));
  return {};
}

Result<std::vector<AccountId>> find_differing(State& state, Link& link, std::uint64_t epoch, const std::string& root,
                                              const std::vector<std::pair<AccountId, std::string>>& accounts) {
  std::vector<AccountId> differing;
  std::vector<BelievedLooks> to_ask;
  for (const auto& [id, path] : accounts) {
    MAILDIRSYNC_ASSIGN(auto looks, state.looks(id));
    if (looks.empty()) continue;  // nothing was ever sent of it
    BelievedLooks believed{id, path, std::move(looks)};
    if (must_be_compared(believed)) {
      differing.push_back(id);
    } else {
      to_ask.push_back(std::move(believed));
    }
  }
  for (const auto& question : looks_questions(root, to_ask)) {
    MAILDIRSYNC_ASSIGN(const auto answer, ask_for_differing(link, epoch, question.list));
    for (const std::uint32_t index : answer) {
      if (index < question.accounts.size()) differing.push_back(question.accounts[index]);
    }
  }
  return differing;
}

}  // namespace maildirsync::agent
