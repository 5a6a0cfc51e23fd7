#include "src/forward/page_pool.h"

#include "src/base/status_macros.h"

namespace specinfer {

PagePool::PagePool(Backend& backend, std::unique_ptr<Buffer> buffer,
                   size_t page_bytes, int32_t num_pages)
    : backend_(backend),
      buffer_(std::move(buffer)),
      page_bytes_(page_bytes),
      num_pages_(num_pages) {
  free_pages_.reserve(static_cast<size_t>(num_pages));
  num_holders_.resize(static_cast<size_t>(num_pages));
}

absl::StatusOr<std::shared_ptr<PagePool>> PagePool::Create(Backend& backend,
                                                           size_t page_bytes,
                                                           int32_t num_pages) {
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<Buffer> buffer,
      backend.Reserve(page_bytes * static_cast<size_t>(num_pages),
                      "key-value cache"));
  return std::shared_ptr<PagePool>(
      new PagePool(backend, std::move(buffer), page_bytes, num_pages));
}

absl::StatusOr<Page> PagePool::Acquire() {
  std::lock_guard<std::mutex> lock(mutex_);
  int32_t page = 0;
  if (!free_pages_.empty()) {
    page = free_pages_.back();
    free_pages_.pop_back();
  } else if (num_touched_ < num_pages_) {
    SPECINFER_RETURN_IF_ERROR(backend_.Commit(*buffer_, page_bytes_));
    page = num_touched_++;
  } else {
    return absl::ResourceExhaustedError(
        "all pages of this key-value cache are in use");
  }
  num_holders_[static_cast<size_t>(page)] = 1;
  return Page(shared_from_this(), page);
}

bool PagePool::IsEmpty() {
  std::lock_guard<std::mutex> lock(mutex_);
  return free_pages_.empty() && num_touched_ == num_pages_;
}

size_t PagePool::used_bytes() {
  std::lock_guard<std::mutex> lock(mutex_);
  return static_cast<size_t>(num_touched_) * page_bytes_;
}

void PagePool::AddHolder(int32_t page) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++num_holders_[static_cast<size_t>(page)];
}

void PagePool::RemoveHolder(int32_t page) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (--num_holders_[static_cast<size_t>(page)] == 0)
    free_pages_.push_back(page);
}

int32_t PagePool::NumHolders(int32_t page) {
  std::lock_guard<std::mutex> lock(mutex_);
  return num_holders_[static_cast<size_t>(page)];
}

}  // namespace specinfer
