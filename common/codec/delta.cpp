#include "common/codec/delta.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <vector>

#include <librsync.h>
#include <unistd.h>

namespace maildirsync::codec {

namespace {

constexpr rs_magic_number k_magic = RS_BLAKE2_SIG_MAGIC;
constexpr std::size_t k_strong_length = 16;
constexpr std::size_t k_max_block_length = 1024 * 1024;  // the square root of a basis of 1 TiB
constexpr std::size_t k_signature_header = 12;           // magic, block length, strong length; big-endian
constexpr std::size_t k_signature_entry = 4 + k_strong_length;
constexpr std::size_t k_output_size = 64 * 1024;

using Sink = std::function<Result<>(std::string_view)>;

struct FreeJob {
  void operator()(rs_job_t* job) const { rs_job_free(job); }
  void operator()(rs_signature_t* signature) const { rs_free_sumset(signature); }
};
using Job = std::unique_ptr<rs_job_t, FreeJob>;
using Signature = std::unique_ptr<rs_signature_t, FreeJob>;

// librsync writes what it thinks of its input to stderr; we say it ourselves.
void keep_librsync_quiet() {
  static const bool quiet = [] {
    rs_trace_to([](rs_loglevel, const char*) {});
    return true;
  }();
  (void)quiet;
}

enum class More : bool { follows, is_not_there };

/// Feeds a piece of the input to a job and gives all its output to the sink; true when the job has ended. `code` for
/// what the job says against the input.
Result<bool> feed(const Job& job, std::string_view input, More more, ErrorCode code, const Sink& sink) {
  if (!job) return failure(ErrorCode::io, "", "librsync could not start a job");
  std::vector<char> output(k_output_size);
  rs_buffers_t buffers{};
  buffers.next_in = const_cast<char*>(input.data());  // only read; the C interface knows no const
  buffers.avail_in = input.size();
  buffers.eof_in = more == More::is_not_there ? 1 : 0;
  while (true) {
    buffers.next_out = output.data();
    buffers.avail_out = output.size();
    const std::size_t before = buffers.avail_in;
    const rs_result result = rs_job_iter(job.get(), &buffers);
    if (result != RS_DONE && result != RS_BLOCKED) return failure(code, "", rs_strerror(result));
    const std::size_t produced = output.size() - buffers.avail_out;
    if (produced > 0) MAILDIRSYNC_TRY(sink({output.data(), produced}));
    if (result == RS_DONE) break;
    const bool rests = produced == 0 && buffers.avail_in == before;
    if (rests && buffers.avail_in == 0 && more == More::follows) return false;
    if (rests) return failure(code, "", "the input ends too early");
  }
  if (buffers.avail_in > 0) return failure(code, "", "there is more input after the end");
  return true;
}

/// The same with the bytes of the input from `offset` on.
Result<> run(const Job& job, const os::Content& input, std::uint64_t offset, ErrorCode code, const Sink& sink) {
  MAILDIRSYNC_TRY(input.read(offset, input.size(), [&](std::string_view piece) -> Result<> {
    const auto fed = feed(job, piece, More::follows, code, sink);
    return fed ? Result<>() : Failure(fed.error());
  }));
  const auto ended = feed(job, {}, More::is_not_there, code, sink);
  return ended ? Result<>() : Failure(ended.error());
}

Sink append_to(std::string& out) {
  return [&out](std::string_view bytes) {
    out.append(bytes);
    return Result<>{};
  };
}

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, 4))
    value = (value << 8) | static_cast<unsigned char>(byte);
  return value;
}

template <class Unsigned>
void append_big_endian(std::string& out, Unsigned value) {
  for (std::size_t byte = sizeof value; byte-- > 0;)
    out.push_back(static_cast<char>(value >> (8 * byte)));
}

/// The length of a signature's blocks, in bytes.
Result<std::uint32_t> block_length_of(std::string_view bytes) {
  const bool whole = bytes.size() >= k_signature_header && (bytes.size() - k_signature_header) % k_signature_entry == 0;
  if (!whole || read_u32(bytes) != k_magic || read_u32(bytes.substr(8)) != k_strong_length) {
    return failure(ErrorCode::io, "", "a signature is not one of ours");
  }
  const std::uint32_t block_length = read_u32(bytes.substr(4));
  if (block_length == 0 || block_length > k_max_block_length) {
    return failure(ErrorCode::io, "", "a signature has blocks of " + std::to_string(block_length) + " bytes");
  }
  return block_length;
}

/// What librsync chooses for a basis of that size.
Result<std::size_t> best_block_length(std::size_t size) {
  rs_magic_number magic = k_magic;
  std::size_t block_length = 0;
  std::size_t strong_length = k_strong_length;
  const rs_result chosen = rs_sig_args(static_cast<rs_long_t>(size), &magic, &block_length, &strong_length);
  if (chosen != RS_DONE) return failure(ErrorCode::io, "", rs_strerror(chosen));
  return block_length;
}

Result<std::string> signature_in_blocks(std::size_t block_length, const os::Content& basis, std::uint64_t offset) {
  const Job job(rs_sig_begin(block_length, k_strong_length, k_magic));
  std::string out;
  MAILDIRSYNC_TRY(run(job, basis, offset, ErrorCode::io, append_to(out)));
  return out;
}

// librsync sizes its buffers by what the header says, so the header is not left to it.
Result<Signature> load(std::string_view bytes) {
  MAILDIRSYNC_TRY(block_length_of(bytes));
  rs_signature_t* loaded = nullptr;
  const Job job(rs_loadsig_begin(&loaded));
  const Result<> ran = run(job, bytes, 0, ErrorCode::io, [](std::string_view) { return Result<>{}; });
  Signature signature(loaded);
  if (!ran) return Failure(ran.error());
  if (const rs_result indexed = rs_build_hash_table(signature.get()); indexed != RS_DONE) {
    return failure(ErrorCode::io, "", rs_strerror(indexed));
  }
  return signature;
}

/// A basis that is read where a delta says.
struct Basis {
  int fd = -1;
  int error_number = 0;
};

rs_result read_basis(void* opaque, rs_long_t position, std::size_t* length, void** buffer) {
  auto& basis = *static_cast<Basis*>(opaque);
  ssize_t count = 0;
  do {
    count = ::pread(basis.fd, *buffer, *length, position);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    // A position that no file can have is the delta's fault, not the disk's.
    if (errno == EINVAL) return RS_CORRUPT;
    basis.error_number = errno;
    return RS_IO_ERROR;
  }
  *length = static_cast<std::size_t>(count);
  return count == 0 ? RS_INPUT_ENDED : RS_DONE;
}

}  // namespace

Result<std::string> signature(const os::Content& basis) {
  keep_librsync_quiet();
  MAILDIRSYNC_ASSIGN(const auto block_length, best_block_length(basis.size()));
  return signature_in_blocks(block_length, basis, 0);
}

Result<std::string> signature_of_appended(std::string_view basis_signature, std::uint64_t basis_size,
                                          const os::Content& target) {
  keep_librsync_quiet();
  const auto block_length = block_length_of(basis_signature);
  const auto best = best_block_length(target.size());
  if (!block_length) return Failure(block_length.error());
  if (!best) return Failure(best.error());
  // The last block of the basis may be shorter than the others, and then it is another one in the target.
  const std::uint64_t whole_blocks = basis_size / *block_length;
  const std::size_t kept = k_signature_header + whole_blocks * k_signature_entry;
  const bool has_grown_out = *best > std::size_t{2} * *block_length;
  if (basis_size > target.size() || kept > basis_signature.size() || has_grown_out) return signature(target);
  auto rest = signature_in_blocks(*block_length, target, whole_blocks * *block_length);
  if (!rest) return rest;
  return std::string(basis_signature.substr(0, kept)) + rest->substr(k_signature_header);
}

Result<std::string> delta(std::string_view basis_signature, const os::Content& target, std::size_t most) {
  keep_librsync_quiet();
  MAILDIRSYNC_ASSIGN(const auto loaded, load(basis_signature));
  const Job job(rs_delta_begin(loaded.get()));
  std::string out;
  MAILDIRSYNC_TRY(run(job, target, 0, ErrorCode::io, [&](std::string_view bytes) -> Result<> {
    if (bytes.size() > most - out.size()) return failure(ErrorCode::too_big, "", "the delta is too long");
    out.append(bytes);
    return {};
  }));
  return out;
}

Around delta_of_appended(std::uint64_t basis_size, std::uint64_t target_size) {
  // As librsync's command table has them (prototab.h): every operand is as long as the name says, big-endian.
  constexpr char k_copy_n8_n8 = 0x54;
  constexpr char k_literal_n8 = 0x44;
  constexpr char k_end = 0;
  Around around;
  append_big_endian(around.head, std::uint32_t{RS_DELTA_MAGIC});
  if (basis_size > 0) {
    around.head.push_back(k_copy_n8_n8);
    append_big_endian(around.head, std::uint64_t{0});
    append_big_endian(around.head, basis_size);
  }
  if (target_size > basis_size) {
    around.head.push_back(k_literal_n8);
    append_big_endian(around.head, target_size - basis_size);
  }
  around.tail.push_back(k_end);
  return around;
}

struct Patcher::State {
  Basis basis;
  Job job;
  std::uint64_t left = 0;
  Sink sink;
  bool ended = false;

  Result<> feed(std::string_view delta, More more) {
    if (ended && delta.empty()) return {};
    const auto fed = codec::feed(job, delta, more, ErrorCode::protocol, [this](std::string_view bytes) -> Result<> {
      if (bytes.size() > left) return failure(ErrorCode::too_big, "", "a delta makes more bytes than it may");
      left -= bytes.size();
      return sink(bytes);
    });
    if (fed) {
      ended = *fed;
      return {};
    }
    return basis.error_number != 0 ? os_failure("", "the basis of a delta can't be read", basis.error_number)
                                   : Failure(fed.error());
  }
};

Patcher::Patcher(int basis_fd, std::uint64_t limit, Sink sink) : state_(std::make_unique<State>()) {
  keep_librsync_quiet();
  state_->basis.fd = basis_fd;
  state_->job.reset(rs_patch_begin(read_basis, &state_->basis));
  state_->left = limit;
  state_->sink = std::move(sink);
}

Patcher::~Patcher() = default;
Patcher::Patcher(Patcher&&) noexcept = default;
Patcher& Patcher::operator=(Patcher&&) noexcept = default;

Result<> Patcher::feed(std::string_view delta) {
  if (state_->ended) return failure(ErrorCode::protocol, "", "there is more input after the end");
  return state_->feed(delta, More::follows);
}

Result<> Patcher::finish() {
  return state_->feed({}, More::is_not_there);
}

Result<> patch(int basis_fd, std::string_view delta, std::uint64_t limit, Sink sink) {
  Patcher patcher(basis_fd, limit, std::move(sink));
  MAILDIRSYNC_TRY(patcher.feed(delta));
  return patcher.finish();
}

}  // namespace maildirsync::codec
