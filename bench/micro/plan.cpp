#include "common/sync/plan.h"

#include <benchmark/benchmark.h>

#include "bench/micro/folders.h"

namespace maildirsync::bench {

namespace {

void plan_all_flags_changed(benchmark::State& state) {
  const auto before = account_of(50'000);
  auto after = before;
  for (auto& entry : after.folders.front().entries)
    entry.name += "T";
  for (auto _ : state)
    benchmark::DoNotOptimize(sync::plan(before, after));
}
BENCHMARK(plan_all_flags_changed)->Unit(benchmark::kMillisecond);

void plan_first_copy(benchmark::State& state) {
  const auto after = account_of(50'000);
  for (auto _ : state)
    benchmark::DoNotOptimize(sync::plan({}, after));
}
BENCHMARK(plan_first_copy)->Unit(benchmark::kMillisecond);

void plan_nothing_changed(benchmark::State& state) {
  const auto account = account_of(100'000);
  for (auto _ : state)
    benchmark::DoNotOptimize(sync::plan(account, account));
}
BENCHMARK(plan_nothing_changed)->Unit(benchmark::kMillisecond);

sync::Entry delivered() {
  sync::Entry entry;
  entry.area = sync::Area::new_;
  entry.name = "1700000000.M1P1.mx1.example.org,S=1000,W=1020";
  entry.inode = 1;
  entry.size = 1000;
  return entry;
}

/// After an overflow: the whole folder was listed.
void plan_one_delivery_listed(benchmark::State& state) {
  const auto before = account_of(100'000);
  auto after = before;
  after.folders.front().entries.push_back(delivered());
  for (auto _ : state)
    benchmark::DoNotOptimize(sync::plan(before, after));
}
BENCHMARK(plan_one_delivery_listed)->Unit(benchmark::kMillisecond);

/// As an event tells it.
void plan_one_delivery_named(benchmark::State& state) {
  auto before = account_of(0);
  before.structure_whole = false;
  before.folders.front().scope = sync::Scope::names;
  auto after = before;
  after.folders.front().entries.push_back(delivered());
  for (auto _ : state)
    benchmark::DoNotOptimize(sync::plan(before, after));
}
BENCHMARK(plan_one_delivery_named)->Unit(benchmark::kMicrosecond);

}  // namespace

}  // namespace maildirsync::bench
