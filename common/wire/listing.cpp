#include "common/wire/listing.h"

#include "common/codec/compression.h"
#include "common/wire/frame.h"

namespace maildirsync::wire {

void pack(Listing& listing) {
  Listing inside;
  inside.mutable_folders()->Swap(listing.mutable_folders());
  inside.mutable_accounts()->Swap(listing.mutable_accounts());
  listing.set_packed(codec::compress_whole(inside.SerializeAsString()));
}

Result<> unpack(Listing& listing) {
  if (listing.packed().empty()) return {};
  MAILDIRSYNC_ASSIGN(auto bytes, codec::decompress_whole(listing.packed(), k_max_header));
  Listing inside;
  if (!inside.ParseFromString(bytes)) return failure(ErrorCode::protocol, "", "a packed listing is damaged");
  listing.clear_packed();
  listing.mutable_folders()->Swap(inside.mutable_folders());
  listing.mutable_accounts()->Swap(inside.mutable_accounts());
  return {};
}

}  // namespace maildirsync::wire
