#include "src/session/model.h"

#include <algorithm>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/forward/architectures.h"
#include "src/forward/decoder.h"
#include "src/forward/pass_cost.h"
#include "src/session/session.h"
#include "xxhash.h"

namespace specinfer {
namespace {

void ClearBit(std::vector<uint64_t>& bits, size_t index) {
  bits[index / 64] &= ~(uint64_t{1} << (index % 64));
}

std::vector<uint64_t> AllBits(size_t num_bits) {
  std::vector<uint64_t> bits((num_bits + 63) / 64, ~uint64_t{0});
  if (num_bits % 64 != 0) bits.back() = (uint64_t{1} << (num_bits % 64)) - 1;
  return bits;
}

// Where the host asks for none.
WeightForm UsualForm(const Architecture& architecture) {
  return architecture.has_encoder() ? WeightForm::kInt8 : WeightForm::kAsFiled;
}

// Whether a packed file's matrices were quantised when it was written.
bool HoldsInt8(const ModelFile& file) {
  const absl::Span<const TensorRecord> tensors = file.tensors();
  return std::any_of(
      tensors.begin(), tensors.end(),
      [](const TensorRecord& tensor) { return tensor.dtype == DType::kQ8_K; });
}

}  // namespace

Model::~Model() {
  // One whose loading failed has none.
  for (const std::unique_ptr<KeptTimes>& times : times_) {
    if (times != nullptr) times->KeepAtEnd();
  }
}

WeightForm LoadOptions::FormFor(const Architecture& architecture) const {
  return weight_form.value_or(UsualForm(architecture));
}

std::function<bool(float fraction)> LoadOptions::Progress() const {
  return [this](float fraction) {
    if (is_cancelled != nullptr &&
        is_cancelled->load(std::memory_order_relaxed))
      return false;
    return !progress || progress(fraction);
  };
}

absl::StatusOr<std::shared_ptr<const Model>> Model::Load(
    std::shared_ptr<const Engine> engine, const std::string& path,
    const LoadOptions& options) {
  std::shared_ptr<Model> model(new Model());
  model->engine_ = std::move(engine);
  SPECINFER_ASSIGN_OR_RETURN(
      model->file_,
      ModelFile::Open(path, model->engine_->file_reader,
                      *model->engine_->memory, options.packed_bytes));
  SPECINFER_ASSIGN_OR_RETURN(model->architecture_,
                             DescribeArchitecture(*model->file_));
  model->f16_cache_layout_ =
      MakeCacheLayout(model->architecture_, CacheType::kF16);
  model->q8_cache_layout_ =
      MakeCacheLayout(model->architecture_, CacheType::kQ8);
  SPECINFER_ASSIGN_OR_RETURN(model->tokenizer_,
                             Tokenizer::Create(*model->file_));
  const WeightForm form = options.FormFor(model->architecture_);
  SPECINFER_ASSIGN_OR_RETURN(
      model->weights_,
      LoadWeights(*model->file_, model->architecture_, *model->engine_->backend,
                  form, options.Progress()));
  model->is_requantized_ = model->file_->is_packed()
                               ? HoldsInt8(*model->file_)
                               : form != WeightForm::kAsFiled;
  model->PrepareChat();
  model->PrepareTokenSets();
  model->PreparePassTimes();
  return model;
}

// A template that cannot be run is no reason to refuse the model: whoever chats
// is told.
void Model::PrepareChat() {
  const absl::StatusOr<std::string_view> source =
      file_->GetString("tokenizer.chat_template");
  if (!source.ok()) {
    chat_template_status_ = absl::FailedPreconditionError(ModelMessage(
        file_->path(),
        "the file has no chat template; append text instead of messages"));
    return;
  }
  absl::StatusOr<std::unique_ptr<ChatTemplate>> parsed =
      ChatTemplate::Parse(*source);
  if (parsed.ok()) {
    chat_template_ = *std::move(parsed);
  } else {
    chat_template_status_ = parsed.status();
    engine_->log.Write(LogLevel::kWarning, ToStd(parsed.status().message()));
  }
}

void Model::PrepareTokenSets() {
  const size_t vocabulary_size =
      static_cast<size_t>(architecture_.vocabulary_size);
  samplable_tokens_ = AllBits(vocabulary_size);
  dry_breakers_.assign(samplable_tokens_.size(), 0);
  for (size_t i = 0; i < vocabulary_size; ++i) {
    const Token token = static_cast<Token>(i);
    if (!tokenizer_->HasText(token)) {
      ClearBit(samplable_tokens_, i);
      continue;
    }
    // Most texts are too short for a search to pay.
    for (const char letter :
         tokenizer_->TokenBytes(token, /*show_special=*/true)) {
      if (letter == '\n' || letter == ':' || letter == '"' || letter == '*') {
        dry_breakers_[i / 64] |= uint64_t{1} << (i % 64);
        break;
      }
    }
  }
  endless_tokens_ = samplable_tokens_;
  for (const Token token : tokenizer_->end_of_generation()) {
    if (static_cast<size_t>(token) < vocabulary_size)
      ClearBit(endless_tokens_, static_cast<size_t>(token));
  }
}

DecoderCut Model::draft_cut() const {
  // Merges come in the order of their frequency, so the first tokens are the
  // frequent ones.
  constexpr int32_t kFrequentTokens = 32768;
  DecoderCut cut;
  if (architecture_.vocabulary_size > kFrequentTokens)
    cut.num_head_tokens = kFrequentTokens;
  return cut;
}

DecoderCut Model::early_exit_cut() const {
  DecoderCut cut = draft_cut();
  // Early layers of Whisper's decoder foretell nothing: of base's six, two and
  // three guessed no token in 61 s of speech, four saved a fifth of the passes.
  const int32_t num_layers = static_cast<int32_t>(architecture_.layers.size());
  cut.num_layers = std::max(
      1, architecture_.has_encoder() ? 2 * num_layers / 3 : num_layers / 3);
  return cut;
}

// A cache of other weights fits no session of these.
uint64_t Model::Fingerprint() const {
  return is_requantized_ ? ~file_->Fingerprint() : file_->Fingerprint();
}

uint64_t Model::VocabularyFingerprint() const {
  std::call_once(fingerprint_once_, [this] {
    uint64_t hash = 0;
    uint64_t last = 0;  // of the last token that has text: no padding
    for (Token token = 0; token < architecture_.vocabulary_size; ++token) {
      const std::string_view bytes =
          tokenizer_->TokenBytes(token, /*show_special=*/true);
      hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), hash + 1);
      if (tokenizer_->HasText(token)) last = hash;
    }
    vocabulary_fingerprint_ = last;
  });
  return vocabulary_fingerprint_;
}

// Before anything is timed a pass is believed to read its weights at a common
// speed: what counts is the ratio between models.
void Model::PreparePassTimes() {
  constexpr double kBytesPerSecond = 25e9;
  constexpr double kProductsPerSecond = 40e9;
  const double cache_bytes =
      static_cast<double>(f16_cache_layout_.bytes_per_token());
  const double products = 2.0 * architecture_.heads * architecture_.head_dim;
  const absl::Span<const PassRatio> ratios =
      engine_->backend->typical_pass_ratios();
  const uint64_t fingerprint =
      engine_->cache_directory.empty() ? 0 : Fingerprint();
  const auto make = [&](PassKind kind, std::string_view name,
                        const DecoderCut& cut) {
    const size_t num_layers = cut.num_layers > 0
                                  ? static_cast<size_t>(cut.num_layers)
                                  : weights_.layers.size();
    double num_bytes = static_cast<double>(weights_.head().packed_bytes);
    if (cut.num_head_tokens > 0) {
      num_bytes *= static_cast<double>(cut.num_head_tokens) /
                   architecture_.vocabulary_size;
    }
    for (size_t i = 0; i < num_layers; ++i) {
      for (const LinearWeights* linear : weights_.layers[i].linears())
        num_bytes += static_cast<double>(linear->weight->packed_bytes);
    }
    const double part = static_cast<double>(num_layers) /
                        static_cast<double>(weights_.layers.size());
    PassTimesPrior prior;
    prior.seconds = num_bytes / kBytesPerSecond;
    prior.context_weight = cache_bytes * part / num_bytes;
    prior.shape.assign(ratios.begin(), ratios.end());
    prior.row_context_weight = products * static_cast<double>(num_layers) /
                               kProductsPerSecond / prior.seconds;
    times_[static_cast<size_t>(kind)] =
        std::make_unique<KeptTimes>(*engine_, name, fingerprint, prior);
  };
  make(PassKind::kTarget, "target", {});
  make(PassKind::kDraft, "draft", draft_cut());
  make(PassKind::kEarlyExit, "early-exit", early_exit_cut());
}

void Model::KeepTimes() const {
  for (const std::unique_ptr<KeptTimes>& times : times_)
    times->KeepAfterAnswer();
}

absl::StatusOr<MachineRates> Model::Measure() const {
  return engine_->backend->Measure(PassWeights(weights_));
}

absl::StatusOr<MemoryPlan> Model::Plan(const Engine& engine,
                                       const std::string& path,
                                       int32_t context_tokens) {
  SPECINFER_ASSIGN_OR_RETURN(
      const std::unique_ptr<ModelFile> file,
      ModelFile::Open(path, engine.file_reader, *engine.memory));
  SPECINFER_ASSIGN_OR_RETURN(const Architecture architecture,
                             DescribeArchitecture(*file));
  MemoryPlan plan;
  plan.max_context_tokens = architecture.max_context;
  plan.file_bytes = file->file_bytes();
  SPECINFER_ASSIGN_OR_RETURN(
      plan.weight_bytes, PlanWeightBytes(*file, architecture, *engine.backend,
                                         UsualForm(architecture)));
  const CacheLayout f16 = MakeCacheLayout(architecture, CacheType::kF16);
  plan.cache_bytes_per_token = f16.bytes_per_token();
  plan.session_bytes =
      Session::PlanBytes(*engine.backend, architecture, f16, context_tokens);
  const CacheLayout q8 = MakeCacheLayout(architecture, CacheType::kQ8);
  plan.q8_cache_bytes_per_token = q8.bytes_per_token();
  plan.q8_session_bytes =
      Session::PlanBytes(*engine.backend, architecture, q8, context_tokens);
  if (file->is_packed()) {
    // A host's reader has to bring all of the file into memory.
    if (!file->is_mapped()) plan.weight_bytes = plan.file_bytes;
    if (file->is_mapped()) plan.mapped_bytes = plan.weight_bytes;
  }
  plan.total_bytes = plan.weight_bytes - plan.mapped_bytes + plan.session_bytes;
  return plan;
}

absl::StatusOr<std::string> Model::RenderChat(
    std::string_view messages_json, std::string_view tools_json,
    std::string_view variables_json, bool add_generation_prompt) const {
  if (chat_template_ == nullptr) return chat_template_status_;
  ChatTemplate::Input input;
  input.messages_json = messages_json;
  input.tools_json = tools_json;
  input.extra_json = variables_json;
  input.add_generation_prompt = add_generation_prompt;
  const Token bos = tokenizer_->special_token(SpecialToken::kBos);
  const Token eos = tokenizer_->special_token(SpecialToken::kEos);
  if (bos >= 0)
    input.bos_token = tokenizer_->TokenBytes(bos, /*show_special=*/true);
  if (eos >= 0)
    input.eos_token = tokenizer_->TokenBytes(eos, /*show_special=*/true);
  return chat_template_->Render(input);
}

}  // namespace specinfer
