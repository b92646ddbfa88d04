#include "cli/doctor/mail.h"

#include <algorithm>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "common/maildir/layout.h"
#include "common/os/directory.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

using nlohmann::json;

constexpr std::size_t k_files_of_a_folder = 16;

bool is_area(const std::string& name) {
  return name == "cur" || name == "new" || name == "tmp";
}

class Look {
 public:
  void root(const config::AgentRoot& root) {
    Mail::Root found{root.name};
    const auto layout = maildir::Layout::parse(root.accounts);
    const auto directory = os::Directory::open_root(root.path);
    if (!directory) {
      found.error = directory.error().error_number != 0 ? std::strerror(directory.error().error_number)
                                                        : directory.error().message();
    } else if (layout) {
      root_ = &root;
      accounts_ = 0;
      shows_fractions_ = false;
      level(*directory, *layout, "", 0);
      found.accounts = accounts_;
      found.keeps_whole_seconds = !shows_fractions_;
    }
    mail_.roots.push_back(std::move(found));
  }

  Mail take() { return std::move(mail_); }

 private:
  void level(const os::Directory& directory, const maildir::Layout& layout, const std::string& path,
             std::size_t depth) {
    ++mail_.watches;
    look_at_stamp(directory);
    const auto entries = directory.list();
    if (!entries) return unreadable(entries.error());
    for (const auto& entry : *entries) {
      if (!layout.matches(depth, entry.name) || !is_directory(directory, entry)) continue;
      const std::string below = os::join(path, entry.name);
      const auto next = directory.open_directory(entry.name);
      if (!next) {
        unreadable(next.error());
      } else if (depth + 1 < layout.depth()) {
        level(*next, layout, below, depth + 1);
      } else if (const auto name = layout.account_name(below); name && config::takes(*root_, *name)) {
        ++accounts_;
        folder(*next);
      }
    }
  }

  /// A folder, or any directory of an account, and what is below it.
  void folder(const os::Directory& directory) {
    ++mail_.watches;
    look_at_stamp(directory);
    const auto entries = directory.list();
    if (!entries) return unreadable(entries.error());
    std::size_t opened = 0;
    for (const auto& entry : *entries) {
      if (!is_directory(directory, entry)) {
        if (entry.type == DT_REG && ++opened <= k_files_of_a_folder) file(directory, entry.name);
        continue;
      }
      if (entry.name == "tmp") continue;
      const auto next = directory.open_directory(entry.name);
      if (!next) {
        unreadable(next.error());
      } else if (is_area(entry.name)) {
        mail_.folders += entry.name == "cur" ? 1 : 0;
        area(*next);
      } else {
        folder(*next);
      }
    }
  }

  void area(const os::Directory& directory) {
    ++mail_.watches;
    const auto entries = directory.list();
    if (!entries) return unreadable(entries.error());
    for (std::size_t i = 0; i < std::min(entries->size(), k_files_of_a_folder); ++i) {
      if ((*entries)[i].type == DT_REG) file(directory, (*entries)[i].name);
    }
  }

  void look_at_stamp(const os::Directory& directory) {
    const auto status = directory.status("");
    if (status) shows_fractions_ |= status->st_mtim.tv_nsec != 0 || status->st_ctim.tv_nsec != 0;
  }

  void file(const os::Directory& directory, const std::string& name) {
    if (const auto opened = directory.open_for_reading(name); !opened) unreadable(opened.error());
  }

  static bool is_directory(const os::Directory& parent, const os::DirectoryEntry& entry) {
    if (entry.type != DT_UNKNOWN) return entry.type == DT_DIR;
    const auto status = parent.status(entry.name);
    return status && S_ISDIR(status->st_mode);
  }

  void unreadable(const Error& error) {
    if (error.code == ErrorCode::vanished) return;  // mail comes and goes
    if (mail_.unreadable++ > 0) return;
    mail_.first_unreadable = os::printable(error.path);
    mail_.reason = error.error_number != 0 ? std::strerror(error.error_number) : error.detail;
  }

  Mail mail_;
  const config::AgentRoot* root_ = nullptr;
  std::uint64_t accounts_ = 0;
  bool shows_fractions_ = false;
};

std::string to_text(const Mail& mail) {
  json roots = json::array();
  for (const auto& root : mail.roots)
    roots.push_back({{"name", root.name},
                     {"error", root.error},
                     {"accounts", root.accounts},
                     {"whole_seconds", root.keeps_whole_seconds}});
  return json{{"roots", roots},
              {"folders", mail.folders},
              {"watches", mail.watches},
              {"unreadable", mail.unreadable},
              {"first", mail.first_unreadable},
              {"reason", mail.reason}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

Mail from_text(const std::string& text) {
  const json said = json::parse(text);
  Mail mail;
  for (const auto& root : said.at("roots"))
    mail.roots.push_back({root.at("name"), root.at("error"), root.at("accounts"), root.at("whole_seconds")});
  mail.folders = said.at("folders");
  mail.watches = said.at("watches");
  mail.unreadable = said.at("unreadable");
  mail.first_unreadable = said.at("first");
  mail.reason = said.at("reason");
  return mail;
}

}  // namespace

Result<Mail> look_at_mail(const ServiceIdentity& identity, const std::vector<config::AgentRoot>& roots) {
  const auto said = run_as(identity, [&] {
    Look look;
    for (const auto& root : roots)
      look.root(root);
    return to_text(look.take());
  });
  if (!said) return Failure(said.error());
  return from_text(*said);
}

}  // namespace maildirsync::cli
