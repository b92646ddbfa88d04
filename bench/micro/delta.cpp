#include "common/codec/delta.h"

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include "bench/micro/folders.h"
#include "common/codec/digest.h"
#include "common/os/directory.h"

namespace maildirsync::bench {

namespace {

constexpr std::size_t k_uidlist = 10'000'000;

std::string appended(std::string uidlist) {
  return uidlist += "200001 :1700000000.M1P1.mx1.example.org,S=1000,W=1020\n";
}

void set_rate(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(k_uidlist));
}

void signature_of_uidlist(benchmark::State& state) {
  const std::string basis = uidlist_of(k_uidlist);
  for (auto _ : state)
    benchmark::DoNotOptimize(codec::signature(basis));
  set_rate(state);
}
BENCHMARK(signature_of_uidlist)->Unit(benchmark::kMillisecond);

void delta_of_appended_uidlist(benchmark::State& state) {
  const std::string basis = uidlist_of(k_uidlist), target = appended(basis);
  const auto signature = codec::signature(basis);
  for (auto _ : state)
    benchmark::DoNotOptimize(codec::delta(*signature, target));
  set_rate(state);
}
BENCHMARK(delta_of_appended_uidlist)->Unit(benchmark::kMillisecond);

void patch_of_appended_uidlist(benchmark::State& state) {
  const std::string basis = uidlist_of(k_uidlist), target = appended(basis);
  const auto delta = codec::delta(*codec::signature(basis), target);
  const os::Fd file(::memfd_create("basis", MFD_CLOEXEC));
  if (!delta || !os::write_all(file.get(), basis, "basis")) return state.SkipWithError("no delta");
  for (auto _ : state) {
    codec::Digester digester;
    const auto sink = [&](std::string_view bytes) -> Result<> { return digester.update(bytes), Result<>(); };
    benchmark::DoNotOptimize(codec::patch(file.get(), *delta, target.size(), sink));
  }
  set_rate(state);
}
BENCHMARK(patch_of_appended_uidlist)->Unit(benchmark::kMillisecond);

void digest_of_uidlist(benchmark::State& state) {
  const std::string basis = uidlist_of(k_uidlist);
  for (auto _ : state)
    benchmark::DoNotOptimize(codec::digest(basis));
  set_rate(state);
}
BENCHMARK(digest_of_uidlist)->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace maildirsync::bench
