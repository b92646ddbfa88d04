#include "common/sync/reconcile.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "common/maildir/name.h"
#include "common/sync/equality.h"

namespace maildirsync::sync {

namespace {

constexpr std::uint32_t k_other_owner = 0xffffffff;  // no source has it, so the plan sets the owner

/// The entries of a folder by name and by base name: they are sorted, so nothing has to be made of them for that.
class Index {
 public:
  explicit Index(const FolderManifest* folder) : folder_(folder) {}

  const Entry* at(const Entry& place) const {
    return folder_ == nullptr ? nullptr : find_entry(folder_->entries, place.area, place.name);
  }

  /// The same message under another name.
  const Entry* like(const Entry& entry) const { return find(entry, same_stamp); }
  /// What a torn file was: a message, under this name or another one; a control file.
  const Entry* torn(const Entry& entry) const {
    if (is_message(entry)) return find(entry, is_torn);
    const Entry* own = at(entry);
    return own != nullptr && is_torn(entry, *own) ? own : nullptr;
  }

 private:
  std::vector<Entry>::const_iterator first_from(Area area, std::string_view name) const {
    return std::lower_bound(folder_->entries.begin(), folder_->entries.end(), std::pair(area, name),
                            [](const Entry& entry, const std::pair<Area, std::string_view>& place) {
                              return std::pair(entry.area, std::string_view(entry.name)) < place;
                            });
  }

  const Entry* find(const Entry& entry, bool (*is_it)(const Entry& listed, const Entry& ours)) const {
    if (folder_ == nullptr || entry.area == Area::folder) return nullptr;
    const std::string_view base = base_name(entry);
    for (const Area area : {Area::cur, Area::new_}) {
      // The name without flags, and then those with flags, each with one of the marks that stand before them.
      for (const std::string_view flags : {"", ":2,", ";2,", "!2,"}) {
        const std::string name = std::string(base).append(flags);
        for (auto one = first_from(area, name); one != folder_->entries.end() && one->area == area &&
                                                (flags.empty() ? one->name == name : one->name.starts_with(name));
             ++one) {
          if (base_name(*one) == base && is_it(entry, *one)) return &*one;
        }
      }
    }
    return nullptr;
  }

  const FolderManifest* folder_;
};

class Reconciler {
 public:
  Reconciler(const AccountManifest& listed, const AccountManifest& known, const std::vector<Intent>& intents,
             const AccountManifest& after, const OwnerMapping& owner)
      : listed_(listed), known_(known), after_(after), owner_(owner) {
    for (const auto& intent : intents) {
      if (intent.to.area == Area::folder) {
        intents_[{intent.to.folder, intent.to.name}].push_back(intent);
      } else {
        intended_messages_.emplace(maildir::base_of(intent.to.name), &intent);
      }
    }
  }

  /// Makes of what is listed what is ours of it; false when nothing is.
  bool folder(FolderManifest& listed) {
    const auto* wanted = after_.find(listed.path);
    const auto* known = known_folder(listed.path, wanted);
    const bool intended = is_intended_folder(listed.path);
    const bool is_left_over = wanted == nullptr && known == nullptr && !intended;
    if (is_left_over && std::none_of(listed.entries.begin(), listed.entries.end(),
                                     [&](const Entry& entry) { return wanted_elsewhere(entry) != nullptr; })) {
      result_.extra.push_back({listed.path, Area::folder, ""});
      return false;
    }
    listed.inode = known != nullptr ? known->inode : wanted != nullptr ? wanted->inode : 0;
    if (wanted != nullptr) {
      adopt_owner(listed.self, wanted->self);
      adopt_owner(listed.cur, wanted->cur);
      adopt_owner(listed.new_, wanted->new_);
      adopt_owner(listed.tmp, wanted->tmp);
    }
    const Index known_index(known);
    const Index wanted_index(wanted);
    std::erase_if(listed.entries, [&](Entry& entry) {
      if (!is_left_over || entry.area != Area::folder)
        return !this->entry(listed.path, entry, known_index, wanted_index, intended);
      result_.left_over.push_back({listed.path, entry.area, entry.name});  // control files of what was moved away
      return false;
    });
    return true;
  }

  Reconciled take() { return std::move(result_); }

 private:
  /// Whether the folder, or one above it, was about to be made or to get its name by a rename: then what is in it may
  /// be known under another path.
  bool is_intended_folder(std::string path) const {
    for (;;) {
      if (intents_.contains({path, ""})) return true;
      const auto slash = path.rfind('/');
      if (slash == std::string::npos) return false;
      path.resize(slash);
    }
  }

  /// The state may know the folder by an old path, if a rename of it was not acknowledged.
  const FolderManifest* known_folder(const std::string& path, const FolderManifest* wanted) const {
    if (wanted != nullptr && wanted->inode != 0 && is_intended_folder(path)) {
      for (const auto& folder : known_.folders) {
        if (folder.inode == wanted->inode && listed_.find(folder.path) == nullptr) return &folder;
      }
    }
    return known_.find(path);
  }

  /// Of the same name and content in any folder of the state.
  const Entry* known_elsewhere(const Entry& listed) {
    if (known_names_.empty()) {
      for (const auto& folder : known_.folders) {
        for (const auto& entry : folder.entries)
          known_names_.emplace(entry.name, &entry);
      }
    }
    const auto [begin, end] = known_names_.equal_range(listed.name);
    for (auto candidate = begin; candidate != end; ++candidate) {
      if (candidate->second->area == listed.area && same_stamp(*candidate->second, listed)) return candidate->second;
    }
    return nullptr;
  }

  /// Makes of a listed entry what is ours of it; false when it is somebody else's.
  bool entry(const std::string& folder, Entry& listed, const Index& known, const Index& wanted, bool intended) {
    const Entry* same = equal(wanted.at(listed), listed);
    const Entry* remembered = equal(known.at(listed), listed);
    if (is_torn(listed, known, wanted, same, remembered)) {
      // Ours, and to be put again in its place: not the source's file by any mark that a plan goes by.
      listed.inode = 0;
      if (listed.digest) --listed.mtime;
      result_.torn.push_back({folder, listed.area, listed.name});
      return true;
    }
    if (same != nullptr) {
      listed.inode = same->inode;
      listed.mtime = same->mtime;
      if (remembered != nullptr) listed.digest = remembered->digest;
      adopt_owner(listed.attributes, same->attributes);
    } else if (remembered != nullptr) {
      listed.inode = remembered->inode;
      listed.digest = remembered->digest;
    } else if (const Entry* moved = wanted.like(listed)) {
      listed.inode = moved->inode;
    } else if (const Entry* earlier = known.like(listed)) {
      listed.inode = earlier->inode;
      listed.digest = earlier->digest;
    } else if (const Entry* along = intended ? known_elsewhere(listed) : nullptr) {
      listed.inode = along->inode;
      listed.digest = along->digest;
    } else if (const Intent* intended_one = intended ? intent_anywhere(listed) : intent_at(folder, listed)) {
      listed.inode = intended_one->inode;
    } else if (const Entry* elsewhere = wanted_elsewhere(listed)) {
      listed.inode = elsewhere->inode;
      result_.left_over.push_back({folder, listed.area, listed.name});
    } else if (is_torn_elsewhere(listed)) {
      listed.inode = 0;
      result_.left_over.push_back({folder, listed.area, listed.name});
    } else if (!is_our_control_file(folder, listed, known, wanted)) {
      result_.extra.push_back({folder, listed.area, listed.name});
      return false;
    }
    return true;
  }

  static const Entry* equal(const Entry* ours, const Entry& listed) {
    return ours != nullptr && same_stamp(*ours, listed) ? ours : nullptr;
  }

  /// What has the size and the time of ours in its place is torn only by its content.
  static bool is_torn(const Entry& listed, const Index& known, const Index& wanted, const Entry* same,
                      const Entry* remembered) {
    if (same == nullptr && remembered == nullptr)
      return known.torn(listed) != nullptr || wanted.torn(listed) != nullptr;
    return (same != nullptr && sync::is_torn(listed, *same)) ||
           (remembered != nullptr && sync::is_torn(listed, *remembered));
  }

  /// The only message of that base name at the source, if it is that one.
  const Entry* wanted_elsewhere(const Entry& listed) {
    if (listed.area == Area::folder || listed.kind != EntryKind::file) return nullptr;
    index_wanted();
    const auto [begin, end] = wanted_bases_.equal_range(base_name(listed));
    if (begin == end || std::next(begin) != end || !same_stamp(*begin->second, listed)) return nullptr;
    return begin->second;
  }

  /// What a power cut has left, of a message that was moved to another folder since, where it was before.
  bool is_torn_elsewhere(const Entry& listed) {
    if (!is_message(listed)) return false;
    index_wanted();
    const auto [begin, end] = wanted_bases_.equal_range(base_name(listed));
    return std::any_of(begin, end, [&](const auto& one) { return sync::is_torn(listed, *one.second); });
  }

  void index_wanted() {
    if (std::exchange(wanted_indexed_, true)) return;
    for (const auto& folder : after_.folders) {
      for (const auto& entry : folder.entries) {
        if (is_message(entry)) wanted_bases_.emplace(base_name(entry), &entry);
      }
    }
  }

  /// What the agent was about to create there, if it is that: a message under any flags, for a later turn may have
  /// given it others.
  const Intent* intent_at(const std::string& folder, const Entry& listed) const {
    if (is_message(listed)) {
      return intended_message(listed, [&](const Intent& intent) { return intent.to.folder == folder; });
    }
    const auto found = intents_.find({folder, listed.name});
    if (found == intents_.end()) return nullptr;
    const auto it = std::find_if(found->second.begin(), found->second.end(),
                                 [&](const Intent& intent) { return is_intended(listed, intent); });
    return it == found->second.end() ? nullptr : &*it;
  }

  /// The same in a folder that was about to be renamed: what was put into it before has its old path in the intent.
  const Intent* intent_anywhere(const Entry& listed) const {
    if (is_message(listed)) return intended_message(listed, [](const Intent&) { return true; });
    for (const auto& [place, intents] : intents_) {
      if (place.second != listed.name) continue;
      for (const auto& intent : intents) {
        if (is_intended(listed, intent)) return &intent;
      }
    }
    return nullptr;
  }

  template <class IsThere>
  const Intent* intended_message(const Entry& listed, IsThere is_there) const {
    const auto [begin, end] = intended_messages_.equal_range(base_name(listed));
    for (auto candidate = begin; candidate != end; ++candidate) {
      if (is_there(*candidate->second) && is_intended(listed, *candidate->second)) return candidate->second;
    }
    return nullptr;
  }

  /// Control files are the account's, whoever wrote them last: the source's replace them. Of one that was sent again
  /// after it was created, the intent on the disk may be the first one only.
  bool is_our_control_file(const std::string& folder, const Entry& listed, const Index& known,
                           const Index& wanted) const {
    return listed.area == Area::folder &&
           (wanted.at(listed) != nullptr || known.at(listed) != nullptr || intents_.contains({folder, listed.name}));
  }

  void adopt_owner(Attributes& listed, const Attributes& wanted) const {
    const auto mapped = owner_(wanted);
    if (mapped && mapped->first == listed.uid && mapped->second == listed.gid) {
      listed.uid = wanted.uid;
      listed.gid = wanted.gid;
    } else {
      listed.uid = listed.gid = k_other_owner;
    }
  }
  void adopt_owner(std::optional<Attributes>& listed, const std::optional<Attributes>& wanted) const {
    if (listed && wanted) adopt_owner(*listed, *wanted);
  }

  const AccountManifest& listed_;
  const AccountManifest& known_;
  const AccountManifest& after_;
  const OwnerMapping& owner_;
  std::map<std::pair<std::string, std::string>, std::vector<Intent>>
      intents_;  ///< of folders and control files, by place
  std::unordered_multimap<std::string_view, const Intent*> intended_messages_;  ///< by base name
  std::unordered_multimap<std::string_view, const Entry*> known_names_;
  std::unordered_multimap<std::string_view, const Entry*> wanted_bases_;
  bool wanted_indexed_ = false;
  Reconciled result_;
};

}  // namespace

std::vector<Intent> intents_of(const std::vector<Operation>& operations) {
  std::vector<Intent> intents;
  for (const auto& operation : operations) {
    switch (operation.kind) {
      case OperationKind::put:
      case OperationKind::put_control:
      case OperationKind::link:
      case OperationKind::rename:
        intents.push_back({operation.to, operation.result.size, operation.result.mtime, operation.result.inode});
        break;
      case OperationKind::make_folder:
      case OperationKind::rename_folder:
        intents.push_back({operation.to, 0, 0, 0});
        break;
      default:
        break;
    }
  }
  return intents;
}

bool is_known_by_intent_only(const Operation& operation) {
  switch (operation.kind) {
    case OperationKind::put:
    case OperationKind::link:
    case OperationKind::make_folder:
    case OperationKind::rename_folder:
      return true;
    case OperationKind::put_control:
      return !operation.expected;
    case OperationKind::rename:
      return operation.from.folder != operation.to.folder ||
             maildir::base_of(operation.from.name) != maildir::base_of(operation.to.name);
    default:
      return false;
  }
}

Reconciled reconcile(AccountManifest listed, const AccountManifest& known, const std::vector<Intent>& intents,
                     const AccountManifest& after, const OwnerMapping& owner_at_destination) {
  Reconciler reconciler(listed, known, intents, after, owner_at_destination);
  std::vector<bool> is_ours;
  for (auto& folder : listed.folders)
    is_ours.push_back(reconciler.folder(folder));
  Reconciled result = reconciler.take();
  for (std::size_t i = 0; i < listed.folders.size(); ++i) {
    if (is_ours[i]) result.before.folders.push_back(std::move(listed.folders[i]));
  }
  result.before.structure_whole = true;
  return result;
}

std::vector<Attributes> owners_in(const AccountManifest& account) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> ids;
  for (const auto& folder : account.folders) {
    ids.emplace(folder.self.uid, folder.self.gid);
    for (const auto* area : {&folder.cur, &folder.new_, &folder.tmp}) {
      if (*area) ids.emplace((*area)->uid, (*area)->gid);
    }
    for (const auto& entry : folder.entries)
      ids.emplace(entry.attributes.uid, entry.attributes.gid);
  }
  std::vector<Attributes> owners;
  for (const auto& [uid, gid] : ids)
    owners.push_back({0, uid, gid});
  return owners;
}

OwnerMapping mapping_of(const std::vector<Attributes>& owners, const std::vector<MappedOwner>& answers) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, MappedOwner> mapped;
  for (std::size_t i = 0; i < owners.size() && i < answers.size(); ++i)
    mapped[{owners[i].uid, owners[i].gid}] = answers[i];
  return [mapped = std::move(mapped)](const Attributes& owner) {
    const auto found = mapped.find({owner.uid, owner.gid});
    return found == mapped.end() ? std::nullopt : found->second;
  };
}

}  // namespace maildirsync::sync
