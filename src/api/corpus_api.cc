// specinfer_corpus: earlier texts to guess from.
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "include/specinfer/speculation.h"
#include "src/api/arguments.h"
#include "src/api/corpus_handle.h"
#include "src/api/edge.h"
#include "src/api/handles.h"
#include "src/api/session_handle.h"
#include "src/base/status_macros.h"

namespace specinfer {
namespace {

constexpr uint32_t kDefaultTokens = 1u << 18;
constexpr uint32_t kMinTokens = 256;
constexpr uint32_t kMaxTokens = 1u << 28;

// The corpus's memory is the engine's, which its model keeps alive.
absl::StatusOr<std::shared_ptr<Corpus>> CreateCorpus(
    std::shared_ptr<const Model> model, uint32_t max_tokens) {
  if (max_tokens > kMaxTokens || (max_tokens > 0 && max_tokens < kMinTokens)) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_tokens is ", max_tokens, ", must be 0 or from ",
                     kMinTokens, " to ", kMaxTokens));
  }
  struct Owner {
    std::shared_ptr<const Model> model;
    std::unique_ptr<Corpus> corpus;
  };
  auto owner = std::make_shared<Owner>();
  owner->model = std::move(model);
  const CorpusOptions options = {
      .max_tokens =
          static_cast<int32_t>(max_tokens == 0 ? kDefaultTokens : max_tokens),
      .vocabulary_size = owner->model->architecture().vocabulary_size,
      .vocabulary_fingerprint = owner->model->VocabularyFingerprint()};
  SPECINFER_ASSIGN_OR_RETURN(
      owner->corpus, Corpus::Create(*owner->model->engine().memory, options));
  Corpus* const corpus = owner->corpus.get();
  return std::shared_ptr<Corpus>(std::move(owner), corpus);
}

}  // namespace
}  // namespace specinfer

using specinfer::CheckPointer;
using specinfer::Edge;

extern "C" {

specinfer_status specinfer_corpus_create(const specinfer_model* model,
                                         uint32_t max_tokens,
                                         specinfer_corpus** out_corpus) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_corpus, "out_corpus"));
    auto handle = std::make_unique<specinfer_corpus>();
    handle->model = model->model;
    SPECINFER_ASSIGN_OR_RETURN(
        handle->corpus, specinfer::CreateCorpus(model->model, max_tokens));
    *out_corpus = handle.release();
    return absl::OkStatus();
  });
}

void specinfer_corpus_destroy(specinfer_corpus* corpus) { delete corpus; }

specinfer_status specinfer_corpus_add_text(specinfer_corpus* corpus,
                                           const char* text,
                                           size_t text_length) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(corpus, "corpus"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view added,
                               specinfer::ReadText(text, text_length, "text"));
    std::vector<specinfer_token> tokens;
    SPECINFER_RETURN_IF_ERROR(corpus->model->tokenizer().Tokenize(
        added, /*parse_special=*/false, &tokens));
    return corpus->corpus->Add(tokens);
  });
}

specinfer_status specinfer_corpus_clear(specinfer_corpus* corpus) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(corpus, "corpus"));
    corpus->corpus->Clear();
    return absl::OkStatus();
  });
}

specinfer_status specinfer_corpus_save(specinfer_corpus* corpus,
                                       specinfer_write_callback write,
                                       void* user_data) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(corpus, "corpus"));
    if (write == nullptr) return absl::InvalidArgumentError("write is NULL");
    return corpus->corpus->Save([&](const void* data, size_t num_bytes) {
      return write(user_data, data, num_bytes) == 0;
    });
  });
}

specinfer_status specinfer_corpus_restore(specinfer_corpus* corpus,
                                          const void* data, size_t num_bytes) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(corpus, "corpus"));
    if (num_bytes > 0) SPECINFER_RETURN_IF_ERROR(CheckPointer(data, "data"));
    return corpus->corpus->Restore(
        {static_cast<const uint8_t*>(data), num_bytes});
  });
}

specinfer_status specinfer_session_set_corpus(specinfer_session* session,
                                              specinfer_corpus* corpus,
                                              uint32_t flags) {
  return specinfer::SessionEdge(
      session, [&](specinfer_session& handle) -> absl::Status {
        SPECINFER_RETURN_IF_ERROR(
            specinfer::CheckFlags(flags, SPECINFER_CORPUS_LEARN));
        if (corpus != nullptr &&
            corpus->model->VocabularyFingerprint() !=
                handle.session->model().VocabularyFingerprint()) {
          return absl::FailedPreconditionError(
              "the corpus is of another vocabulary than the session's model");
        }
        handle.session->SetCorpus(corpus == nullptr ? nullptr : corpus->corpus,
                                  (flags & SPECINFER_CORPUS_LEARN) != 0);
        return absl::OkStatus();
      });
}

}  // extern "C"
