#include "agent/verify/account.h"

#include <algorithm>
#include <future>

namespace maildirsync::agent {

namespace {

constexpr int k_looks_again = 2;

/// Entries of the answer have the stamp of their last change as inode.
wire::List question_about(const Subject& subject, Contents contents) {
  wire::List question;
  question.set_root(subject.root_name);
  question.set_account(subject.path);
  question.set_looks_only(true);
  question.set_control_digests(true);
  question.set_digests(contents == Contents::all);
  return question;
}

class AccountComparison {
 public:
  AccountComparison(const Subject& subject, Contents contents, Destination& destination, const std::atomic<bool>& stop)
      : subject_(subject), contents_(contents), destination_(destination), stop_(stop) {}

  Result<Verdict> run() {
    MAILDIRSYNC_ASSIGN(auto found, look(contents_, {}));
    std::string unsettled;
    for (int i = 0; i < k_looks_again && !found.empty(); ++i) {
      unsettled = destination_.settle(subject_);
      // Contents that differed are not read again: they are known by the files' stamps.
      MAILDIRSYNC_ASSIGN(auto again, look(Contents::control_files, found));
      found = lasting(found, std::move(again));
    }
    if (!found.empty() && !unsettled.empty()) verdict_.left_out.push_back({"", std::move(unsettled)});
    verdict_.differences = std::move(found);
    return std::move(verdict_);
  }

 private:
  /// Both sides as they are now.
  Result<std::vector<Difference>> look(Contents contents, const std::vector<Difference>& earlier) {
    auto listing =
        std::async(std::launch::async, [&] { return destination_.list(question_about(subject_, contents)); });
    auto source = list_source(*subject_.root, subject_.path, contents, stop_);
    auto listed = listing.get();
    if (!source) return Failure(source.error());
    if (!listed) return Failure(listed.error());
    if (!listed->indexed.empty()) destination_.is_indexed(subject_, std::move(listed->indexed));
    auto* there = &listed->manifest;
    sync::lift_times(*there, listed->times, {&source->manifest}, {}, sync::OtherDates::shown);
    count(source->manifest);
    verdict_.left_out.clear();
    for (auto& problem : source->problems)
      verdict_.left_out.push_back({std::move(problem.path), std::move(problem.detail), problem.code});
    verdict_.acls = source->acls;
    if (subject_.drained_since) return look_at_drained(source->manifest, *there);
    const auto owners = sync::owners_in(source->manifest);
    MAILDIRSYNC_ASSIGN(auto mapped, owners.empty()
                                        ? Result<std::vector<sync::MappedOwner>>(std::vector<sync::MappedOwner>())
                                        : destination_.map_owners(subject_.root_name, owners));
    MAILDIRSYNC_ASSIGN(auto aliases, destination_.aliases(subject_));
    carry_digests(earlier, source->manifest, *there);
    auto found = compare(source->manifest, *there, sync::mapping_of(owners, mapped), aliases);
    for (auto& difference : found)
      add_change_stamp(difference);
    return found;
  }

  Result<std::vector<Difference>> look_at_drained(const sync::AccountManifest& source,
                                                  const sync::AccountManifest& there) {
    MAILDIRSYNC_ASSIGN(const auto given, destination_.given(subject_));
    auto verdict = compare_drained(source, given, there, *subject_.drained_since);
    verdict_.stragglers = std::move(verdict.stragglers);
    return std::move(verdict.differences);
  }

  /// A message that was renamed and renamed back is the same to every other eye.
  void add_change_stamp(Difference& difference) const {
    if (!difference.at_source || difference.kind == DifferenceKind::content) return;
    difference.evidence += std::to_string(
        change_stamp(*subject_.root, subject_.path, difference.folder, difference.area, difference.name));
  }

  void count(const sync::AccountManifest& source) {
    verdict_.folders = source.folders.size();
    verdict_.messages = verdict_.bytes = 0;
    for (const auto& folder : source.folders) {
      for (const auto& entry : folder.entries) {
        if (entry.area == sync::Area::folder) continue;
        ++verdict_.messages;
        verdict_.bytes += entry.size;
      }
    }
  }

  const Subject& subject_;
  Contents contents_;
  Destination& destination_;
  const std::atomic<bool>& stop_;
  Verdict verdict_;
};

}  // namespace

Result<Verdict> verify_account(const Subject& subject, Contents contents, Destination& destination,
                               const std::atomic<bool>& stop) {
  return AccountComparison(subject, contents, destination, stop).run();
}

}  // namespace maildirsync::agent
