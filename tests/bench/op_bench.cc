// Times single ops at the shapes of a 1.5B model, each beside its bound: on
// every instruction set of this machine, with one thread and with all.
//
// usage: op_bench [--backends=cpu-avx2,…] [--threads=1,2] [--stream_mib=512]
//                 [Google Benchmark's options, as --benchmark_filter=…]
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/backend/registry.h"
#include "src/base/memory.h"
#include "src/base/thread_pool.h"
#include "tests/bench/op_bench_machine.h"

namespace specinfer::bench {

BenchMachine& GetMachine(const BenchSetting& setting) {
  static std::unique_ptr<BenchMachine> machine;
  static std::string suffix;
  if (machine == nullptr || suffix != setting.Suffix()) {
    machine.reset();
    machine = std::make_unique<BenchMachine>(setting);
    suffix = setting.Suffix();
  }
  return *machine;
}

namespace {

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

// 0: not a positive number.
int ParseCount(std::string_view text) {
  int count = 0;
  const auto result =
      std::from_chars(text.data(), text.data() + text.size(), count);
  return result.ptr == text.data() + text.size() && count > 0 ? count : 0;
}

bool IsAvailable(const std::string& backend) {
  Memory memory(0);
  ThreadPool pool(1);
  return CreateBackend(backend, memory, pool).ok();
}

// The fast ones; the reference is not made to be fast.
std::vector<std::string> Backends() {
  std::vector<std::string> backends;
  for (const char* name : {"cpu-amx", "cpu-avx512", "cpu-avx2", "cpu-neon"}) {
    if (IsAvailable(name)) backends.emplace_back(name);
  }
  return backends;
}

// Takes our options out of the arguments. False: one is wrong.
bool ReadOptions(int* argc, char** argv, std::vector<std::string>* backends,
                 std::vector<std::string>* threads, int* stream_mib) {
  int num_kept = 1;
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string_view value =
        equals == argument.npos ? "" : argument.substr(equals + 1);
    if (name == "--backends") {
      *backends = Split(value);
    } else if (name == "--threads") {
      *threads = Split(value);
    } else if (name == "--stream_mib") {
      *stream_mib = ParseCount(value);
    } else {
      argv[num_kept++] = argv[i];
    }
  }
  *argc = num_kept;
  for (const std::string& backend : *backends) {
    if (IsAvailable(backend)) continue;
    std::fprintf(stderr, "op_bench: this machine has no backend \"%s\"\n",
                 backend.c_str());
    return false;
  }
  for (const std::string& count : *threads) {
    if (ParseCount(count) > 0) continue;
    std::fprintf(stderr, "op_bench: --threads: \"%s\" is no number\n",
                 count.c_str());
    return false;
  }
  return *stream_mib > 0;
}

int Main(int argc, char** argv) {
  std::vector<std::string> backends = Backends();
  std::vector<std::string> threads = {"1", "2"};
  int stream_mib = 512;
  if (!ReadOptions(&argc, argv, &backends, &threads, &stream_mib)) return 2;
  for (const std::string& backend : backends) {
    for (const std::string& count : threads) {
      const BenchSetting setting = {backend, ParseCount(count),
                                    static_cast<size_t>(stream_mib) << 20};
      RegisterLinear(setting);
      RegisterHead(setting);
      RegisterAttention(setting);
      RegisterElementwise(setting);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace specinfer::bench

int main(int argc, char** argv) { return specinfer::bench::Main(argc, argv); }
