// The part of Session that is kept in a file: a FlatBuffer (saved_session.fbs),
// the cache's pages, a hash.
#include <algorithm>
#include <cstring>
#include <memory>

#include "flatbuffers/flatbuffers.h"

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/session/saved_session_generated.h"
#include "src/session/session.h"
#include "xxhash.h"

namespace specinfer {
namespace {

// Of the format, and of the arithmetic that filled the cache.
constexpr uint32_t kVersion = 2;
constexpr size_t kAlignment = 64;
constexpr size_t kHashBytes = sizeof(uint64_t);

size_t AlignUp(size_t num_bytes) {
  return (num_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

struct HashStateDeleter {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(Cat("the saved session is damaged: ", what));
}

template <typename Vector>
bool IsBelow(const Vector* values, uint64_t limit) {
  return std::all_of(values->begin(), values->end(), [limit](auto value) {
    return value >= 0 && static_cast<uint64_t>(value) < limit;
  });
}

std::string_view View(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view()
                         : std::string_view(text->data(), text->size());
}

}  // namespace

absl::Status Session::Save(
    absl::FunctionRef<bool(const void* data, size_t num_bytes)> write) {
  AbandonRound();
  flatbuffers::FlatBufferBuilder builder;
  std::vector<uint64_t> page_bytes;
  std::vector<uint32_t> first_pages;
  std::vector<uint32_t> num_pages(cache_layout().groups.size(), 0);
  for (size_t g = 0; g < num_pages.size(); ++g) {
    page_bytes.push_back(cache_layout().groups[g].page_bytes);
    first_pages.push_back(
        static_cast<uint32_t>(sequence_->first_page(static_cast<int32_t>(g))));
  }
  SPECINFER_RETURN_IF_ERROR(
      sequence_->VisitPages([&](int32_t group, int32_t, absl::Span<uint8_t>) {
        ++num_pages[static_cast<size_t>(group)];
        return absl::OkStatus();
      }));
  const auto rendered = builder.CreateVector(
      reinterpret_cast<const uint8_t*>(rendered_.data()), rendered_.size());
  const auto messages = builder.CreateString(conversation_.MessagesJson());
  const auto tools = builder.CreateString(conversation_.tools_json());
  const auto variables = builder.CreateString(conversation_.variables_json());
  const auto page_bytes_vector = builder.CreateVector(page_bytes);
  const auto tokens = builder.CreateVector(tokens_);
  const auto first_pages_vector = builder.CreateVector(first_pages);
  const auto num_pages_vector = builder.CreateVector(num_pages);
  saved::SessionBuilder head(builder);
  head.add_version(kVersion);
  head.add_model_fingerprint(model_->Fingerprint());
  head.add_page_bytes(page_bytes_vector);
  head.add_tokens(tokens);
  head.add_num_committed(static_cast<uint32_t>(sequence_->num_committed()));
  head.add_first_pages(first_pages_vector);
  head.add_num_pages(num_pages_vector);
  head.add_messages(messages);
  head.add_tools(tools);
  head.add_variables(variables);
  head.add_rendered(rendered);
  head.add_conversation_start(static_cast<uint32_t>(conversation_start_));
  head.add_has_answer(has_answer_);
  head.add_is_chat_answer(is_chat_answer_);
  head.add_answer_start(static_cast<uint32_t>(answer_start_));
  head.add_stream_offset(stream_offset_);
  head.add_num_forks(num_forks_);
  head.add_cache_type(static_cast<uint32_t>(options_.cache_type));
  head.add_chat_answer_start(static_cast<uint32_t>(chat_answer_start_));
  builder.FinishSizePrefixed(head.Finish(), saved::SessionIdentifier());

  const std::unique_ptr<XXH3_state_t, HashStateDeleter> hash(
      XXH3_createState());
  if (hash == nullptr || XXH3_64bits_reset(hash.get()) != XXH_OK) {
    return absl::ResourceExhaustedError("no memory to save the session");
  }
  const auto put = [&](const void* data, size_t num_bytes) -> absl::Status {
    XXH3_64bits_update(hash.get(), data, num_bytes);
    if (num_bytes > 0 && !write(data, num_bytes))
      return absl::CancelledError("saving was stopped by the writer");
    return absl::OkStatus();
  };
  const uint8_t padding[kAlignment] = {};
  SPECINFER_RETURN_IF_ERROR(put(builder.GetBufferPointer(), builder.GetSize()));
  SPECINFER_RETURN_IF_ERROR(
      put(padding, AlignUp(builder.GetSize()) - builder.GetSize()));
  SPECINFER_RETURN_IF_ERROR(
      sequence_->VisitPages([&](int32_t, int32_t, absl::Span<uint8_t> bytes) {
        return put(bytes.data(), bytes.size());
      }));
  const uint64_t digest = XXH3_64bits_digest(hash.get());
  if (!write(&digest, kHashBytes))
    return absl::CancelledError("saving was stopped by the writer");
  return absl::OkStatus();
}

absl::Status Session::Restore(absl::Span<const uint8_t> bytes) {
  // The shortest honest file is longer than this; and a FlatBuffer must not be
  // looked at before its size is.
  if (bytes.size() < kAlignment + kHashBytes ||
      bytes.size() > (uint64_t{1} << 40)) {
    return absl::InvalidArgumentError("this is not a saved session");
  }
  const size_t num_body_bytes = bytes.size() - kHashBytes;
  const size_t head_bytes = size_t{flatbuffers::GetPrefixedSize(bytes.data())} +
                            sizeof(flatbuffers::uoffset_t);
  if (head_bytes > num_body_bytes || head_bytes < 16 ||
      std::memcmp(bytes.data() + 8, saved::SessionIdentifier(), 4) != 0) {
    return absl::InvalidArgumentError("this is not a saved session");
  }
  uint64_t digest = 0;
  std::memcpy(&digest, bytes.data() + num_body_bytes, kHashBytes);
  if (XXH3_64bits(bytes.data(), num_body_bytes) != digest)
    return Damaged("its hash does not fit");
  // FlatBuffers reads whole words: the head is copied to where it is aligned.
  std::vector<uint64_t> words((head_bytes + 7) / 8);
  std::memcpy(words.data(), bytes.data(), head_bytes);
  const uint8_t* const head_data =
      reinterpret_cast<const uint8_t*>(words.data());
  flatbuffers::Verifier verifier(head_data, head_bytes);
  if (!saved::VerifySizePrefixedSessionBuffer(verifier))
    return Damaged("its head is not whole");
  const saved::Session& head = *saved::GetSizePrefixedSession(head_data);

  const CacheLayout& layout = cache_layout();
  if (head.version() != kVersion) {
    return absl::FailedPreconditionError(
        Cat("the session was saved in format ", head.version(),
            ", this library reads ", kVersion));
  }
  if (head.model_fingerprint() != model_->Fingerprint()) {
    return absl::FailedPreconditionError(
        "the session was saved with another model");
  }
  if (head.cache_type() != static_cast<uint32_t>(options_.cache_type)) {
    const auto name = [](bool is_q8) { return is_q8 ? "q8" : "f16"; };
    return absl::FailedPreconditionError(Cat(
        "the session was saved with a ", name(head.cache_type() != 0),
        " cache, this one has ", name(options_.cache_type == CacheType::kQ8),
        "; create it with the same cache_type"));
  }
  if (head.page_bytes() == nullptr || head.tokens() == nullptr ||
      head.first_pages() == nullptr || head.num_pages() == nullptr ||
      head.page_bytes()->size() != layout.groups.size() ||
      head.first_pages()->size() != layout.groups.size() ||
      head.num_pages()->size() != layout.groups.size()) {
    return Damaged("parts are missing");
  }
  const size_t num_tokens = head.tokens()->size();
  SPECINFER_RETURN_IF_ERROR(CheckRoom(num_tokens));
  if (!IsBelow(head.tokens(),
               static_cast<uint64_t>(model_->architecture().vocabulary_size)) ||
      head.num_committed() > num_tokens || head.answer_start() > num_tokens ||
      head.chat_answer_start() > num_tokens ||
      head.conversation_start() > num_tokens ||
      !IsBelow(head.first_pages(), num_tokens / kPagePositions + 1)) {
    return Damaged("its numbers do not fit together");
  }
  const uint64_t num_pages_at_end =
      (head.num_committed() + kPagePositions - 1) / kPagePositions;
  uint64_t num_cache_bytes = 0;
  for (flatbuffers::uoffset_t g = 0; g < layout.groups.size(); ++g) {
    if (head.page_bytes()->Get(g) != layout.groups[g].page_bytes ||
        head.first_pages()->Get(g) + uint64_t{head.num_pages()->Get(g)} !=
            num_pages_at_end) {
      return Damaged("its cache does not fit this model");
    }
    num_cache_bytes +=
        uint64_t{head.num_pages()->Get(g)} * layout.groups[g].page_bytes;
  }
  if (AlignUp(head_bytes) + num_cache_bytes != num_body_bytes)
    return Damaged("its length does not fit");
  Conversation conversation;
  SPECINFER_RETURN_IF_ERROR(conversation.AddJson(View(head.messages())));
  SPECINFER_RETURN_IF_ERROR(
      conversation.SetOptions(View(head.tools()), View(head.variables())));

  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<Sequence> sequence,
      Sequence::Create(*model_->engine().backend, layout,
                       options_.max_context_tokens, max_rows()));
  std::vector<int32_t> first_pages;
  for (const uint32_t page : *head.first_pages())
    first_pages.push_back(static_cast<int32_t>(page));
  SPECINFER_RETURN_IF_ERROR(
      sequence->Adopt(static_cast<int32_t>(head.num_committed()), first_pages));
  const uint8_t* from = bytes.data() + AlignUp(head_bytes);
  SPECINFER_RETURN_IF_ERROR(
      sequence->VisitPages([&](int32_t, int32_t, absl::Span<uint8_t> page) {
        std::memcpy(page.data(), from, page.size());
        from += page.size();
        return absl::OkStatus();
      }));

  AbandonAnswer();
  sequence_ = std::move(sequence);
  speculation_->Rollback(0);
  tokens_.assign(head.tokens()->begin(), head.tokens()->end());
  conversation_ = std::move(conversation);
  rendered_.clear();
  if (head.rendered() != nullptr)
    rendered_.assign(head.rendered()->begin(), head.rendered()->end());
  conversation_start_ = head.conversation_start();
  has_answer_ = head.has_answer();
  is_chat_answer_ = head.is_chat_answer();
  answer_start_ = head.answer_start();
  stream_offset_ = head.stream_offset();
  num_forks_ = head.num_forks();
  chat_answer_start_ = head.chat_answer_start();
  return absl::OkStatus();
}

}  // namespace specinfer
