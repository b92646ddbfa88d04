#include "agent/requests/chosen_accounts.h"

#include "common/maildir/layout.h"

namespace maildirsync::agent {

ChosenAccounts::ChosenAccounts(const nlohmann::json& request) : glob_(request.value("account", "")) {
  const auto named = request.find("accounts");
  if (named == request.end()) return;
  for (const auto& name : *named)
    names_.insert(name.get<std::string>());
}

bool ChosenAccounts::contains(std::string_view name) const {
  return names_.empty() ? maildir::is_chosen(glob_, name) : names_.contains(name);
}

std::string ChosenAccounts::text() const {
  std::string text = glob_;
  for (const auto& name : names_)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace maildirsync::agent
