#include "common/codec/compression.h"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <vector>

#include <zstd.h>

namespace maildirsync::codec {

namespace {

constexpr int k_max_window_log = 23;  // 8 MiB; both ends know it
constexpr int k_min_level = 1;
constexpr int k_max_level = 19;
// What mail repeats (quoted text, forwarded attachments) lies further back than level 2 looks for it. With a longer
// memory it leaves fewer bytes than level 3, in two thirds of the time; level 1 then gains nothing more.
constexpr int k_fast_level = 2;
constexpr int k_window_log = 22;
constexpr int k_fast_hash_log = 17;
constexpr int k_min_auto_level = k_fast_level;
// From level 10 on, a context takes tens of MiB; each connection has one.
constexpr int k_max_auto_level = 9;

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result)) throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(result));
  return result;
}

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

struct Compressor::State {
  std::unique_ptr<ZSTD_CCtx, FreeContext> context{ZSTD_createCCtx()};
  int level = k_auto_start_level;
  std::vector<char> buffer = std::vector<char>(ZSTD_CStreamOutSize());
};

Compressor::Compressor(int level) : state_(std::make_unique<State>()) {
  if (!state_->context) throw std::bad_alloc();
  set_level(level);
  reset();
}

Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

void Compressor::reset() {
  ZSTD_CCtx* context = state_->context.get();
  checked(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters));
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, state_->level));
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0));
  if (state_->level > k_fast_level) return;
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, k_window_log));
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, k_fast_hash_log));
}

void Compressor::set_level(int level) {
  state_->level = std::clamp(level, k_min_level, k_max_level);
}

int Compressor::level() const {
  return state_->level;
}

void Compressor::compress(std::string_view bytes, std::string& out) {
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  std::size_t remaining = 0;
  do {
    ZSTD_outBuffer output{state_->buffer.data(), state_->buffer.size(), 0};
    remaining = checked(ZSTD_compressStream2(state_->context.get(), &output, &input, ZSTD_e_flush));
    out.append(state_->buffer.data(), output.pos);
  } while (remaining > 0 || input.pos < input.size);
}

struct Decompressor::State {
  std::unique_ptr<ZSTD_DCtx, FreeContext> context{ZSTD_createDCtx()};
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {
  if (!state_->context) throw std::bad_alloc();
  checked(ZSTD_DCtx_setParameter(state_->context.get(), ZSTD_d_windowLogMax, k_max_window_log));
}

Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

void Decompressor::reset() {
  checked(ZSTD_DCtx_reset(state_->context.get(), ZSTD_reset_session_only));
}

Result<> Decompressor::decompress(std::string_view block, std::span<char> out) {
  ZSTD_inBuffer input{block.data(), block.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  char beyond = 0;  // room in which it shows when there is more than there ought to be
  ZSTD_outBuffer rest{&beyond, 1, 0};
  for (bool more = true; more;) {
    ZSTD_outBuffer& into = output.pos < output.size ? output : rest;
    const std::size_t hint = ZSTD_decompressStream(state_->context.get(), &into, &input);
    if (ZSTD_isError(hint)) {
      return failure(ErrorCode::protocol, "", std::string("compressed data is damaged: ") + ZSTD_getErrorName(hint));
    }
    if (rest.pos > 0) {
      return failure(ErrorCode::too_big, "",
                     "compressed data holds more than " + std::to_string(out.size()) + " bytes");
    }
    if (hint == 0) {
      return failure(ErrorCode::protocol, "", "compressed data ends its stream, which only a reset may do");
    }
    more = input.pos < input.size || into.pos == into.size;
  }
  if (output.pos < output.size) {
    return failure(ErrorCode::protocol, "", "compressed data holds less than " + std::to_string(out.size()) + " bytes");
  }
  return {};
}

std::size_t Decompressor::memory() const {
  return ZSTD_sizeof_DCtx(state_->context.get());
}

std::string compress_whole(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(checked(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), k_min_level)));
  return out;
}

Result<std::string> decompress_whole(std::string_view frame, std::size_t limit) {
  const auto size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return failure(ErrorCode::protocol, "", "compressed data does not say its size");
  }
  if (size > limit) {
    return failure(ErrorCode::too_big, "", "compressed data holds more than " + std::to_string(limit) + " bytes");
  }
  std::string out(size, '\0');
  const std::size_t done = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(done) || done != size) {
    return failure(ErrorCode::protocol, "",
                   std::string("compressed data is damaged") +
                       (ZSTD_isError(done) ? std::string(": ") + ZSTD_getErrorName(done) : ""));
  }
  return out;
}

int pick_level(int current, double wire_share) {
  constexpr double k_waits_for_wire_most = 0.8;
  constexpr double k_waits_for_wire = 0.6;
  constexpr double k_waits_for_core = 0.3;
  if (wire_share > k_waits_for_wire) ++current;
  if (wire_share > k_waits_for_wire_most) ++current;
  if (wire_share < k_waits_for_core) --current;
  return std::clamp(current, k_min_auto_level, k_max_auto_level);
}

}  // namespace maildirsync::codec
