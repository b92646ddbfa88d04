#include "agent/destination/own_place.h"

#include <sstream>
#include <utility>

#include <asio/post.hpp>
#include <sys/stat.h>

#include "common/codec/digest.h"
#include "common/os/boot.h"
#include "common/os/directory.h"
#include "common/os/machine.h"
#include "common/os/replace_file.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_largest = 256;

/// Of something that names this machine, so that the name itself stays here; empty for nothing.
std::string digest_of(const std::string& name) {
  if (name.empty()) return "";
  const auto digest = codec::digest("maildirsync " + name);
  return {digest.bytes.begin(), digest.bytes.end()};
}

/// The lock on the state lies in this directory of this boot.
std::string home_of(const std::string& state_dir) {
  struct stat status {};
  const std::string boot = os::boot_id();
  if (boot.empty() || ::stat(state_dir.c_str(), &status) != 0) return "";
  return boot + ' ' + os::machine_id() + ' ' + std::to_string(status.st_dev) + ' ' + std::to_string(status.st_ino);
}

wire::Lease read_lease(const std::string& path) {
  wire::Lease lease;
  const auto text = os::read_file(path, k_largest);
  if (!text) return lease;
  std::istringstream words(*text);
  std::uint64_t number = 0;
  std::string id;
  if (!(words >> number >> id)) return lease;
  lease.set_number(number);
  lease.set_id(id);
  return lease;
}

bool are_equal(const wire::Lease& left, const wire::Lease& right) {
  return left.number() == right.number() && left.id() == right.id();
}

}  // namespace

OwnPlace::OwnPlace(asio::io_context& loop, const std::string& state_dir, std::function<void()> kept)
    : loop_(loop), path_(state_dir + "/lease"), kept_(std::move(kept)) {
  place_.set_home(digest_of(home_of(state_dir)));
  place_.set_machine(digest_of(os::machine_id()));
  place_.set_hardware(digest_of(os::hardware_id()));
  *place_.mutable_lease() = wanted_ = read_lease(path_);
}

OwnPlace::~OwnPlace() {
  *alive_ = false;
  writer_.join();
}

void OwnPlace::tell(wire::Hello& hello) const {
  *hello.mutable_place() = place_;
}

void OwnPlace::tell(wire::Ping& ping) const {
  *ping.mutable_lease() = place_.lease();
}

void OwnPlace::take(const wire::Lease& given) {
  if (given.number() == 0) return;  // of a receiver of an earlier release, or for one that is not obeyed
  wanted_ = given;
  if (writing_ || are_equal(place_.lease(), wanted_)) return;
  writing_ = true;
  asio::post(writer_, [this, alive = alive_, lease = wanted_] {
    const auto written = os::replace_file(path_, std::to_string(lease.number()) + ' ' + lease.id() + '\n');
    asio::post(loop_, [this, alive, lease, written] {
      if (!*alive) return;
      writing_ = false;
      if (written) {
        *place_.mutable_lease() = lease;
        if (!are_equal(lease, wanted_)) return take(wanted_);
        kept_();
      } else {
        service::log_warning("lease-unwritten detail=\"{}\"", written.error().message());
      }
    });
  });
}

}  // namespace maildirsync::agent
