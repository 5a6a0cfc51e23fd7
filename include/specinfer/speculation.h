/* specinfer/speculation.h: corpora of earlier texts, and what became of the
 * guesses.
 *
 * Nothing here is needed to profit from speculation: SPECINFER_STRATEGY_AUTO of
 * specinfer.h, whose conventions hold here too, looks after itself.
 */
#ifndef SPECINFER_SPECULATION_H_
#define SPECINFER_SPECULATION_H_

#include "../specinfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Corpora ------------------------------------------------------------- */

/* Texts of one user or application whose repetitions are guessed. Kept in
 * memory alone, bounded; written nowhere unless you save it. May be shared by
 * sessions of the same vocabulary, on any threads. */
typedef struct specinfer_corpus specinfer_corpus;

/* A corpus of up to `max_tokens` (256 to 2^28; 0: 262,144; about 20 bytes each)
 * tokens of this model's vocabulary; the oldest are forgotten first. Errors:
 * INVALID_ARGUMENT, RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status
specinfer_corpus_create(const specinfer_model* model, uint32_t max_tokens,
                        specinfer_corpus** out_corpus);
SPECINFER_API void specinfer_corpus_destroy(specinfer_corpus* corpus);
SPECINFER_API specinfer_status specinfer_corpus_add_text(
    specinfer_corpus* corpus, const char* text, size_t text_length);
/* Overwrites and forgets everything. */
SPECINFER_API specinfer_status specinfer_corpus_clear(specinfer_corpus* corpus);
SPECINFER_API specinfer_status specinfer_corpus_save(
    specinfer_corpus* corpus, specinfer_write_callback write, void* user_data);
/* Replaces the content by a saved one.
 * Errors: INVALID_ARGUMENT (not a saved corpus), FAILED_PRECONDITION (of
 * another vocabulary or version), DATA_LOSS (damaged). The corpus is unchanged
 * after an error. */
SPECINFER_API specinfer_status specinfer_corpus_restore(
    specinfer_corpus* corpus, const void* data, size_t num_bytes);

/* Finished answers of the session are added to the corpus. */
#define SPECINFER_CORPUS_LEARN 1u
/* The session guesses from `corpus` too, from now on; NULL: no longer. The
 * session keeps it alive. `flags`: SPECINFER_CORPUS_…
 * Errors: FAILED_PRECONDITION (another vocabulary). */
SPECINFER_API specinfer_status specinfer_session_set_corpus(
    specinfer_session* session, specinfer_corpus* corpus, uint32_t flags);

/* ---- Statistics ---------------------------------------------------------- */

#define SPECINFER_MAX_DRAFTERS 8
#define SPECINFER_MAX_DEPTHS 32

typedef struct specinfer_drafter_statistics {
  char name[16];         /* "ngram", "draft", …; NUL-terminated */
  uint64_t num_drafts;   /* rounds it was asked in */
  uint64_t num_proposed; /* nodes it added to trees */
  uint64_t num_reached;  /* of these, those whose parent was accepted */
  uint64_t num_accepted; /* of these, those that were accepted themselves */
  uint64_t num_errors; /* drafts that failed; the text does not depend on it */
  uint64_t microseconds; /* that drafting took, its reading of prompts
                            included */
  uint64_t reserved[2];
} specinfer_drafter_statistics;

/* Since the session was created. Only rounds with more than plain decoding
 * count as speculative. */
typedef struct specinfer_speculation_statistics {
  uint32_t struct_size; /* set by SPECINFER_SPECULATION_STATISTICS_INIT */
  uint32_t num_drafters;
  uint64_t num_rounds;
  uint64_t num_tokens; /* that the rounds added to the text */
  uint64_t num_speculative_rounds;
  uint64_t draft_microseconds;
  uint64_t forward_microseconds;
  uint64_t verify_microseconds;
  uint64_t commit_microseconds;

  /* [d]: nodes at depth d + 1 whose parent was accepted; of these, accepted.
   * The last element counts all that are deeper. */
  uint64_t reached_by_depth[SPECINFER_MAX_DEPTHS];
  uint64_t accepted_by_depth[SPECINFER_MAX_DEPTHS];
  specinfer_drafter_statistics drafters[SPECINFER_MAX_DRAFTERS];

  /* The plan of the last round. */
  int32_t strategy; /* SPECINFER_STRATEGY_…, never AUTO */
  uint32_t num_plan_changes;
  uint32_t last_tree_nodes;
  int32_t last_error;        /* status of the last draft that failed */
  char last_error_text[160]; /* NUL-terminated */

  /* Of the last rounds, faded: what the planner predicted for each and what
   * came of it, as ratios to plain decoding. 0: not known yet. */
  double predicted_gain;
  double realised_gain;
  double plain_tokens_per_second; /* 0: not known yet */
  double tokens_per_second;
} specinfer_speculation_statistics;
#define SPECINFER_SPECULATION_STATISTICS_INIT                                  \
  {                                                                            \
    (uint32_t)sizeof(specinfer_speculation_statistics), 0, 0, 0, 0, 0, 0, 0,   \
        0, {0}, {0}, {{{0}, 0, 0, 0, 0, 0, 0, {0, 0}}}, 0, 0, 0, 0, {0}, 0, 0, \
        0, 0                                                                   \
  }

SPECINFER_API specinfer_status specinfer_session_get_speculation_statistics(
    specinfer_session* session,
    specinfer_speculation_statistics* out_statistics);

/* ---- What passes take, as plans believe it ------------------------------- */

#define SPECINFER_PASS_TARGET 0     /* of the model */
#define SPECINFER_PASS_DRAFT 1      /* of it as another's `draft_model` */
#define SPECINFER_PASS_EARLY_EXIT 2 /* of its first layers alone */

typedef struct specinfer_pass_time {
  uint32_t struct_size; /* set by SPECINFER_PASS_TIME_INIT */
  int32_t is_kept;      /* non-zero: cache_directory had an earlier run's */
  uint64_t num_passes;  /* timed in this process. With nothing kept before, 0
                           means that `seconds` is a mere guess. */
  double seconds;
} specinfer_pass_time;
#define SPECINFER_PASS_TIME_INIT \
  { (uint32_t)sizeof(specinfer_pass_time), 0, 0, 0 }

/* What one pass over `num_rows` tokens behind `num_context_tokens` is believed
 * to take, each row's next token chosen. Learnt while answers are written, by
 * all sessions of the model, and from specinfer_session_measure_pass() where
 * num_answer_rows is num_rows. `kind`: SPECINFER_PASS_…
 * Errors: INVALID_ARGUMENT (num_rows is not 1 to 2^20, num_context_tokens above
 * 2^30). */
SPECINFER_API specinfer_status specinfer_model_get_pass_time(
    const specinfer_model* model, int32_t kind, uint32_t num_rows,
    uint32_t num_context_tokens, specinfer_pass_time* out_time);

/* ---- Rounds, one by one -------------------------------------------------- */

typedef struct specinfer_round_node {
  specinfer_token token;
  int32_t parent;   /* index of a node before it; -1: the root */
  int32_t drafter;  /* index into specinfer_speculation_statistics.drafters; -1:
                       the root */
  int32_t accepted; /* non-zero: its token is now part of the text */
  float score;      /* predicted probability of that */
  uint32_t reserved;
} specinfer_round_node;

/* Pointers are borrowed until the callback returns. Times are microseconds. */
typedef struct specinfer_round {
  uint32_t struct_size;
  uint32_t node_size; /* bytes from one element of `nodes` to the next */
  const specinfer_round_node*
      nodes; /* the root first; parents before children */
  size_t num_nodes;
  const specinfer_token* tokens; /* what the round adds to the text */
  size_t num_tokens;
  int32_t strategy;            /* SPECINFER_STRATEGY_…, never AUTO */
  uint32_t num_context_tokens; /* before the round */
  uint64_t start_microseconds; /* since the session was created */
  uint64_t draft_microseconds;
  uint64_t forward_microseconds;
  uint64_t verify_microseconds;
  uint64_t commit_microseconds;
  /* What was expected when the tree was drafted and before its pass: tokens,
   * seconds (the drafts' as they were), and the seconds of a round of plain
   * decoding. */
  double predicted_tokens;
  double predicted_seconds;
  double plain_seconds;
  const char* reason; /* why this plan, for people */
  size_t reason_length;
} specinfer_round;

/* Called after each round on the thread that runs it. NULL: no more.
 * In the callback no function may be called on the session but
 * specinfer_session_cancel(). */
typedef void (*specinfer_round_callback)(void* user_data,
                                         const specinfer_round* round);
SPECINFER_API specinfer_status specinfer_session_set_round_callback(
    specinfer_session* session, specinfer_round_callback callback,
    void* user_data);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SPECINFER_SPECULATION_H_ */
