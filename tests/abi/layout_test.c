/* Sizes and offsets of every public struct. One block for each release, never
 * edited: fields are only appended, which changes the size and moves nothing.
 */
#include <stddef.h>
#include <stdint.h>

#include "specinfer.h"
#include "specinfer/live_speech.h"
#include "specinfer/speculation.h"
#include "specinfer/speech.h"

#define SIZE(type, bytes) \
  _Static_assert(sizeof(type) == (bytes), #type " changed its size")
#define FIELD(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved")

/* The numbers are those of 64-bit machines. */
#if UINTPTR_MAX == UINT64_MAX

/* ---- 0.1: a later release appends its fields in a block of its own, and only
 * sizes change here. ---- */

SIZE(specinfer_engine_config, 128);
FIELD(specinfer_engine_config, struct_size, 0);
FIELD(specinfer_engine_config, header_version, 4);
FIELD(specinfer_engine_config, num_threads, 8);
FIELD(specinfer_engine_config, reserved, 12);
FIELD(specinfer_engine_config, memory_budget_bytes, 16);
FIELD(specinfer_engine_config, allocate, 24);
FIELD(specinfer_engine_config, release, 32);
FIELD(specinfer_engine_config, allocator_user_data, 40);
FIELD(specinfer_engine_config, run_tasks, 48);
FIELD(specinfer_engine_config, executor_user_data, 56);
FIELD(specinfer_engine_config, executor_workers, 64);
FIELD(specinfer_engine_config, reserved2, 68);
FIELD(specinfer_engine_config, log, 72);
FIELD(specinfer_engine_config, log_user_data, 80);
FIELD(specinfer_engine_config, file_size, 88);
FIELD(specinfer_engine_config, file_read, 96);
FIELD(specinfer_engine_config, file_user_data, 104);
FIELD(specinfer_engine_config, cache_directory, 112);
FIELD(specinfer_engine_config, backend, 120);

SIZE(specinfer_engine_statistics, 80);
FIELD(specinfer_engine_statistics, struct_size, 0);
FIELD(specinfer_engine_statistics, num_threads, 4);
FIELD(specinfer_engine_statistics, memory_used_bytes, 8);
FIELD(specinfer_engine_statistics, memory_peak_bytes, 16);
FIELD(specinfer_engine_statistics, memory_budget_bytes, 24);
FIELD(specinfer_engine_statistics, backend, 32);

SIZE(specinfer_model_config, 32);
FIELD(specinfer_model_config, struct_size, 0);
FIELD(specinfer_model_config, reserved, 4);
FIELD(specinfer_model_config, progress, 8);
FIELD(specinfer_model_config, progress_user_data, 16);

SIZE(specinfer_model_memory, 72);
FIELD(specinfer_model_memory, struct_size, 0);
FIELD(specinfer_model_memory, max_context_tokens, 4);
FIELD(specinfer_model_memory, file_bytes, 8);
FIELD(specinfer_model_memory, weight_bytes, 16);
FIELD(specinfer_model_memory, cache_bytes_per_token, 24);
FIELD(specinfer_model_memory, session_bytes, 32);
FIELD(specinfer_model_memory, total_bytes, 40);

SIZE(specinfer_model_properties, 64);
FIELD(specinfer_model_properties, struct_size, 0);
FIELD(specinfer_model_properties, vocabulary_size, 4);
FIELD(specinfer_model_properties, max_context_tokens, 8);
FIELD(specinfer_model_properties, hidden_size, 12);
FIELD(specinfer_model_properties, num_layers, 16);
FIELD(specinfer_model_properties, has_chat_template, 20);
FIELD(specinfer_model_properties, has_fill_in_middle, 24);
FIELD(specinfer_model_properties, adds_bos, 28);
FIELD(specinfer_model_properties, num_parameters, 32);
FIELD(specinfer_model_properties, file_bytes, 40);
FIELD(specinfer_model_properties, weight_bytes, 48);

SIZE(specinfer_session_config, 40);
FIELD(specinfer_session_config, struct_size, 0);
FIELD(specinfer_session_config, max_context_tokens, 4);
FIELD(specinfer_session_config, overflow, 8);
FIELD(specinfer_session_config, prefill_chunk_tokens, 12);

SIZE(specinfer_text, 16);
FIELD(specinfer_text, data, 0);
FIELD(specinfer_text, length, 8);

SIZE(specinfer_logit_bias, 8);
FIELD(specinfer_logit_bias, token, 0);
FIELD(specinfer_logit_bias, bias, 4);

SIZE(specinfer_generation_config, 152);
FIELD(specinfer_generation_config, struct_size, 0);
FIELD(specinfer_generation_config, max_tokens, 4);
FIELD(specinfer_generation_config, temperature, 8);
FIELD(specinfer_generation_config, top_p, 12);
FIELD(specinfer_generation_config, min_p, 16);
FIELD(specinfer_generation_config, top_k, 20);
FIELD(specinfer_generation_config, seed, 24);
FIELD(specinfer_generation_config, stream, 32);
FIELD(specinfer_generation_config, repetition_penalty, 40);
FIELD(specinfer_generation_config, frequency_penalty, 44);
FIELD(specinfer_generation_config, presence_penalty, 48);
FIELD(specinfer_generation_config, penalty_window, 52);
FIELD(specinfer_generation_config, dry_multiplier, 56);
FIELD(specinfer_generation_config, dry_base, 60);
FIELD(specinfer_generation_config, dry_allowed_length, 64);
FIELD(specinfer_generation_config, dry_window, 68);
FIELD(specinfer_generation_config, num_top_log_probabilities, 72);
FIELD(specinfer_generation_config, want_log_probabilities, 76);
FIELD(specinfer_generation_config, stop_strings, 80);
FIELD(specinfer_generation_config, num_stop_strings, 88);
FIELD(specinfer_generation_config, banned_strings, 96);
FIELD(specinfer_generation_config, num_banned_strings, 104);
FIELD(specinfer_generation_config, logit_biases, 112);
FIELD(specinfer_generation_config, num_logit_biases, 120);
FIELD(specinfer_generation_config, strategy, 128);
FIELD(specinfer_generation_config, ignore_end, 132);

SIZE(specinfer_alternative, 8);
FIELD(specinfer_alternative, token, 0);
FIELD(specinfer_alternative, log_probability, 4);

SIZE(specinfer_generated_token, 24);
FIELD(specinfer_generated_token, token, 0);
FIELD(specinfer_generated_token, log_probability, 4);
FIELD(specinfer_generated_token, alternatives, 8);
FIELD(specinfer_generated_token, num_alternatives, 16);

SIZE(specinfer_event, 56);
FIELD(specinfer_event, struct_size, 0);
FIELD(specinfer_event, state, 4);
FIELD(specinfer_event, finish, 8);
FIELD(specinfer_event, token_size, 12);
FIELD(specinfer_event, text, 16);
FIELD(specinfer_event, text_length, 24);
FIELD(specinfer_event, tokens, 32);
FIELD(specinfer_event, num_tokens, 40);
FIELD(specinfer_event, num_prefilled_tokens, 48);
FIELD(specinfer_event, num_prompt_tokens, 52);

SIZE(specinfer_session_statistics, 88);
FIELD(specinfer_session_statistics, struct_size, 0);
FIELD(specinfer_session_statistics, num_context_tokens, 4);
FIELD(specinfer_session_statistics, max_context_tokens, 8);
FIELD(specinfer_session_statistics, num_cached_tokens, 12);
FIELD(specinfer_session_statistics, num_dropped_turns, 16);
FIELD(specinfer_session_statistics, num_dropped_tokens, 24);
FIELD(specinfer_session_statistics, num_prefilled_tokens, 32);
FIELD(specinfer_session_statistics, num_reused_tokens, 40);
FIELD(specinfer_session_statistics, num_generated_tokens, 48);
FIELD(specinfer_session_statistics, num_rounds, 56);
FIELD(specinfer_session_statistics, prefill_microseconds, 64);
FIELD(specinfer_session_statistics, decode_microseconds, 72);
FIELD(specinfer_session_statistics, cache_bytes, 80);

/* ---- 0.2: settings of threads. ---- */

FIELD(specinfer_engine_statistics, max_threads, 64);
FIELD(specinfer_engine_statistics, priority, 68);
FIELD(specinfer_engine_statistics, duty_cycle, 72);
FIELD(specinfer_engine_statistics, reserved, 76);

/* ---- 0.2: measuring. ---- */

SIZE(specinfer_machine_rates, 32);
FIELD(specinfer_machine_rates, struct_size, 0);
FIELD(specinfer_machine_rates, num_threads, 4);
FIELD(specinfer_machine_rates, read_bytes_per_second, 8);
FIELD(specinfer_machine_rates, int8_products_per_second, 16);
FIELD(specinfer_machine_rates, float_products_per_second, 24);

SIZE(specinfer_pass, 48);
FIELD(specinfer_pass, struct_size, 0);
FIELD(specinfer_pass, num_context_tokens, 4);
FIELD(specinfer_pass, num_rows, 8);
FIELD(specinfer_pass, num_answer_rows, 12);
FIELD(specinfer_pass, read_bytes, 16);
FIELD(specinfer_pass, int8_products, 24);
FIELD(specinfer_pass, float_products, 32);
FIELD(specinfer_pass, seconds, 40);

/* ---- 0.2: packed models, tensors. ---- */

FIELD(specinfer_model_config, flags, 24);
FIELD(specinfer_model_config, reserved2, 28);
FIELD(specinfer_model_memory, mapped_bytes, 48);
FIELD(specinfer_model_memory, q8_cache_bytes_per_token, 56);
FIELD(specinfer_model_memory, q8_session_bytes, 64);
FIELD(specinfer_session_config, cache_type, 16);
FIELD(specinfer_model_properties, num_tensors, 56);
FIELD(specinfer_model_properties, is_packed, 60);

SIZE(specinfer_model_tensor, 80);
FIELD(specinfer_model_tensor, struct_size, 0);
FIELD(specinfer_model_tensor, num_dimensions, 4);
FIELD(specinfer_model_tensor, dimensions, 8);
FIELD(specinfer_model_tensor, num_bytes, 40);
FIELD(specinfer_model_tensor, name, 48);
FIELD(specinfer_model_tensor, name_length, 56);
FIELD(specinfer_model_tensor, type, 64);

/* ---- 0.2: speculation. ---- */

FIELD(specinfer_session_config, max_tree_nodes, 20);
FIELD(specinfer_session_config, draft_model, 24);
FIELD(specinfer_session_config, urgency, 32);
FIELD(specinfer_session_config, reserved, 36);
FIELD(specinfer_generation_config, verifier, 136);
FIELD(specinfer_generation_config, objective, 140);
FIELD(specinfer_generation_config, tree_size, 144);
FIELD(specinfer_generation_config, tree_depth, 148);

SIZE(specinfer_drafter_statistics, 80);
FIELD(specinfer_drafter_statistics, name, 0);
FIELD(specinfer_drafter_statistics, num_drafts, 16);
FIELD(specinfer_drafter_statistics, num_proposed, 24);
FIELD(specinfer_drafter_statistics, num_reached, 32);
FIELD(specinfer_drafter_statistics, num_accepted, 40);
FIELD(specinfer_drafter_statistics, num_errors, 48);
FIELD(specinfer_drafter_statistics, microseconds, 56);
FIELD(specinfer_drafter_statistics, reserved, 64);

SIZE(specinfer_speculation_statistics, 1424);
FIELD(specinfer_speculation_statistics, struct_size, 0);
FIELD(specinfer_speculation_statistics, num_drafters, 4);
FIELD(specinfer_speculation_statistics, num_rounds, 8);
FIELD(specinfer_speculation_statistics, num_tokens, 16);
FIELD(specinfer_speculation_statistics, num_speculative_rounds, 24);
FIELD(specinfer_speculation_statistics, draft_microseconds, 32);
FIELD(specinfer_speculation_statistics, forward_microseconds, 40);
FIELD(specinfer_speculation_statistics, verify_microseconds, 48);
FIELD(specinfer_speculation_statistics, commit_microseconds, 56);
FIELD(specinfer_speculation_statistics, reached_by_depth, 64);
FIELD(specinfer_speculation_statistics, accepted_by_depth, 320);
FIELD(specinfer_speculation_statistics, drafters, 576);
FIELD(specinfer_speculation_statistics, strategy, 1216);
FIELD(specinfer_speculation_statistics, num_plan_changes, 1220);
FIELD(specinfer_speculation_statistics, last_tree_nodes, 1224);
FIELD(specinfer_speculation_statistics, last_error, 1228);
FIELD(specinfer_speculation_statistics, last_error_text, 1232);
FIELD(specinfer_speculation_statistics, predicted_gain, 1392);
FIELD(specinfer_speculation_statistics, realised_gain, 1400);
FIELD(specinfer_speculation_statistics, plain_tokens_per_second, 1408);
FIELD(specinfer_speculation_statistics, tokens_per_second, 1416);

SIZE(specinfer_round_node, 24);
FIELD(specinfer_round_node, token, 0);
FIELD(specinfer_round_node, parent, 4);
FIELD(specinfer_round_node, drafter, 8);
FIELD(specinfer_round_node, accepted, 12);
FIELD(specinfer_round_node, score, 16);
FIELD(specinfer_round_node, reserved, 20);

SIZE(specinfer_round, 128);
FIELD(specinfer_round, struct_size, 0);
FIELD(specinfer_round, node_size, 4);
FIELD(specinfer_round, nodes, 8);
FIELD(specinfer_round, num_nodes, 16);
FIELD(specinfer_round, tokens, 24);
FIELD(specinfer_round, num_tokens, 32);
FIELD(specinfer_round, strategy, 40);
FIELD(specinfer_round, num_context_tokens, 44);
FIELD(specinfer_round, start_microseconds, 48);
FIELD(specinfer_round, draft_microseconds, 56);
FIELD(specinfer_round, forward_microseconds, 64);
FIELD(specinfer_round, verify_microseconds, 72);
FIELD(specinfer_round, commit_microseconds, 80);
FIELD(specinfer_round, predicted_tokens, 88);
FIELD(specinfer_round, predicted_seconds, 96);
FIELD(specinfer_round, plain_seconds, 104);
FIELD(specinfer_round, reason, 112);
FIELD(specinfer_round, reason_length, 120);

SIZE(specinfer_pass_time, 24);
FIELD(specinfer_pass_time, struct_size, 0);
FIELD(specinfer_pass_time, is_kept, 4);
FIELD(specinfer_pass_time, num_passes, 8);
FIELD(specinfer_pass_time, seconds, 16);

SIZE(specinfer_transcription_config, 104);
FIELD(specinfer_transcription_config, struct_size, 0);
FIELD(specinfer_transcription_config, flags, 4);
FIELD(specinfer_transcription_config, sample_rate, 8);
FIELD(specinfer_transcription_config, num_channels, 12);
FIELD(specinfer_transcription_config, language, 16);
FIELD(specinfer_transcription_config, language_length, 24);
FIELD(specinfer_transcription_config, initial_prompt, 32);
FIELD(specinfer_transcription_config, initial_prompt_length, 40);
FIELD(specinfer_transcription_config, hotwords, 48);
FIELD(specinfer_transcription_config, hotwords_length, 56);
FIELD(specinfer_transcription_config, seed, 64);
FIELD(specinfer_transcription_config, progress, 72);
FIELD(specinfer_transcription_config, progress_user_data, 80);
FIELD(specinfer_transcription_config, urgency, 88);
FIELD(specinfer_transcription_config, strategy, 92);
FIELD(specinfer_transcription_config, hotword_bias, 96);
FIELD(specinfer_transcription_config, best_of, 100);

SIZE(specinfer_transcription, 64);
FIELD(specinfer_transcription, struct_size, 0);
FIELD(specinfer_transcription, num_segments, 4);
FIELD(specinfer_transcription, audio_seconds, 8);
FIELD(specinfer_transcription, encode_seconds, 16);
FIELD(specinfer_transcription, decode_seconds, 24);
FIELD(specinfer_transcription, language, 32);
FIELD(specinfer_transcription, language_probability, 40);
FIELD(specinfer_transcription, num_tokens, 44);
FIELD(specinfer_transcription, num_passes, 48);
FIELD(specinfer_transcription, reserved, 52);
FIELD(specinfer_transcription, speech_seconds, 56);

SIZE(specinfer_segment, 72);
FIELD(specinfer_segment, struct_size, 0);
FIELD(specinfer_segment, num_tokens, 4);
FIELD(specinfer_segment, start, 8);
FIELD(specinfer_segment, end, 16);
FIELD(specinfer_segment, text, 24);
FIELD(specinfer_segment, text_length, 32);
FIELD(specinfer_segment, tokens, 40);
FIELD(specinfer_segment, temperature, 48);
FIELD(specinfer_segment, average_log_probability, 52);
FIELD(specinfer_segment, no_speech_probability, 56);
FIELD(specinfer_segment, compression_ratio, 60);
FIELD(specinfer_segment, num_words, 64);
FIELD(specinfer_segment, reserved, 68);

SIZE(specinfer_word, 40);
FIELD(specinfer_word, struct_size, 0);
FIELD(specinfer_word, probability, 4);
FIELD(specinfer_word, start, 8);
FIELD(specinfer_word, end, 16);
FIELD(specinfer_word, text, 24);
FIELD(specinfer_word, text_length, 32);

SIZE(specinfer_live_config, 32);
FIELD(specinfer_live_config, struct_size, 0);
FIELD(specinfer_live_config, reserved, 4);
FIELD(specinfer_live_config, partial_seconds, 8);
FIELD(specinfer_live_config, endpoint_seconds, 16);
FIELD(specinfer_live_config, backlog_seconds, 24);

SIZE(specinfer_speech_event, 80);
FIELD(specinfer_speech_event, struct_size, 0);
FIELD(specinfer_speech_event, kind, 4);
FIELD(specinfer_speech_event, start, 8);
FIELD(specinfer_speech_event, end, 16);
FIELD(specinfer_speech_event, text, 24);
FIELD(specinfer_speech_event, text_length, 32);
FIELD(specinfer_speech_event, stable_length, 40);
FIELD(specinfer_speech_event, encode_seconds, 48);
FIELD(specinfer_speech_event, decode_seconds, 56);
FIELD(specinfer_speech_event, num_tokens, 64);
FIELD(specinfer_speech_event, num_passes, 68);
FIELD(specinfer_speech_event, num_words, 72);
FIELD(specinfer_speech_event, reserved, 76);

#endif

int main(void) { return 0; }
