#include "agent/send/lane.h"

#include <asio/post.hpp>

#include "agent/send/names.h"
#include "common/wire/convert.h"

namespace maildirsync::agent {

Lane::Lane(asio::io_context& loop, State& state, Watcher& watcher, Totals& totals, std::shared_ptr<Link> link,
           std::function<void(std::shared_ptr<Job>)> done)
    : loop_(loop),
      link_(std::move(link)),
      sender_(link_->outbox(), state, totals),
      runner_(state, watcher, sender_, *this, totals),
      done_(std::move(done)),
      thread_([this] { work(); }) {}

Lane::~Lane() {
  stop();
}

void Lane::stop() {
  turns_.close();
  if (thread_.joinable()) thread_.join();
}

void Lane::give(std::shared_ptr<Job> job, const config::Transfer& transfer, std::shared_ptr<Link> questions) {
  job_ = job;
  const auto questions_epoch = questions->outbox().epoch();
  turns_.push({std::move(job), link_->outbox().epoch(), transfer, std::move(questions), questions_epoch});
}

void Lane::work() {
  while (auto turn = turns_.pop()) {
    sender_.begin(turn->epoch, turn->transfer);
    questions_ = turn->questions;
    questions_epoch_ = turn->questions_epoch;
    runner_.run(turn->job);
    asio::post(loop_, [this, job = std::move(turn->job)]() mutable {
      job_.reset();
      done_(std::move(job));
    });
  }
}

Result<sync::AccountManifest> Lane::list(const JobOrder& order, bool digests) {
  wire::Header question;
  auto& list = *question.mutable_list();
  list.set_root(order.root_name);
  list.set_account(order.account_path);
  list.set_digests(digests);
  auto answer = questions_->ask(questions_epoch_, std::move(question));
  if (!answer) return Failure(answer.error());
  sync::AccountManifest manifest;
  manifest.exists = false;
  manifest.structure_whole = true;
  for (const auto& part : *answer) {
    const auto& listing = part.listing();
    if (listing.error() != 0) {
      return failure(ErrorCode::io, order.account_path, "the receiver cannot list the account: " + listing.detail());
    }
    manifest.exists |= listing.exists();
    for (const auto& folder : listing.folders()) {
      if (manifest.folders.empty() || manifest.folders.back().path != folder.path()) {
        auto shape = wire::from_wire(folder.shape());
        if (!shape) return Failure(shape.error());
        manifest.folders.push_back({.path = folder.path(),
                                    .self = shape->self,
                                    .cur = shape->cur,
                                    .new_ = shape->new_,
                                    .tmp = shape->tmp,
                                    .entries = {}});
      }
      for (const auto& wire_entry : folder.entries()) {
        auto entry = wire::from_wire(wire_entry);
        if (!entry) return Failure(entry.error());
        manifest.folders.back().entries.push_back(std::move(*entry));
      }
    }
  }
  std::sort(manifest.folders.begin(), manifest.folders.end(),
            [](const auto& left, const auto& right) { return left.path < right.path; });
  for (auto& folder : manifest.folders) {
    std::sort(folder.entries.begin(), folder.entries.end(), sync::before_in_folder);
  }
  return manifest;
}

Result<std::vector<std::optional<std::pair<std::uint32_t, std::uint32_t>>>> Lane::map_owners(
    const JobOrder& order, const std::vector<sync::Attributes>& owners) {
  constexpr std::size_t k_batch = 2000;
  std::vector<std::optional<std::pair<std::uint32_t, std::uint32_t>>> mapped;
  for (std::size_t start = 0; start < owners.size(); start += k_batch) {
    wire::Header names_header;
    wire::Header question;
    auto& map = *question.mutable_map_owners();
    map.set_root(order.root_name);
    for (std::size_t i = start; i < std::min(owners.size(), start + k_batch); ++i) {
      auto& user = *names_header.mutable_names()->add_users();
      user.set_id(owners[i].uid);
      user.set_name(user_name(owners[i].uid));
      auto& group = *names_header.mutable_names()->add_groups();
      group.set_id(owners[i].gid);
      group.set_name(group_name(owners[i].gid));
      auto& owner = *map.add_owners();
      owner.set_uid(owners[i].uid);
      owner.set_gid(owners[i].gid);
    }
    if (!questions_->outbox().push(questions_epoch_, names_header, {}, std::nullopt)) {
      return failure(ErrorCode::cancelled, "", "the connection to the receiver broke");
    }
    auto answer = questions_->ask(questions_epoch_, std::move(question));
    if (!answer) return Failure(answer.error());
    for (const auto& part : *answer) {
      for (const auto& owner : part.mapped_owners().owners()) {
        mapped.push_back(owner.ok() ? std::optional(std::pair(owner.uid(), owner.gid())) : std::nullopt);
      }
    }
  }
  return mapped;
}

}  // namespace maildirsync::agent
