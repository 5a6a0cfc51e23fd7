#include "src/base/memory.h"

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include <sys/mman.h>

namespace specinfer {
namespace {

constexpr size_t kHookAlignment = 64;
constexpr size_t kHugePageBytes = size_t{2} << 20;

absl::Status NoMemory(size_t num_bytes, std::string_view what,
                      uint64_t used_bytes, std::string_view reason) {
  return absl::ResourceExhaustedError(
      absl::StrCat(std::string(what), ": no memory for ", num_bytes, " bytes, ",
                   used_bytes, " bytes are in use; ", std::string(reason)));
}

}  // namespace

Block& Block::operator=(Block&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  memory_ = std::exchange(other.memory_, nullptr);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  charged_ = std::exchange(other.charged_, 0);
  return *this;
}

void Block::Reset() {
  if (data_ != nullptr) {
    memory_->Give(data_, size_);
    memory_->Discharge(charged_);
  }
  memory_ = nullptr;
  data_ = nullptr;
  size_ = 0;
  charged_ = 0;
}

absl::Status Block::Commit(size_t num_bytes) {
  const size_t left = size_ - charged_;
  const size_t added = num_bytes < left ? num_bytes : left;
  if (added == 0) return absl::OkStatus();
  if (absl::Status status = memory_->Charge(added, "reserved memory");
      !status.ok())
    return status;
  charged_ += added;
  return absl::OkStatus();
}

Memory::Memory(uint64_t budget_bytes, MemoryHooks hooks)
    : budget_bytes_(budget_bytes), hooks_(hooks) {}

Memory::~Memory() = default;

absl::StatusOr<Block> Memory::Allocate(size_t num_bytes,
                                       std::string_view what) {
  Block block;
  if (num_bytes == 0) return block;
  if (absl::Status status = Charge(num_bytes, what); !status.ok())
    return status;
  uint8_t* data = Take(num_bytes);
  if (data == nullptr) {
    Discharge(num_bytes);
    return NoMemory(num_bytes, what, used_bytes(),
                    hooks_.allocate != nullptr
                        ? "the host's allocator gave none"
                        : "the system gave none");
  }
#ifdef MADV_HUGEPAGE
  if (hooks_.allocate == nullptr && num_bytes >= kHugePageBytes)
    madvise(data, num_bytes, MADV_HUGEPAGE);
#endif
  block.memory_ = this;
  block.data_ = data;
  block.size_ = num_bytes;
  block.charged_ = num_bytes;
  return block;
}

absl::StatusOr<Block> Memory::Reserve(size_t num_bytes, std::string_view what) {
  if (hooks_.allocate != nullptr) return Allocate(num_bytes, what);
  Block block;
  if (num_bytes == 0) return block;
  uint8_t* data = Take(num_bytes);
  if (data == nullptr)
    return NoMemory(num_bytes, what, used_bytes(),
                    "the system has no address space left");
  block.memory_ = this;
  block.data_ = data;
  block.size_ = num_bytes;
  return block;
}

absl::Status Memory::Charge(size_t num_bytes, std::string_view what) {
  uint64_t used = used_bytes_.load(std::memory_order_relaxed);
  do {
    const uint64_t limit = budget_bytes_ != 0 ? budget_bytes_ : UINT64_MAX;
    if (used > limit || num_bytes > limit - used) {
      return NoMemory(num_bytes, what, used,
                      absl::StrCat("the memory budget is ", budget_bytes_,
                                   " bytes, ", limit - used, " are left"));
    }
  } while (!used_bytes_.compare_exchange_weak(used, used + num_bytes,
                                              std::memory_order_relaxed));
  uint64_t peak = peak_bytes_.load(std::memory_order_relaxed);
  while (peak < used + num_bytes &&
         !peak_bytes_.compare_exchange_weak(peak, used + num_bytes,
                                            std::memory_order_relaxed)) {
  }
  return absl::OkStatus();
}

void Memory::Discharge(size_t num_bytes) {
  used_bytes_.fetch_sub(num_bytes, std::memory_order_relaxed);
}

uint8_t* Memory::Take(size_t num_bytes) {
  if (hooks_.allocate != nullptr) {
    void* data = hooks_.allocate(hooks_.user_data, num_bytes, kHookAlignment);
    if (data != nullptr) std::memset(data, 0, num_bytes);
    return static_cast<uint8_t*>(data);
  }
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
  flags |= MAP_NORESERVE;
#endif
  void* data = mmap(nullptr, num_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  return data == MAP_FAILED ? nullptr : static_cast<uint8_t*>(data);
}

void Memory::Give(uint8_t* data, size_t num_bytes) {
  if (hooks_.allocate == nullptr) {
    munmap(data, num_bytes);
  } else if (hooks_.release != nullptr) {
    hooks_.release(hooks_.user_data, data, num_bytes, kHookAlignment);
  }
}

}  // namespace specinfer
