#include "daemon/session/listings.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include "common/wire/listing.h"
#include "daemon/session/believed.h"
#include "daemon/session/lister.h"
#include "daemon/session/on_thread.h"
#include "daemon/session/were_had.h"

namespace maildirsync::daemon {

namespace {

/// An account that is away with all others is the whole root's matter, and not to be sent again.
void refuse_if_emptied(const ListRequest& request, wire::Listing& piece) {
  if (!piece.last() || piece.exists() || piece.error() != 0 || request.looks_only || !request.served) return;
  const auto checked = request.served->check_not_emptied(*request.root);
  if (checked) return;
  piece.set_error(static_cast<std::uint32_t>(checked.error().code));
  piece.set_detail(checked.error().message());
  piece.set_whole_root(true);
}

}  // namespace

void Listings::begin(ListRequest request, std::shared_ptr<ListingSink> sink) {
  asio::post(services_.loop, [this, request = std::move(request), sink = std::move(sink)] {
    load_->begin_listing(
        [this, request, sink] { asio::co_spawn(services_.loop, list(request, sink), asio::detached); });
  });
}

asio::awaitable<void> Listings::list(ListRequest request, std::shared_ptr<ListingSink> sink) {
  ++under_way_;
  const auto listed = under_way_in_.insert(request.served);
  try {
    if (!request.believed.empty() || !request.had.empty()) {
      wire::Header header;
      *header.mutable_listing() = co_await on_thread(
          services_.threads, [&] { return request.had.empty() ? compare_looks(request) : find_had(request); });
      sink->send(header);
    } else if (request.accounts) {
      co_await list_all_accounts(request, *sink);
    } else {
      co_await list_account(request, *sink);
    }
  } catch (const std::exception& exception) {
    sink->end(ErrorCode::io, exception.what());
  }
  under_way_in_.erase(listed);
  if (!gave_back_) {
    --under_way_;
    load_->end_listing();
  }
  sink->answered();
}

asio::awaitable<void> Listings::list_all_accounts(const ListRequest& request, ListingSink& sink) {
  const auto layout = maildir::Layout::parse(request.pattern);
  if (!layout) {
    sink.end(ErrorCode::protocol, layout.error().message());
    co_return;
  }
  if (sink.has_ended()) co_return;
  auto pieces = co_await on_thread(services_.threads, [&] {
    const std::string above = place_of(*request.root, "");
    // What another agent or root has brought to the same directory is theirs.
    const auto is_told = [&](const std::string& account) {
      return services_.ownership == nullptr ||
             services_.ownership->check(os::join(above, account), request.owner).has_value();
    };
    auto found = list_accounts(*request.root, *layout, request.id, is_told);
    if (request.packed) std::for_each(found.begin(), found.end(), wire::pack);
    return found;
  });
  wire::Header header;
  for (auto& piece : pieces) {
    co_await sink.wait_for_reader();
    *header.mutable_listing() = std::move(piece);
    sink.send(header);
  }
}

asio::awaitable<void> Listings::list_account(const ListRequest& request, ListingSink& sink) {
  if (const auto debt =
          request.looks_only ? std::nullopt : services_.committers.of(request.root->path()).debt(*request.root)) {
    wire::Header header;
    auto& listing = *header.mutable_listing();
    listing.set_id(request.id);
    listing.set_last(true);
    listing.set_error(static_cast<std::uint32_t>(debt->code));
    listing.set_detail(debt->message());
    sink.send(header);
    co_return;
  }
  const Digests digests = request.digests           ? Digests::all
                          : request.control_digests ? Digests::control_files
                                                    : Digests::no;
  Lister lister(request.root, request.account, request.id, digests,
                request.looks_only ? ChangeStamps::yes : ChangeStamps::no,
                request.remove_indexes ? Indexes::remove : Indexes::keep, request.digests_since);
  wire::Header header;
  while (!sink.has_ended()) {
    *header.mutable_listing() = co_await on_thread(services_.threads, [&] {
      auto piece = lister.next();
      refuse_if_emptied(request, piece);
      if (request.packed) wire::pack(piece);
      return piece;
    });
    sink.send(header);
    if (header.listing().last()) {
      const auto& last = header.listing();
      services_.note_listing(request.account_key,
                             last.error() == 0
                                 ? std::nullopt
                                 : std::optional(Error{static_cast<ErrorCode>(last.error()), "", last.detail(), 0}));
      co_return;
    }
    co_await sink.wait_for_reader();
  }
}

void Listings::give_back() {
  for (; under_way_ > 0; --under_way_)
    load_->end_listing();
  gave_back_ = true;
}

}  // namespace maildirsync::daemon
