#include <benchmark/benchmark.h>

#include "bench/mail_maker.h"
#include "bench/micro/folders.h"
#include "common/codec/compression.h"
#include "common/sync/plan.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"

namespace maildirsync::bench {

namespace {

wire::Header header_of_put() {
  const auto operations = sync::plan({}, account_of(1));
  wire::Header header;
  wire::to_wire(operations.back(), *header.mutable_operation());
  header.mutable_operation()->set_sequence(12345);
  return header;
}

void encode_operation(benchmark::State& state) {
  const auto operations = sync::plan({}, account_of(1));
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  std::string out;
  for (auto _ : state) {
    out.clear();
    wire::Header header;
    wire::to_wire(operations.back(), *header.mutable_operation());
    wire::encode(header, payload, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode_operation)->Arg(0)->Arg(4096)->Arg(262'144);

void decode_operation(benchmark::State& state) {
  std::string frame;
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  wire::encode(header_of_put(), payload, frame);
  const auto lengths = wire::decode_prefix(std::string_view(frame).substr(0, wire::k_prefix));
  const std::string_view header = std::string_view(frame).substr(wire::k_prefix, lengths->header);
  for (auto _ : state) {
    auto decoded = wire::decode(header, frame.substr(wire::k_prefix + lengths->header));
    benchmark::DoNotOptimize(wire::from_wire(decoded->header.operation()));
  }
}
BENCHMARK(decode_operation)->Arg(0)->Arg(4096)->Arg(262'144);

/// Message by message, each flushed, as they are sent; the argument is the level.
void compress_messages(benchmark::State& state) {
  MailMaker maker(1);
  std::vector<std::string> messages;
  std::size_t plain = 0, compressed = 0;
  for (int i = 0; i < 1000; ++i)
    plain += messages.emplace_back(maker.message(maker.size({}))).size();
  codec::Compressor compressor(static_cast<int>(state.range(0)));
  std::string out;
  for (auto _ : state) {
    compressor.reset();
    compressed = 0;
    for (const auto& message : messages) {
      out.clear();
      compressor.compress(message, out);
      compressed += out.size();
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(plain));
  state.counters["ratio"] = static_cast<double>(compressed) / static_cast<double>(plain);
}
BENCHMARK(compress_messages)->DenseRange(1, 9, 2)->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace maildirsync::bench
