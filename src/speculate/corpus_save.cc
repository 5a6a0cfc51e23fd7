// The part of Corpus that is kept in a file: a FlatBuffer (corpus.fbs), the
// tokens, a hash.
#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>

#include "flatbuffers/flatbuffers.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/speculate/corpus.h"
#include "src/speculate/corpus_generated.h"
#include "xxhash.h"

namespace specinfer {
namespace {

constexpr uint32_t kVersion = 1;
constexpr size_t kAlignment = 64;
constexpr size_t kHashBytes = sizeof(uint64_t);
constexpr size_t kMaxHeadBytes = 4096;

size_t AlignUp(size_t num_bytes) {
  return (num_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

struct HashStateDeleter {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

absl::Status NotACorpus() {
  return absl::InvalidArgumentError("this is not a saved corpus");
}

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(Cat("the saved corpus is damaged: ", what));
}

}  // namespace

absl::Status Corpus::Save(
    absl::FunctionRef<bool(const void* data, size_t num_bytes)> write) const {
  const std::unique_ptr<XXH3_state_t, HashStateDeleter> hash(
      XXH3_createState());
  if (hash == nullptr || XXH3_64bits_reset(hash.get()) != XXH_OK)
    return absl::ResourceExhaustedError("no memory to save the corpus");
  const auto put = [&](const void* data, size_t num_bytes) -> absl::Status {
    XXH3_64bits_update(hash.get(), data, num_bytes);
    if (num_bytes > 0 && !write(data, num_bytes))
      return absl::CancelledError("saving was stopped by the writer");
    return absl::OkStatus();
  };
  const std::shared_lock<std::shared_mutex> lock(mutex_);
  flatbuffers::FlatBufferBuilder builder;
  builder.FinishSizePrefixed(
      saved::CreateCorpus(builder, kVersion, options_.vocabulary_fingerprint,
                          NumTokensLocked()),
      saved::CorpusIdentifier());
  const uint8_t padding[kAlignment] = {};
  SPECINFER_RETURN_IF_ERROR(put(builder.GetBufferPointer(), builder.GetSize()));
  SPECINFER_RETURN_IF_ERROR(
      put(padding, AlignUp(builder.GetSize()) - builder.GetSize()));
  for (size_t i = 0; i < kNumSegments; ++i) {
    const auto tokens = segment(i).tokens();
    SPECINFER_RETURN_IF_ERROR(
        put(tokens.data(), tokens.size() * sizeof(Token)));
  }
  const uint64_t digest = XXH3_64bits_digest(hash.get());
  if (!write(&digest, kHashBytes))
    return absl::CancelledError("saving was stopped by the writer");
  return absl::OkStatus();
}

absl::Status Corpus::Restore(absl::Span<const uint8_t> bytes) {
  // The shortest honest file is this long; and a FlatBuffer must not be looked
  // at before its size is.
  if (bytes.size() < kAlignment + kHashBytes) return NotACorpus();
  const size_t num_body_bytes = bytes.size() - kHashBytes;
  const size_t head_bytes = size_t{flatbuffers::GetPrefixedSize(bytes.data())} +
                            sizeof(flatbuffers::uoffset_t);
  if (head_bytes < 16 || head_bytes > kMaxHeadBytes ||
      AlignUp(head_bytes) > num_body_bytes ||
      std::memcmp(bytes.data() + 8, saved::CorpusIdentifier(), 4) != 0) {
    return NotACorpus();
  }
  uint64_t digest = 0;
  std::memcpy(&digest, bytes.data() + num_body_bytes, kHashBytes);
  if (XXH3_64bits(bytes.data(), num_body_bytes) != digest)
    return Damaged("its hash does not fit");
  // FlatBuffers reads whole words: the head is copied to where it is aligned.
  uint64_t words[kMaxHeadBytes / sizeof(uint64_t)] = {};
  std::memcpy(words, bytes.data(), head_bytes);
  const uint8_t* const head_data = reinterpret_cast<const uint8_t*>(words);
  flatbuffers::Verifier verifier(head_data, head_bytes);
  if (!saved::VerifySizePrefixedCorpusBuffer(verifier))
    return Damaged("its head is not whole");
  const saved::Corpus& head = *saved::GetSizePrefixedCorpus(head_data);
  if (head.version() != kVersion) {
    return absl::FailedPreconditionError(
        Cat("the corpus was saved in format ", head.version(),
            ", this library reads ", kVersion));
  }
  if (head.vocabulary_fingerprint() != options_.vocabulary_fingerprint) {
    return absl::FailedPreconditionError(
        "the corpus was saved with another vocabulary");
  }
  const auto saved_tokens =
      bytes.subspan(AlignUp(head_bytes), num_body_bytes - AlignUp(head_bytes));
  if (saved_tokens.size() % sizeof(Token) != 0 ||
      saved_tokens.size() / sizeof(Token) != head.num_tokens()) {
    return Damaged("its length does not fit");
  }
  const auto visit = [saved_tokens](auto take) {
    Token chunk[256];
    for (size_t at = 0; at < saved_tokens.size(); at += sizeof(chunk)) {
      const auto part = saved_tokens.subspan(at, sizeof(chunk));
      std::memcpy(chunk, part.data(), part.size());
      take(absl::Span<const Token>(chunk, part.size() / sizeof(Token)));
    }
  };
  bool is_of_vocabulary = true;
  visit([&](absl::Span<const Token> tokens) {
    for (const Token token : tokens)
      is_of_vocabulary &= token >= -1 && token < options_.vocabulary_size;
  });
  if (!is_of_vocabulary) return Damaged("its tokens are of no vocabulary");
  const std::lock_guard<std::shared_mutex> lock(mutex_);
  ClearLocked();
  visit([this](absl::Span<const Token> tokens) { AppendLocked(tokens); });
  return absl::OkStatus();
}

}  // namespace specinfer
