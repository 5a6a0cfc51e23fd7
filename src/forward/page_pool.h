// Cache pages: address space reserved once, memory taken as used, pages shared
// and counted.
#ifndef SPECINFER_SRC_FORWARD_PAGE_POOL_H_
#define SPECINFER_SRC_FORWARD_PAGE_POOL_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "src/backend/backend.h"

namespace specinfer {

class Page;

// Pages of one size. Thread-safe. Lives until its last page is gone.
class PagePool : public std::enable_shared_from_this<PagePool> {
 public:
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::shared_ptr<PagePool>> Create(Backend& backend,
                                                          size_t page_bytes,
                                                          int32_t num_pages);

  // A page nobody else holds; its content is undefined.
  // Errors: RESOURCE_EXHAUSTED (no page left, or over the budget).
  absl::StatusOr<Page> Acquire();
  bool IsEmpty();  // no page left to acquire

  size_t page_bytes() const { return page_bytes_; }
  size_t used_bytes();  // charged so far

 private:
  friend class Page;
  PagePool(Backend& backend, std::unique_ptr<Buffer> buffer, size_t page_bytes,
           int32_t num_pages);
  void AddHolder(int32_t page);
  void RemoveHolder(int32_t page);
  int32_t NumHolders(int32_t page);

  Backend& backend_;
  const std::unique_ptr<Buffer> buffer_;
  const size_t page_bytes_;
  const int32_t num_pages_;
  std::mutex mutex_;
  int32_t num_touched_ =
      0;  // pages [0, num_touched_) are charged to the budget
  std::vector<int32_t> free_pages_;   // touched and held by nobody
  std::vector<int32_t> num_holders_;  // [num_pages]
};

// One holder's share of a page. Copying adds a holder; nothing is allocated.
class Page {
 public:
  Page() = default;
  Page(const Page& other) : pool_(other.pool_), index_(other.index_) {
    if (pool_) pool_->AddHolder(index_);
  }
  Page(Page&& other) noexcept
      : pool_(std::move(other.pool_)), index_(other.index_) {}
  Page& operator=(Page other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(index_, other.index_);
    return *this;
  }
  ~Page() {
    if (pool_) pool_->RemoveHolder(index_);
  }

  bool empty() const { return pool_ == nullptr; }
  bool is_shared() const { return pool_->NumHolders(index_) > 1; }
  CachePage view() const {
    return pool_ ? CachePage{pool_->buffer_.get(),
                             static_cast<size_t>(index_) * pool_->page_bytes_}
                 : CachePage{};
  }

 private:
  friend class PagePool;
  Page(std::shared_ptr<PagePool> pool, int32_t index)
      : pool_(std::move(pool)), index_(index) {}

  std::shared_ptr<PagePool> pool_;
  int32_t index_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_FORWARD_PAGE_POOL_H_
