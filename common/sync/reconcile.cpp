#include "common/sync/reconcile.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "common/sync/equality.h"

namespace maildirsync::sync {

namespace {

constexpr std::uint32_t k_other_owner = 0xffffffff;  // no source has it, so the plan sets the owner

/// The entries of a folder by name and by base name.
class Index {
 public:
  explicit Index(const FolderManifest* folder) : folder_(folder) {
    if (folder == nullptr) return;
    for (const auto& entry : folder->entries) {
      if (is_message(entry)) by_base_.emplace(base_name(entry), &entry);
    }
  }

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
  const Entry* find(const Entry& entry, bool (*is_it)(const Entry& listed, const Entry& ours)) const {
    if (entry.area == Area::folder) return nullptr;
    const auto [begin, end] = by_base_.equal_range(base_name(entry));
    for (auto candidate = begin; candidate != end; ++candidate) {
      if (is_it(entry, *candidate->second)) return candidate->second;
    }
    return nullptr;
  }

  const FolderManifest* folder_;
  std::unordered_multimap<std::string_view, const Entry*> by_base_;
};

class Reconciler {
 public:
  Reconciler(const AccountManifest& listed, const AccountManifest& known, const std::vector<Intent>& intents,
             const AccountManifest& after, const OwnerMapping& owner)
      : listed_(listed), known_(known), after_(after), owner_(owner) {
    for (const auto& intent : intents)
      intents_[{intent.to.folder, intent.to.area, intent.to.name}].push_back(intent);
  }

  void folder(const FolderManifest& listed) {
    const auto* wanted = after_.find(listed.path);
    const auto* known = known_folder(listed.path, wanted);
    const bool intended = is_intended_folder(listed.path);
    const bool is_left_over = wanted == nullptr && known == nullptr && !intended;
    if (is_left_over && std::none_of(listed.entries.begin(), listed.entries.end(),
                                     [&](const Entry& entry) { return wanted_elsewhere(entry) != nullptr; })) {
      result_.extra.push_back({listed.path, Area::folder, ""});
      return;
    }
    FolderManifest ours = listed;
    ours.entries.clear();
    ours.inode = known != nullptr ? known->inode : wanted != nullptr ? wanted->inode : 0;
    if (wanted != nullptr) {
      adopt_owner(ours.self, wanted->self);
      adopt_owner(ours.cur, wanted->cur);
      adopt_owner(ours.new_, wanted->new_);
      adopt_owner(ours.tmp, wanted->tmp);
    }
    const Index known_index(known);
    const Index wanted_index(wanted);
    for (const auto& entry : listed.entries) {
      if (is_left_over && entry.area == Area::folder) {  // control files of what was moved away
        result_.left_over.push_back({listed.path, entry.area, entry.name});
        ours.entries.push_back(entry);
      } else {
        this->entry(listed.path, entry, known_index, wanted_index, intended, ours.entries);
      }
    }
    result_.before.folders.push_back(std::move(ours));
  }

  Reconciled take() { return std::move(result_); }

 private:
  /// Whether the folder, or one above it, was about to be made or to get its name by a rename: then what is in it may
  /// be known under another path.
  bool is_intended_folder(std::string path) const {
    for (;;) {
      if (intents_.contains({path, Area::folder, ""})) return true;
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

  void entry(const std::string& folder, const Entry& listed, const Index& known, const Index& wanted, bool intended,
             std::vector<Entry>& ours) {
    Entry entry = listed;
    const Entry* same = wanted.at(listed);
    if (known.torn(listed) != nullptr || wanted.torn(listed) != nullptr) {
      // Ours, and to be put again in its place: not the source's file by any mark that a plan goes by.
      entry.inode = 0;
      if (entry.digest) --entry.mtime;
      result_.torn.push_back({folder, listed.area, listed.name});
      ours.push_back(std::move(entry));
      return;
    }
    if (same != nullptr && same_stamp(*same, listed)) {
      entry.inode = same->inode;
      entry.mtime = same->mtime;
      const Entry* remembered = known.at(listed);
      if (remembered != nullptr && same_stamp(*remembered, listed)) entry.digest = remembered->digest;
      adopt_owner(entry.attributes, same->attributes);
    } else if (const Entry* remembered = known.at(listed); remembered != nullptr && same_stamp(*remembered, listed)) {
      entry.inode = remembered->inode;
      entry.digest = remembered->digest;
    } else if (const Entry* moved = wanted.like(listed)) {
      entry.inode = moved->inode;
    } else if (const Entry* earlier = known.like(listed)) {
      entry.inode = earlier->inode;
      entry.digest = earlier->digest;
    } else if (const Entry* along = intended ? known_elsewhere(listed) : nullptr) {
      entry.inode = along->inode;
      entry.digest = along->digest;
    } else if (const Intent* intended_one = intended ? intent_anywhere(listed) : intent_at(folder, listed)) {
      entry.inode = intended_one->inode;
    } else if (const Entry* elsewhere = wanted_elsewhere(listed)) {
      entry.inode = elsewhere->inode;
      result_.left_over.push_back({folder, listed.area, listed.name});
    } else if (!is_our_control_file(listed, known, same)) {
      result_.extra.push_back({folder, listed.area, listed.name});
      return;
    }
    ours.push_back(std::move(entry));
  }

  /// The only message of that base name at the source, if it is that one.
  const Entry* wanted_elsewhere(const Entry& listed) {
    if (listed.area == Area::folder || listed.kind != EntryKind::file) return nullptr;
    if (!wanted_indexed_) {
      wanted_indexed_ = true;
      for (const auto& folder : after_.folders) {
        for (const auto& entry : folder.entries) {
          if (is_message(entry)) wanted_bases_.emplace(base_name(entry), &entry);
        }
      }
    }
    const auto [begin, end] = wanted_bases_.equal_range(base_name(listed));
    if (begin == end || std::next(begin) != end || !same_stamp(*begin->second, listed)) return nullptr;
    return begin->second;
  }

  /// What the agent was about to create there, if it is that.
  const Intent* intent_at(const std::string& folder, const Entry& listed) const {
    const auto found = intents_.find({folder, listed.area, listed.name});
    if (found == intents_.end()) return nullptr;
    const auto it = std::find_if(found->second.begin(), found->second.end(),
                                 [&](const Intent& intent) { return is_intended(listed, intent); });
    return it == found->second.end() ? nullptr : &*it;
  }

  /// The same in a folder that was about to be renamed: what was put into it before has its old path in the intent.
  const Intent* intent_anywhere(const Entry& listed) const {
    for (const auto& [place, intents] : intents_) {
      if (std::get<1>(place) != listed.area || std::get<2>(place) != listed.name) continue;
      for (const auto& intent : intents) {
        if (is_intended(listed, intent)) return &intent;
      }
    }
    return nullptr;
  }

  /// Control files are the account's, whoever wrote them last: the source's replace them.
  static bool is_our_control_file(const Entry& listed, const Index& known, const Entry* wanted) {
    return listed.area == Area::folder && (wanted != nullptr || known.at(listed) != nullptr);
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
  std::map<std::tuple<std::string, Area, std::string>, std::vector<Intent>> intents_;
  std::unordered_multimap<std::string_view, const Entry*> known_names_;
  std::unordered_multimap<std::string_view, const Entry*> wanted_bases_;
  bool wanted_indexed_ = false;
  Reconciled result_;
};

}  // namespace

Reconciled reconcile(const AccountManifest& listed, const AccountManifest& known, const std::vector<Intent>& intents,
                     const AccountManifest& after, const OwnerMapping& owner_at_destination) {
  Reconciler reconciler(listed, known, intents, after, owner_at_destination);
  for (const auto& folder : listed.folders)
    reconciler.folder(folder);
  Reconciled result = reconciler.take();
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
