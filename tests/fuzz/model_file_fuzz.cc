// libFuzzer's entry over model files. No target builds it: compile it with
// clang++ -fsanitize=fuzzer,address,undefined and link specinfer_model.
#include <cstddef>
#include <cstdint>
#include <string>

#include "src/base/memory.h"
#include "tests/fuzz/read_model.h"
#include "tests/model/memory_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t num_bytes) {
  specinfer::MemoryFiles files;
  files.Put("m", std::string(reinterpret_cast<const char*>(bytes), num_bytes));
  specinfer::Memory memory(/*budget_bytes=*/uint64_t{64} << 20);
  (void)specinfer::ReadEverything("m", files.reader(), memory);
  return 0;
}
