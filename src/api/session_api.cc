// specinfer_session: its life, its content, and what may be asked of it.
// generation_api.cc has the answers.
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "src/api/arguments.h"
#include "src/api/edge.h"
#include "src/api/handles.h"
#include "src/api/session_handle.h"
#include "src/api/sized_struct.h"
#include "src/session/session.h"

namespace specinfer {
namespace {

constexpr SizedStruct kConfig = {
    "specinfer_session_config", "config", "SPECINFER_SESSION_CONFIG_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_session_config, prefill_chunk_tokens)};
constexpr SizedStruct kStatistics = {
    "specinfer_session_statistics", "out_statistics",
    "SPECINFER_SESSION_STATISTICS_INIT",
    SPECINFER_BYTES_UP_TO(specinfer_session_statistics, cache_bytes)};
constexpr uint32_t kMaxPrefillChunk = 512;
constexpr uint32_t kMaxTreeNodes = 1024;

absl::StatusOr<SessionOptions> ReadConfig(
    const specinfer_session_config* config) {
  specinfer_session_config known = SPECINFER_SESSION_CONFIG_INIT;
  if (config != nullptr)
    SPECINFER_RETURN_IF_ERROR(ReadSizedStruct(config, kConfig, &known));
  if (known.max_context_tokens > INT32_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat("config->max_context_tokens is ", known.max_context_tokens,
                     ", the limit is ", INT32_MAX));
  }
  if (known.overflow != SPECINFER_OVERFLOW_ERROR &&
      known.overflow != SPECINFER_OVERFLOW_DROP_TURNS) {
    return absl::InvalidArgumentError(
        absl::StrCat("config->overflow is ", known.overflow,
                     ", which is no SPECINFER_OVERFLOW_… of this library"));
  }
  if (known.prefill_chunk_tokens > kMaxPrefillChunk) {
    return absl::InvalidArgumentError(absl::StrCat(
        "config->prefill_chunk_tokens is ", known.prefill_chunk_tokens,
        ", the limit is ", kMaxPrefillChunk));
  }
  if (known.cache_type != SPECINFER_CACHE_F16 &&
      known.cache_type != SPECINFER_CACHE_Q8) {
    return absl::InvalidArgumentError(
        absl::StrCat("config->cache_type is ", known.cache_type,
                     ", which is no SPECINFER_CACHE_… of this library"));
  }
  if (known.max_tree_nodes > kMaxTreeNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat("config->max_tree_nodes is ", known.max_tree_nodes,
                     ", the limit is ", kMaxTreeNodes));
  }
  if (known.reserved != 0)
    return absl::InvalidArgumentError("config->reserved must be 0");
  SessionOptions options;
  SPECINFER_ASSIGN_OR_RETURN(options.urgency, ReadUrgency(known.urgency));
  options.max_context_tokens = static_cast<int32_t>(known.max_context_tokens);
  options.drop_old_turns = known.overflow == SPECINFER_OVERFLOW_DROP_TURNS;
  options.prefill_chunk_tokens =
      static_cast<int32_t>(known.prefill_chunk_tokens);
  if (known.cache_type == SPECINFER_CACHE_Q8)
    options.cache_type = CacheType::kQ8;
  options.max_tree_nodes = static_cast<int32_t>(known.max_tree_nodes);
  if (known.draft_model != nullptr)
    options.draft_model = known.draft_model->model;
  return options;
}

absl::StatusOr<TextFlags> ReadTextFlags(uint32_t flags) {
  SPECINFER_RETURN_IF_ERROR(
      CheckFlags(flags, SPECINFER_TEXT_PARSE_SPECIAL | SPECINFER_TEXT_ADD_BOS));
  return TextFlags{.parse_special = (flags & SPECINFER_TEXT_PARSE_SPECIAL) != 0,
                   .add_bos = (flags & SPECINFER_TEXT_ADD_BOS) != 0};
}

absl::StatusOr<Pooling> ReadPooling(int32_t pooling) {
  switch (pooling) {
    case SPECINFER_POOLING_MEAN:
      return Pooling::kMean;
    case SPECINFER_POOLING_LAST:
      return Pooling::kLast;
    case SPECINFER_POOLING_NONE:
      return Pooling::kNone;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("pooling is ", pooling,
                       ", which is no SPECINFER_POOLING_… of this library"));
  }
}

// Hands the count of kept tokens to a caller who wants it.
absl::Status ReportKept(const absl::StatusOr<size_t>& kept,
                        size_t* out_kept_tokens) {
  if (kept.ok() && out_kept_tokens != nullptr) *out_kept_tokens = *kept;
  return kept.status();
}

specinfer_session_statistics ToC(const SessionStatistics& from) {
  specinfer_session_statistics to = SPECINFER_SESSION_STATISTICS_INIT;
  to.num_context_tokens = static_cast<uint32_t>(from.num_context_tokens);
  to.max_context_tokens = static_cast<uint32_t>(from.max_context_tokens);
  to.num_cached_tokens = static_cast<uint32_t>(from.num_cached_tokens);
  to.num_dropped_turns = from.num_dropped_turns;
  to.num_dropped_tokens = from.num_dropped_tokens;
  to.num_prefilled_tokens = from.num_prefilled_tokens;
  to.num_reused_tokens = from.num_reused_tokens;
  to.num_generated_tokens = from.num_generated_tokens;
  to.num_rounds = from.num_rounds;
  to.prefill_microseconds = from.prefill_us;
  to.decode_microseconds = from.decode_us;
  to.cache_bytes = from.cache_bytes;
  return to;
}

}  // namespace
}  // namespace specinfer

using specinfer::CheckArray;
using specinfer::CheckPointer;
using specinfer::Edge;
using specinfer::ReadText;
using specinfer::ReadTextFlags;
using specinfer::ReadTokens;
using specinfer::SessionEdge;

extern "C" {

specinfer_status specinfer_session_create(
    const specinfer_model* model, const specinfer_session_config* config,
    specinfer_session** out_session) {
  return Edge([&]() -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(model, "model"));
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_session, "out_session"));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::SessionOptions options,
                               specinfer::ReadConfig(config));
    SPECINFER_ASSIGN_OR_RETURN(
        auto session, specinfer::Session::Create(model->model, options));
    *out_session =
        std::make_unique<specinfer_session>(std::move(session)).release();
    return absl::OkStatus();
  });
}

void specinfer_session_destroy(specinfer_session* session) {
  if (session != nullptr) session->Destroy();
}

void specinfer_session_cancel(specinfer_session* session) {
  if (session != nullptr) session->session->Cancel();
}

specinfer_status specinfer_session_append_text(specinfer_session* session,
                                               const char* text,
                                               size_t text_length,
                                               uint32_t flags) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view added,
                               ReadText(text, text_length, "text"));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::TextFlags text_flags,
                               ReadTextFlags(flags));
    return handle.session->AppendText(added, text_flags);
  });
}

specinfer_status specinfer_session_append_tokens(specinfer_session* session,
                                                 const specinfer_token* tokens,
                                                 size_t num_tokens) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const auto added,
                               ReadTokens(tokens, num_tokens));
    return handle.session->AppendTokens(added);
  });
}

specinfer_status specinfer_session_append_message(specinfer_session* session,
                                                  const char* role,
                                                  size_t role_length,
                                                  const char* content,
                                                  size_t content_length) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view who,
                               ReadText(role, role_length, "role"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view said,
                               ReadText(content, content_length, "content"));
    if (who.empty())
      return absl::InvalidArgumentError(
          "role is empty; say \"user\", \"system\" or another role");
    return handle.session->AppendMessage(who, said);
  });
}

specinfer_status specinfer_session_append_messages_json(
    specinfer_session* session, const char* json, size_t json_length) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view messages,
                               ReadText(json, json_length, "json"));
    return handle.session->AppendMessagesJson(messages);
  });
}

specinfer_status specinfer_session_set_chat_options(specinfer_session* session,
                                                    const char* tools_json,
                                                    size_t tools_length,
                                                    const char* variables_json,
                                                    size_t variables_length) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(
        const std::string_view tools,
        ReadText(tools_json, tools_length, "tools_json"));
    SPECINFER_ASSIGN_OR_RETURN(
        const std::string_view variables,
        ReadText(variables_json, variables_length, "variables_json"));
    return handle.session->SetChatOptions(tools, variables);
  });
}

specinfer_status specinfer_session_set_prompt(specinfer_session* session,
                                              const char* text,
                                              size_t text_length,
                                              uint32_t flags,
                                              size_t* out_kept_tokens) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view prompt,
                               ReadText(text, text_length, "text"));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::TextFlags text_flags,
                               ReadTextFlags(flags));
    return specinfer::ReportKept(handle.session->SetPrompt(prompt, text_flags),
                                 out_kept_tokens);
  });
}

specinfer_status specinfer_session_set_prompt_tokens(
    specinfer_session* session, const specinfer_token* tokens,
    size_t num_tokens, size_t* out_kept_tokens) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const auto prompt,
                               ReadTokens(tokens, num_tokens));
    return specinfer::ReportKept(handle.session->SetPromptTokens(prompt),
                                 out_kept_tokens);
  });
}

specinfer_status specinfer_session_set_fill_in_middle(
    specinfer_session* session, const char* prefix, size_t prefix_length,
    const char* suffix, size_t suffix_length, size_t* out_kept_tokens) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view before,
                               ReadText(prefix, prefix_length, "prefix"));
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view after,
                               ReadText(suffix, suffix_length, "suffix"));
    return specinfer::ReportKept(handle.session->SetFillInMiddle(before, after),
                                 out_kept_tokens);
  });
}

specinfer_status specinfer_session_set_expected_output(
    specinfer_session* session, const char* text, size_t text_length) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view expected,
                               ReadText(text, text_length, "text"));
    return handle.session->SetExpectedOutput(expected);
  });
}

specinfer_status specinfer_session_get_tokens(specinfer_session* session,
                                              specinfer_token* buffer,
                                              size_t capacity,
                                              size_t* out_length) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckBuffer(buffer, capacity, out_length));
    specinfer::WriteBuffer(handle.session->tokens(), buffer, capacity,
                           out_length);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_session_truncate(specinfer_session* session,
                                            size_t num_tokens) {
  return SessionEdge(session, [&](specinfer_session& handle) {
    return handle.session->Truncate(num_tokens);
  });
}

specinfer_status specinfer_session_fork(specinfer_session* session,
                                        specinfer_session** out_session) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(CheckPointer(out_session, "out_session"));
    SPECINFER_ASSIGN_OR_RETURN(auto copy, handle.session->Fork());
    *out_session =
        std::make_unique<specinfer_session>(std::move(copy)).release();
    return absl::OkStatus();
  });
}

specinfer_status specinfer_session_save(specinfer_session* session,
                                        specinfer_write_callback write,
                                        void* user_data) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    if (write == nullptr) return absl::InvalidArgumentError("write is NULL");
    return handle.session->Save([&](const void* data, size_t num_bytes) {
      return write(user_data, data, num_bytes) == 0 && !handle.is_destroyed();
    });
  });
}

specinfer_status specinfer_session_restore(specinfer_session* session,
                                           const void* data, size_t num_bytes) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    // A saved session holds its cache, so it may be longer than a text may be.
    if (data == nullptr && num_bytes > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("data is NULL but num_bytes is ", num_bytes));
    }
    return handle.session->Restore(
        absl::MakeConstSpan(static_cast<const uint8_t*>(data), num_bytes));
  });
}

specinfer_status specinfer_session_score_tokens(specinfer_session* session,
                                                const specinfer_token* tokens,
                                                size_t num_tokens,
                                                float* buffer) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const auto scored,
                               ReadTokens(tokens, num_tokens));
    SPECINFER_RETURN_IF_ERROR(CheckArray(buffer, num_tokens, "buffer"));
    // The caller's buffer stays as it is when scoring is cancelled half way.
    std::vector<float> log_probabilities(num_tokens);
    SPECINFER_RETURN_IF_ERROR(
        handle.session->ScoreTokens(scored, absl::MakeSpan(log_probabilities)));
    std::copy(log_probabilities.begin(), log_probabilities.end(), buffer);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_session_embed(specinfer_session* session,
                                         const char* text, size_t text_length,
                                         uint32_t flags, int32_t pooling,
                                         int32_t normalize, float* buffer,
                                         size_t capacity, size_t* out_length) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_ASSIGN_OR_RETURN(const std::string_view content,
                               ReadText(text, text_length, "text"));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::TextFlags text_flags,
                               ReadTextFlags(flags));
    SPECINFER_ASSIGN_OR_RETURN(const specinfer::Pooling how,
                               specinfer::ReadPooling(pooling));
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckBuffer(buffer, capacity, out_length));
    const auto hidden_size =
        static_cast<size_t>(handle.session->model().architecture().hidden_size);
    if (how != specinfer::Pooling::kNone && capacity < hidden_size &&
        !content.empty()) {
      *out_length = hidden_size;  // asking for the length costs nothing
      return absl::OkStatus();
    }
    SPECINFER_ASSIGN_OR_RETURN(
        const std::vector<float> vectors,
        handle.session->Embed(content, text_flags, how, normalize != 0));
    specinfer::WriteBuffer(absl::MakeConstSpan(vectors), buffer, capacity,
                           out_length);
    return absl::OkStatus();
  });
}

specinfer_status specinfer_session_get_statistics(
    specinfer_session* session, specinfer_session_statistics* out_statistics) {
  return SessionEdge(session, [&](specinfer_session& handle) -> absl::Status {
    SPECINFER_RETURN_IF_ERROR(
        specinfer::CheckSizedOutput(out_statistics, specinfer::kStatistics));
    specinfer::WriteSizedStruct(specinfer::ToC(handle.session->statistics()),
                                out_statistics);
    return absl::OkStatus();
  });
}

}  // extern "C"
