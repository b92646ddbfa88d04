#include "agent/turn/packer.h"

#include "common/wire/frame.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_pack = 96 * 1024;  // of plain frames, with one more piece of a body: fits a payload unpacked
// From this size on, a body is worth an entropy table of its own: what came before is closed off at its end.
constexpr std::size_t k_own_block = 4096;
constexpr std::size_t k_level_bytes = 4 * 1024 * 1024;  // of plain frames, between two thoughts about the level

}  // namespace

void Packer::begin(std::uint64_t epoch, const config::Transfer& transfer) {
  const bool same =
      epoch == epoch_ && transfer.compression == transfer_.compression && transfer.level == transfer_.level;
  epoch_ = epoch;
  transfer_ = transfer;
  if (same) return;
  const int level = transfer.compression == config::Compression::level ? transfer.level : codec::k_auto_start_level;
  compressor_ = transfer.compression == config::Compression::off ? nullptr : std::make_unique<codec::Compressor>(level);
}

bool Packer::open(const wire::Header& header) {
  plain_.clear();
  packed_.clear();
  plain_size_ = 0;
  fresh_ = false;
  sent_.clear();
  begun_ = std::chrono::steady_clock::now();
  if (compressor_) compressor_->reset();
  return outbox_.push(epoch_, header, {}, std::nullopt);
}

bool Packer::push(const wire::Header& header, std::string_view payload, std::optional<Sent> sent) {
  wire::encode(header, payload, plain_);
  if (sent) sent_.push_back(std::move(*sent));
  if (payload.size() >= k_own_block) squeeze();
  if (plain_size_ + plain_.size() < k_pack) return true;
  if (!flush()) return false;
  adapt_level();
  return true;
}

void Packer::squeeze() {
  if (!compressor_ || plain_.empty()) return;
  compressor_->compress(plain_, packed_);
  plain_size_ += plain_.size();
  plain_.clear();
}

bool Packer::flush() {
  squeeze();
  bytes_ += plain_size_;
  std::string frames;
  if (plain_size_ > 0) {
    wire::Header header;
    header.mutable_packed()->set_plain_size(static_cast<std::uint32_t>(plain_size_));
    header.mutable_packed()->set_fresh(fresh_);
    wire::encode(header, packed_, frames);
    packed_.clear();
    plain_size_ = 0;
    fresh_ = false;
  } else {
    std::swap(frames, plain_);
  }
  const auto now = std::chrono::steady_clock::now();
  busy_ += now - begun_;
  begun_ = now;
  return frames.empty() || outbox_.push(epoch_, frames, std::exchange(sent_, {}));
}

/// Higher while the wire is what we wait for, lower while a core is.
void Packer::adapt_level() {
  if (transfer_.compression != config::Compression::automatic || bytes_ < k_level_bytes) return;
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double> took = busy_ + (now - begun_);
  const std::chrono::duration<double> waited = outbox_.waited() - waited_before_;
  waited_before_ = outbox_.waited();
  bytes_ = 0;
  busy_ = {};
  begun_ = now;
  const int level = codec::pick_level(compressor_->level(), waited / took);
  if (level == compressor_->level()) return;
  compressor_->set_level(level);
  compressor_->reset();
  fresh_ = true;
}

}  // namespace maildirsync::agent
