#include "src/speech/token_aligner.h"

#include <algorithm>
#include <cmath>

#include "src/base/memory.h"
#include "src/base/status_macros.h"
#include "src/speech/word_alignment.h"

namespace specinfer {

TokenAligner::TokenAligner(const Model& model, const SpeechTokens& tokens)
    : model_(model),
      tokens_(tokens),
      text_tokens_(static_cast<size_t>(tokens.vocabulary_size() + 63) / 64) {
  for (Token token = 0; token < tokens.vocabulary_size(); ++token) {
    if (tokens.IsText(token))
      text_tokens_[static_cast<size_t>(token) / 64] |= uint64_t{1}
                                                       << (token % 64);
  }
}

absl::Status TokenAligner::CheckHeads() const {
  if (!model_.architecture().alignment_heads.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(ModelMessage(
      model_.file().path(),
      "words have no times, as nothing says which attention heads follow the "
      "sound; put \"alignment_heads\" of the original model's "
      "generation_config.json into the file of that name, or into config.json "
      "of a CTranslate2 model"));
}

absl::Status TokenAligner::CheckText(const AlignmentRequest& request) const {
  for (const Token token : request.text) {
    if (!tokens_.IsText(token))
      return absl::InvalidArgumentError("only text has times");
  }
  if (static_cast<int64_t>(rows_.size()) <=
      int64_t{model_.architecture().max_context})
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      ModelMessage(model_.file().path(), "a window of ", request.text.size(),
                   " tokens does not fit the context of ",
                   model_.architecture().max_context));
}

absl::StatusOr<TokenTimes> TokenAligner::Align(const AlignmentRequest& request,
                                               Generator& generator,
                                               Sequence& sequence,
                                               const PassControl& control) {
  const std::vector<CrossHead>& heads = model_.architecture().alignment_heads;
  const SpeechPrompt prompt =
      MakeSpeechPrompt(tokens_,
                       {.language = request.language,
                        .task = request.task,
                        .has_timestamps = false},
                       model_.architecture().max_context);
  rows_ = prompt.tokens;
  first_row_ = static_cast<int32_t>(rows_.size()) - 1;
  rows_.insert(rows_.end(), request.text.begin(), request.text.end());
  rows_.push_back(tokens_.end_of_text());
  SPECINFER_RETURN_IF_ERROR(CheckHeads());
  SPECINFER_RETURN_IF_ERROR(CheckText(request));

  const int32_t num_rows = static_cast<int32_t>(rows_.size());
  const int32_t num_positions =
      std::clamp(request.num_frames / 2, 1, sequence.memory()->num_committed());
  const size_t head_stride =
      static_cast<size_t>(num_rows) * static_cast<size_t>(num_positions);
  const size_t num_weights = heads.size() * head_stride;
  SPECINFER_ASSIGN_OR_RETURN(
      const Block block,
      model_.engine().memory->Allocate(num_weights * sizeof(float),
                                       "attention weights of a window"));
  const absl::Span<float> weights(reinterpret_cast<float*>(block.data()),
                                  num_weights);
  logits_.assign(request.text.size(), 0.0f);
  log_sum_exps_.assign(request.text.size(), 0.0);
  sequence.Truncate(0);
  while (sequence.num_committed() < num_rows) {
    const int32_t first = sequence.num_committed();
    const CrossWeights cross = {
        .heads = heads,
        .num_positions = num_positions,
        .weights = weights.subspan(static_cast<size_t>(first) *
                                   static_cast<size_t>(num_positions)),
        .head_stride = head_stride};
    SPECINFER_RETURN_IF_ERROR(
        Forward(first, cross, generator, sequence, control));
  }
  sequence.Truncate(0);

  SPECINFER_ASSIGN_OR_RETURN(
      positions_, AlignTokens({.weights = weights,
                               .num_heads = static_cast<int32_t>(heads.size()),
                               .num_rows = num_rows,
                               .num_positions = num_positions,
                               .first_row = first_row_}));
  probabilities_.resize(request.text.size());
  for (size_t i = 0; i < probabilities_.size(); ++i) {
    probabilities_[i] =
        static_cast<float>(std::exp(double{logits_[i]} - log_sum_exps_[i]));
  }
  return TokenTimes{.positions = positions_, .probabilities = probabilities_};
}

absl::Status TokenAligner::Forward(int32_t first, const CrossWeights& cross,
                                   Generator& generator, Sequence& sequence,
                                   const PassControl& control) {
  const int32_t last = std::min(static_cast<int32_t>(rows_.size()),
                                first + generator.max_rows());
  asked_rows_.clear();
  queries_.clear();
  // The row before each text token is where it is chosen.
  const int32_t last_asked =
      std::min(last, static_cast<int32_t>(rows_.size()) - 2);
  for (int32_t row = std::max(first, first_row_); row < last_asked; ++row) {
    const size_t i = static_cast<size_t>(row - first_row_);
    queries_.push_back({.row = static_cast<int32_t>(asked_rows_.size()),
                        .allowed = text_tokens_,
                        .log_sum_exp = &log_sum_exps_[i],
                        .score_token = rows_[static_cast<size_t>(row) + 1],
                        .score = &logits_[i]});
    asked_rows_.push_back(row - first);
  }
  return generator.Forward(
      sequence,
      absl::MakeConstSpan(rows_).subspan(static_cast<size_t>(first),
                                         static_cast<size_t>(last - first)),
      {.rows = asked_rows_, .queries = queries_, .cross = cross}, control);
}

}  // namespace specinfer
