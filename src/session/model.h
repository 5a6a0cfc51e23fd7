// A loaded model: weights on a backend, vocabulary, chat template. Immutable;
// shared by all its sessions.
#ifndef SPECINFER_SRC_SESSION_MODEL_H_
#define SPECINFER_SRC_SESSION_MODEL_H_

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/backend/engine.h"
#include "src/forward/cache_layout.h"
#include "src/forward/decoder.h"
#include "src/model/architecture.h"
#include "src/model/model_file.h"
#include "src/model/weights.h"
#include "src/session/kept_times.h"
#include "src/text/chat_template.h"
#include "src/text/tokenizer.h"

namespace specinfer {

struct LoadOptions {
  std::function<bool(float fraction)>
      progress;  // returns false to cancel; may be empty
  const std::atomic<bool>* is_cancelled =
      nullptr;  // looked at between tensors; may be null
  PackedBytes packed_bytes = PackedBytes::kMapped;
  // A draft changes no text: its weights may become what guesses fastest.
  // Absent: kInt8 of an encoder-decoder, else kAsFiled.
  std::optional<WeightForm> weight_form;
  WeightForm FormFor(const Architecture& architecture) const;

  // `progress` that also looks at is_cancelled. Refers to this.
  std::function<bool(float fraction)> Progress() const;
};

// What a model will take, told from its header alone.
struct MemoryPlan {
  int32_t max_context_tokens = 0;
  uint64_t file_bytes = 0;
  uint64_t weight_bytes = 0;
  uint64_t mapped_bytes = 0;  // of weight_bytes: the file's own pages
  uint64_t cache_bytes_per_token = 0;
  uint64_t session_bytes = 0;
  uint64_t q8_cache_bytes_per_token = 0;
  uint64_t q8_session_bytes = 0;
  uint64_t total_bytes = 0;  // charged to the budget: not what is mapped
};

// Whose passes: of the network, of what drafts for a greater one
// (Model::draft_cut), of what drafts for itself.
enum class PassKind : int32_t { kTarget = 0, kDraft = 1, kEarlyExit = 2 };
inline constexpr size_t kNumPassKinds = 3;

class Model {
 public:
  ~Model();
  static absl::StatusOr<std::shared_ptr<const Model>> Load(
      std::shared_ptr<const Engine> engine, const std::string& path,
      const LoadOptions& options);
  static absl::StatusOr<MemoryPlan> Plan(const Engine& engine,
                                         const std::string& path,
                                         int32_t context_tokens);

  const Engine& engine() const { return *engine_; }
  const ModelFile& file() const { return *file_; }
  const Architecture& architecture() const { return architecture_; }
  const Weights& weights() const { return weights_; }
  // Other weights than the file's: fewer bytes for each, and less exact.
  bool is_requantized() const { return is_requantized_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const CacheLayout& cache_layout(CacheType type = CacheType::kF16) const {
    return type == CacheType::kQ8 ? q8_cache_layout_ : f16_cache_layout_;
  }

  // What passes take, learnt by all sessions. What the engine's cache_directory
  // has of an earlier run is read when first asked for.
  PassTimes& pass_times() const { return times(PassKind::kTarget).times(); }
  PassTimes& draft_times() const { return times(PassKind::kDraft).times(); }
  PassTimes& early_exit_times() const {
    return times(PassKind::kEarlyExit).times();
  }
  KeptTimes& times(PassKind kind) const {
    return *times_[static_cast<size_t>(kind)];
  }
  // An answer has ended.
  void KeepTimes() const;
  // A draft knows frequent tokens alone: reading the rest of the head costs
  // more than it brings.
  DecoderCut draft_cut() const;
  DecoderCut early_exit_cut() const;

  // Of the weights as they are computed with: those of LoadOptions.weight_form
  // differ from their file's.
  uint64_t Fingerprint() const;

  // Of what all tokens stand for: models with the same one share tokens, though
  // their embeddings may be padded differently. Computed when first asked for.
  uint64_t VocabularyFingerprint() const;

  // What bounds this model's passes on this machine, now.
  absl::StatusOr<MachineRates> Measure() const;

  bool has_chat_template() const { return chat_template_ != nullptr; }
  // Errors: FAILED_PRECONDITION (no template), UNIMPLEMENTED (its template has
  // a construct we lack), INVALID_ARGUMENT.
  absl::StatusOr<std::string> RenderChat(std::string_view messages_json,
                                         std::string_view tools_json,
                                         std::string_view variables_json,
                                         bool add_generation_prompt) const;
  // Tokens that are never sampled cleared: those without text. [ceil(vocabulary
  // / 64)] words.
  absl::Span<const uint64_t> samplable_tokens() const {
    return samplable_tokens_;
  }
  // The same with the tokens that end a text cleared too.
  absl::Span<const uint64_t> endless_tokens() const { return endless_tokens_; }

  // Tokens that no repetition counts across (DRY): those with a line end,
  // colon, quote or asterisk.
  absl::Span<const uint64_t> dry_breakers() const { return dry_breakers_; }

 private:
  Model() = default;
  void PrepareChat();
  void PrepareTokenSets();
  void PreparePassTimes();

  // Members die in reverse order: the engine last.
  std::shared_ptr<const Engine> engine_;
  std::unique_ptr<ModelFile> file_;
  bool is_requantized_ = false;
  Architecture architecture_;
  CacheLayout f16_cache_layout_, q8_cache_layout_;
  Weights weights_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatTemplate> chat_template_;
  absl::Status chat_template_status_;  // why there is none
  std::vector<uint64_t> samplable_tokens_;
  std::vector<uint64_t> endless_tokens_;
  std::vector<uint64_t> dry_breakers_;
  std::array<std::unique_ptr<KeptTimes>, kNumPassKinds> times_;  // by PassKind
  mutable std::once_flag fingerprint_once_;
  mutable uint64_t vocabulary_fingerprint_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SESSION_MODEL_H_
