/* specinfer: text generation inside your application.
 *
 * This file is the manual. Three ways to use it, from simple to advanced:
 *
 *   1. Blocking   engine -> model -> session, append_message, generate with a
 *                 callback.
 *   2. In steps   session_start, then session_step(2000) once a frame: at most
 *                 about 2 ms of work each.
 *   3. By tokens  set_prompt_tokens, score, embed, fork, save, measure: the
 *                 parts for editors and tools.
 *
 * Conventions
 *
 * Ownership  X_create() and X_load() give the caller an object; X_destroy()
 *            releases it and accepts NULL. A session keeps its model alive and
 *            a model its engine, so objects may be destroyed in any order.
 *            "Borrowed" results name the call that ends their life.
 * Errors     A function that can fail returns specinfer_status. On failure its
 *            outputs are untouched and specinfer_last_error() describes the
 *            failure to the same thread. Nothing is ever thrown, nothing
 *            aborts. New status values may be added: keep a default branch.
 * Threads    Engines and models: any thread, at once. Sessions: one thread at
 *            a time; a second caller gets FAILED_PRECONDITION.
 *            specinfer_session_cancel(), specinfer_load_cancel() and
 *            specinfer_engine_set_…(): any thread, any time. A `const` handle
 *            may be used concurrently.
 * Text       UTF-8 with an explicit length; not NUL-terminated unless said.
 *            Text may be NULL where its length is 0. Invalid UTF-8 is accepted
 *            and kept byte for byte; in chat messages it becomes U+FFFD.
 * Structs    Start from the _INIT macro; zero means "default" in every field;
 *            `reserved` fields must be 0. `struct_size` lets old programs use
 *            newer libraries. Fields are only ever appended.
 * Buffers    (buffer, capacity, out_length): out_length gets the full length;
 *            when capacity is smaller nothing is written to buffer and the
 *            call still succeeds. Ask with capacity 0, then call again.
 * Callbacks  Must not throw or longjmp. Inside any callback these calls are
 *            legal: specinfer_version, specinfer_status_name,
 *            specinfer_last_error, specinfer_session_cancel,
 *            specinfer_load_cancel, specinfer_engine_set_…, and every function
 *            that takes only a `const specinfer_model*`. Calls on the calling
 *            session itself return FAILED_PRECONDITION; other sessions may be
 *            used, but their time counts as yours.
 * Same text  With one seed the text is the same whatever the strategy of
 *            speculation, the number of threads, the size of steps, cache
 *            reuse, instruction set or machine.
 */
#ifndef SPECINFER_H_
#define SPECINFER_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(SPECINFER_BUILD)
#define SPECINFER_API __declspec(dllexport)
#else
#define SPECINFER_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define SPECINFER_API __attribute__((visibility("default")))
#else
#define SPECINFER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version and status -------------------------------------------------- */

#define SPECINFER_VERSION_MAJOR 0
#define SPECINFER_VERSION_MINOR 1
#define SPECINFER_VERSION_PATCH 0
#define SPECINFER_VERSION                                            \
  (SPECINFER_VERSION_MAJOR * 10000 + SPECINFER_VERSION_MINOR * 100 + \
   SPECINFER_VERSION_PATCH)

/* The library's version, to compare with SPECINFER_VERSION of the header. */
SPECINFER_API uint32_t specinfer_version(void);

typedef int32_t specinfer_status; /* the numbers of absl::StatusCode */
#define SPECINFER_OK 0
#define SPECINFER_CANCELLED \
  1 /* by specinfer_session_cancel, a callback, or a progress function */
#define SPECINFER_UNKNOWN 2 /* an error from outside that names no kind */
#define SPECINFER_INVALID_ARGUMENT \
  3 /* the call or the file is wrong, and would be wrong again */
#define SPECINFER_DEADLINE_EXCEEDED 4 /* time ran out; call again to go on */
#define SPECINFER_NOT_FOUND 5         /* no such file, key, token or backend */
#define SPECINFER_ALREADY_EXISTS 6
#define SPECINFER_PERMISSION_DENIED 7
#define SPECINFER_RESOURCE_EXHAUSTED \
  8 /* memory budget, host allocator, or context is full */
#define SPECINFER_FAILED_PRECONDITION                                        \
  9 /* not in this state: in use, nothing to generate from, no chat template \
     */
#define SPECINFER_ABORTED 10
#define SPECINFER_OUT_OF_RANGE \
  11 /* a position or token id that does not exist */
#define SPECINFER_UNIMPLEMENTED \
  12 /* this build or model cannot; the text names what is missing */
#define SPECINFER_INTERNAL 13 /* our mistake: please report it */
#define SPECINFER_UNAVAILABLE 14
#define SPECINFER_DATA_LOSS 15 /* a file is damaged */

/* "INVALID_ARGUMENT" and so on; "UNKNOWN" for numbers it does not know. Never
 * NULL; lives forever. */
SPECINFER_API const char* specinfer_status_name(specinfer_status status);

/* What went wrong in this thread's last failed call: what, where, and what to
 * do. NUL-terminated, never NULL. Borrowed until this thread's next call that
 * fails. Not cleared by success. */
SPECINFER_API const char* specinfer_last_error(void);

/* ---- Engine: memory, threads, log ---------------------------------------- */

typedef struct specinfer_engine specinfer_engine;

/* All function pointers may be NULL: the library's own way. They may be called
 * from any thread, and must stay valid until everything made from the engine is
 * destroyed. */
typedef struct specinfer_engine_config {
  uint32_t struct_size;    /* set by SPECINFER_ENGINE_CONFIG_INIT */
  uint32_t header_version; /* set by SPECINFER_ENGINE_CONFIG_INIT; checked */
  uint32_t num_threads;    /* 0: as many as this process may use. Ignored with
                              `run_tasks`. */
  uint32_t reserved;

  /* Hard limit for weights, caches and scratch, in bytes. What does not fit is
   * refused, never exceeded. 0: none. */
  uint64_t memory_budget_bytes;

  /* Large blocks. Aligned to `alignment` (a power of two); NULL when there is
   * none. Set both or neither. */
  void* (*allocate)(void* user_data, size_t num_bytes, size_t alignment);
  void (*release)(void* user_data, void* block, size_t num_bytes,
                  size_t alignment);
  void* allocator_user_data;

  /* Runs task(task_data, i) once for each i in [0, num_tasks), on any threads,
   * in any order, one after another if need be, and returns when all have
   * returned. Tasks never wait for each other. */
  void (*run_tasks)(void* user_data, uint32_t num_tasks,
                    void (*task)(void* task_data, uint32_t index),
                    void* task_data);
  void* executor_user_data;
  uint32_t executor_workers; /* how many tasks `run_tasks` can run at once;
                                needed with it */
  uint32_t reserved2;

  /* level: 1 information, 2 warning, 3 error. `text` is borrowed during the
   * call. */
  void (*log)(void* user_data, int32_t level, const char* text, size_t length);
  void* log_user_data;

  /* Reads model files: `file_size` returns the bytes of a file or a negative
   * number; `file_read` fills `buffer` and returns 0, anything else on failure.
   * Set both or neither. Without them files are mapped. */
  int64_t (*file_size)(void* user_data, const char* path, size_t path_length);
  int32_t (*file_read)(void* user_data, const char* path, size_t path_length,
                       uint64_t offset, void* buffer, size_t num_bytes);
  void* file_user_data;

  /* A folder, which must exist, where what was measured is kept between runs:
   * how long passes of each model take on this processor with this many
   * threads, a kilobyte for each, and nothing of any text. So a first answer
   * begins with the trees that fit the machine. Read with the first session of
   * a model; written when the model is destroyed, and between answers at most
   * every five minutes. Processes may share it. What cannot be read or written
   * is a line in the log and no error. The text does not depend on it (with
   * SPECINFER_VERIFIER_MATCH). NULL: nothing is kept. NUL-terminated; copied.
   */
  const char* cache_directory;

  /* "cpu" (also NULL) takes the best instruction set; "cpu-reference",
   * "cpu-avx2", "cpu-avx512", "cpu-amx" and, on AArch64, "cpu-neon" force one.
   * NUL-terminated; copied. */
  const char* backend;
} specinfer_engine_config;
#define SPECINFER_ENGINE_CONFIG_INIT                                       \
  {                                                                        \
    (uint32_t)sizeof(specinfer_engine_config), SPECINFER_VERSION, 0, 0, 0, \
        NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL,  \
        NULL, NULL                                                         \
  }

/* Creates an engine. `config` may be NULL.
 * Errors: INVALID_ARGUMENT, FAILED_PRECONDITION (header and library do not
 * fit), NOT_FOUND (backend). */
SPECINFER_API specinfer_status specinfer_engine_create(
    const specinfer_engine_config* config, specinfer_engine** out_engine);
SPECINFER_API void specinfer_engine_destroy(specinfer_engine* engine);

typedef struct specinfer_engine_statistics {
  uint32_t struct_size; /* set by SPECINFER_ENGINE_STATISTICS_INIT */
  uint32_t num_threads;
  uint64_t memory_used_bytes;
  uint64_t memory_peak_bytes;
  uint64_t memory_budget_bytes; /* 0: none */
  char backend[32];             /* "cpu-avx512"; NUL-terminated */
  uint32_t max_threads; /* what specinfer_engine_set_num_threads accepts */
  int32_t priority;     /* SPECINFER_PRIORITY_… */
  float duty_cycle;     /* 1: no pauses */
  uint32_t reserved;
} specinfer_engine_statistics;
#define SPECINFER_ENGINE_STATISTICS_INIT                                  \
  {                                                                       \
    (uint32_t)sizeof(specinfer_engine_statistics), 0, 0, 0, 0, {0}, 0, 0, \
        0.0f, 0                                                           \
  }

SPECINFER_API specinfer_status
specinfer_engine_get_statistics(const specinfer_engine* engine,
                                specinfer_engine_statistics* out_statistics);

/* The settings below may be changed by any thread at any time, also inside
 * callbacks and in the middle of an answer; they take effect within a
 * millisecond or so. They change speed, never text. */

/* How many threads compute, the calling one included: 1 to
 * specinfer_engine_statistics.max_threads, which is the greater of
 * config->num_threads and the CPUs this process may use when the engine is
 * created (each possible thread costs a session some scratch memory).
 * Errors: INVALID_ARGUMENT, FAILED_PRECONDITION (with `run_tasks` the threads
 * are yours), RESOURCE_EXHAUSTED (the system gives no more threads). */
SPECINFER_API specinfer_status specinfer_engine_set_num_threads(
    specinfer_engine* engine, uint32_t num_threads);

/* How urgent the library's threads are to the operating system. Your own
 * threads are never touched, so the calling thread keeps its priority: to run
 * all of an answer at SPECINFER_PRIORITY_LOW, call from a thread that you have
 * lowered as well. */
#define SPECINFER_PRIORITY_NORMAL 0 /* as the thread that made the engine */
#define SPECINFER_PRIORITY_HIGH 1   /* Linux: nice value less 5 */
#define SPECINFER_PRIORITY_LOW 2    /* Linux: nice value plus 10 */
#define SPECINFER_PRIORITY_IDLE 3   /* only where nobody else wants the CPU */
/* Errors: INVALID_ARGUMENT, PERMISSION_DENIED (HIGH needs a privilege on most
 * systems; nothing is changed. Lowering and going back to NORMAL never do, if
 * called from a thread of normal priority), FAILED_PRECONDITION (with
 * `run_tasks` the threads are yours), UNIMPLEMENTED (this operating system). */
SPECINFER_API specinfer_status
specinfer_engine_set_priority(specinfer_engine* engine, int32_t priority);

/* Computes at most this fraction of the time (0.01 to 1; 1: no pauses),
 * measured over windows of 30 ms: for batteries, heat, and a game's frames.
 * In a pause the calling thread sleeps; a step still returns at its time, and a
 * cancel is heard within a millisecond. Time in which no session of the engine
 * computes counts as a pause. Loading is not slowed down.
 * Errors: INVALID_ARGUMENT. */
SPECINFER_API specinfer_status
specinfer_engine_set_duty_cycle(specinfer_engine* engine, float fraction);

/* Who goes first where sessions and transcribers of one engine compute at the
 * same time: while a more urgent one is in a pass, the others pause between
 * tiles of theirs, within about a millisecond, and look again every
 * millisecond. A step still returns at its time, with nothing new then; a
 * cancel is heard within a millisecond. Equals share the threads. Neither the
 * text nor what is learnt of how long passes take depends on it. `run_tasks`
 * must not need threads that are in calls of less urgent sessions. */
#define SPECINFER_URGENCY_ORDINARY 0 /* chat; recordings */
#define SPECINFER_URGENCY_RAISED 1   /* completion: somebody types meanwhile */
#define SPECINFER_URGENCY_HIGHEST 2  /* live speech */

/* ---- Model: weights, vocabulary, chat template --------------------------- */

typedef struct specinfer_model specinfer_model;

/* Packed models: read the file into memory, within the budget, instead of
 * mapping it. */
#define SPECINFER_MODEL_COPY 1u
/* Weights are quantised again, as they are loaded, to what guesses fastest:
 * those of more than six bits to 4.5. For models that serve only as
 * `draft_model`, where they change no text; their own text gets worse. Loading
 * takes longer, and less memory than specinfer_model_plan() says. Sessions
 * saved without it cannot be restored. Packed models are used as they are. */
#define SPECINFER_MODEL_DRAFT 2u
/* Models of speech whose weights are floats keep them; by default they become
 * bytes with a scale per 256 inputs, which is faster and changes few words. Not
 * together with SPECINFER_MODEL_DRAFT. Packed models are used as they are. */
#define SPECINFER_MODEL_FLOAT 4u

typedef struct specinfer_model_config {
  uint32_t struct_size; /* set by SPECINFER_MODEL_CONFIG_INIT */
  uint32_t reserved;
  /* Called now and then with a fraction in [0, 1], from the loading thread;
   * non-zero cancels. May be NULL. */
  int32_t (*progress)(void* user_data, float fraction);
  void* progress_user_data;
  uint32_t flags; /* SPECINFER_MODEL_… */
  uint32_t reserved2;
} specinfer_model_config;
#define SPECINFER_MODEL_CONFIG_INIT \
  { (uint32_t)sizeof(specinfer_model_config), 0, NULL, NULL, 0, 0 }

typedef struct specinfer_model_memory {
  uint32_t struct_size;        /* set by SPECINFER_MODEL_MEMORY_INIT */
  uint32_t max_context_tokens; /* of the model */
  uint64_t file_bytes;
  uint64_t weight_bytes;          /* while loaded, shared by all sessions */
  uint64_t cache_bytes_per_token; /* of a session; cache is taken in pages of 64
                                     tokens */
  uint64_t session_bytes; /* of one session of `num_context_tokens`: cache and
                             scratch */
  uint64_t total_bytes;   /* weights and one session, without mapped_bytes: what
                             counts against the budget */
  uint64_t mapped_bytes;  /* of weight_bytes: a packed model's own pages, which
                             processes share and the system may drop */
  uint64_t q8_cache_bytes_per_token; /* with SPECINFER_CACHE_Q8; the fields
                                        above are with SPECINFER_CACHE_F16 */
  uint64_t q8_session_bytes;
} specinfer_model_memory;
#define SPECINFER_MODEL_MEMORY_INIT \
  { (uint32_t)sizeof(specinfer_model_memory), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* What loading `path` and one session of `num_context_tokens` (0: the model's
 * own limit) will take, from the file's header alone. */
SPECINFER_API specinfer_status specinfer_model_plan(
    const specinfer_engine* engine, const char* path, size_t path_length,
    uint32_t num_context_tokens, specinfer_model_memory* out_memory);

/* Loads a model: a GGUF file, a folder with safetensors, config.json and
 * tokenizer.json, or a file of specinfer_model_pack(). `config` may be NULL.
 * A packed model is mapped and used in place, so loading takes no time to speak
 * of. Its file must stay as it is while the model lives: whoever shortens it
 * makes the system end this process (SIGBUS) at the next read. Replacing it by
 * renaming another file over it is safe. SPECINFER_MODEL_COPY, or file_read,
 * avoids the mapping.
 * Errors: NOT_FOUND, INVALID_ARGUMENT (damaged or lying file; the text names
 * the field), UNIMPLEMENTED (architecture, type, packed for another backend),
 * DATA_LOSS (a packed file that is cut), RESOURCE_EXHAUSTED, CANCELLED. */
SPECINFER_API specinfer_status specinfer_model_load(
    const specinfer_engine* engine, const char* path, size_t path_length,
    const specinfer_model_config* config, specinfer_model** out_model);
SPECINFER_API void specinfer_model_destroy(specinfer_model* model);

/* Writes the model `path` to the file `packed_path` in the layout that the
 * engine's backend computes with (the same for every instruction set), with its
 * tokenizer ready for use. The same model gives the same bytes. A Whisper is
 * written as it is loaded: in int8, with SPECINFER_MODEL_FLOAT as its file has
 * it; SPECINFER_MODEL_DRAFT changes nothing. The file appears whole, replacing
 * one of its name, or not at all. `config` may be NULL. Errors: as load;
 * FAILED_PRECONDITION (packed already), INVALID_ARGUMENT
 * (`packed_path` is the model itself), UNIMPLEMENTED ("cpu-reference" has no
 * layout), RESOURCE_EXHAUSTED (also: the disk is full), PERMISSION_DENIED. */
SPECINFER_API specinfer_status specinfer_model_pack(
    const specinfer_engine* engine, const char* path, size_t path_length,
    const char* packed_path, size_t packed_path_length,
    const specinfer_model_config* config);
/* Checks the structure of a model file and, of a packed one, every byte of the
 * tensors and tables against the hashes that were kept. *out_num_hashes (may be
 * NULL) gets their number: 0 for other files, which keep none. `config` may be
 * NULL.
 * Errors: as load; DATA_LOSS, naming the first tensor that is damaged. */
SPECINFER_API specinfer_status specinfer_model_verify(
    const specinfer_engine* engine, const char* path, size_t path_length,
    const specinfer_model_config* config, uint64_t* out_num_hashes);

/* A model being loaded on a thread of the library. */
typedef struct specinfer_load specinfer_load;

SPECINFER_API specinfer_status specinfer_load_start(
    const specinfer_engine* engine, const char* path, size_t path_length,
    const specinfer_model_config* config, specinfer_load** out_load);
/* Waits up to `max_microseconds` (0: only looks). OK: *out_model is the
 * caller's. DEADLINE_EXCEEDED: not yet. Other errors: loading failed, as
 * specinfer_model_load. *out_fraction (may be NULL) gets the progress in any
 * case. After OK the model is handed over, and a further call returns
 * FAILED_PRECONDITION. */
SPECINFER_API specinfer_status specinfer_load_wait(specinfer_load* load,
                                                   uint64_t max_microseconds,
                                                   float* out_fraction,
                                                   specinfer_model** out_model);
/* Asks loading to stop; returns at once. Any thread. */
SPECINFER_API void specinfer_load_cancel(specinfer_load* load);
/* Cancels, waits for the loading thread, releases. */
SPECINFER_API void specinfer_load_destroy(specinfer_load* load);

typedef struct specinfer_model_properties {
  uint32_t struct_size; /* set by SPECINFER_MODEL_PROPERTIES_INIT */
  uint32_t vocabulary_size;
  uint32_t max_context_tokens;
  uint32_t hidden_size;
  uint32_t num_layers;
  int32_t has_chat_template;
  int32_t has_fill_in_middle;
  int32_t adds_bos; /* whether texts begin with the begin-of-sequence token */
  uint64_t num_parameters;
  uint64_t file_bytes;
  uint64_t weight_bytes;
  uint32_t num_tensors; /* of the file: specinfer_model_get_tensor() */
  int32_t is_packed;    /* a file of specinfer_model_pack() */
} specinfer_model_properties;
#define SPECINFER_MODEL_PROPERTIES_INIT                                      \
  {                                                                          \
    (uint32_t)sizeof(specinfer_model_properties), 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0                                                              \
  }

SPECINFER_API specinfer_status specinfer_model_get_properties(
    const specinfer_model* model, specinfer_model_properties* out_properties);

/* A tensor of the model's file. */
typedef struct specinfer_model_tensor {
  uint32_t struct_size; /* set by SPECINFER_MODEL_TENSOR_INIT */
  uint32_t num_dimensions;
  int64_t dimensions[4]; /* fastest first: 0 is the length of a row; 1 behind
                            the last */
  uint64_t num_bytes;    /* in the file */
  const char* name;      /* borrowed until the model is destroyed */
  size_t name_length;
  char type[16]; /* "Q4_K"; NUL-terminated */
} specinfer_model_tensor;
#define SPECINFER_MODEL_TENSOR_INIT                                          \
  {                                                                          \
    (uint32_t)sizeof(specinfer_model_tensor), 0, {0, 0, 0, 0}, 0, NULL, 0, { \
      0                                                                      \
    }                                                                        \
  }

/* In file order.
 * Errors: OUT_OF_RANGE (`index` is not below num_tensors). */
SPECINFER_API specinfer_status
specinfer_model_get_tensor(const specinfer_model* model, uint32_t index,
                           specinfer_model_tensor* out_tensor);

/* A value of the file's metadata as text, e.g. "general.name",
 * "general.architecture", "tokenizer.chat_template".
 * Errors: NOT_FOUND. */
SPECINFER_API specinfer_status specinfer_model_get_metadata(
    const specinfer_model* model, const char* key, size_t key_length,
    char* buffer, size_t capacity, size_t* out_length);

typedef int32_t specinfer_token;

#define SPECINFER_SPECIAL_BOS 0
#define SPECINFER_SPECIAL_EOS 1
#define SPECINFER_SPECIAL_EOT 2
#define SPECINFER_SPECIAL_FIM_PREFIX 3
#define SPECINFER_SPECIAL_FIM_SUFFIX 4
#define SPECINFER_SPECIAL_FIM_MIDDLE 5
/* The id of a special token.
 * Errors: NOT_FOUND (this vocabulary has none). */
SPECINFER_API specinfer_status specinfer_model_get_special_token(
    const specinfer_model* model, int32_t special, specinfer_token* out_token);

/* Flags of text. Without PARSE_SPECIAL, "<|im_end|>" in a user's text is plain
 * text. */
#define SPECINFER_TEXT_PARSE_SPECIAL \
  1u /* names of control tokens become these tokens */
#define SPECINFER_TEXT_ADD_BOS \
  2u /* begin with the begin-of-sequence token if the model wants one */
#define SPECINFER_TEXT_SHOW_SPECIAL \
  4u /* detokenize: control tokens give their names */

SPECINFER_API specinfer_status specinfer_model_tokenize(
    const specinfer_model* model, const char* text, size_t text_length,
    uint32_t flags, specinfer_token* buffer, size_t capacity,
    size_t* out_length);
/* The exact bytes of the tokens, valid UTF-8 or not.
 * Errors: OUT_OF_RANGE. */
SPECINFER_API specinfer_status specinfer_model_detokenize(
    const specinfer_model* model, const specinfer_token* tokens,
    size_t num_tokens, uint32_t flags, char* buffer, size_t capacity,
    size_t* out_length);

/* Renders messages (a JSON array of objects with "role" and "content") with the
 * model's own chat template. `tools_json` (a JSON array) may be NULL with
 * length 0.
 * Errors: FAILED_PRECONDITION (no template), INVALID_ARGUMENT (JSON, or the
 * template raised an error), UNIMPLEMENTED (a construct of the template,
 * named). */
SPECINFER_API specinfer_status specinfer_model_render_chat(
    const specinfer_model* model, const char* messages_json,
    size_t messages_length, const char* tools_json, size_t tools_length,
    int32_t add_generation_prompt, char* buffer, size_t capacity,
    size_t* out_length);

/* ---- Session: a text that grows ------------------------------------------ */

typedef struct specinfer_session specinfer_session;

/* What to do when the context is full. */
#define SPECINFER_OVERFLOW_ERROR 0 /* RESOURCE_EXHAUSTED */
#define SPECINFER_OVERFLOW_DROP_TURNS                                          \
  1 /* drop the oldest turns after the system message, whole; statistics count \
       them */

/* How keys and values are kept. Q8 takes 53 % of F16's memory and of its
 * reading time in long contexts, and changes the text a little. */
#define SPECINFER_CACHE_F16 0 /* half floats */
#define SPECINFER_CACHE_Q8 1  /* bytes with scales */

typedef struct specinfer_session_config {
  uint32_t struct_size;          /* set by SPECINFER_SESSION_CONFIG_INIT */
  uint32_t max_context_tokens;   /* 0: the model's own limit, at most 4,096 */
  int32_t overflow;              /* SPECINFER_OVERFLOW_… */
  uint32_t prefill_chunk_tokens; /* rows of a prefill pass, 1 to 512; 0: 128.
                                    Changes speed and memory, never text. */
  int32_t cache_type;            /* SPECINFER_CACHE_… */
  uint32_t max_tree_nodes;       /* most tokens of one speculative pass, the
                                    committed one included: 1 to 1,024; 0: 64. Costs
                                    scratch memory above prefill_chunk_tokens. */
  /* A smaller model whose guesses this one checks; NULL: none. Changes speed
   * and memory, never text. Same engine. One of another vocabulary guesses
   * through text, which loses some of its guesses. Where memory runs out its
   * cache goes before the text does. The session keeps it alive. */
  const specinfer_model* draft_model;
  int32_t urgency; /* SPECINFER_URGENCY_…; of draft_model's passes too */
  uint32_t reserved;
} specinfer_session_config;
#define SPECINFER_SESSION_CONFIG_INIT \
  { (uint32_t)sizeof(specinfer_session_config), 0, 0, 0, 0, 0, NULL, 0, 0 }

/* Creates an empty session. `config` may be NULL.
 * Errors: INVALID_ARGUMENT, FAILED_PRECONDITION (the draft model belongs to
 * another engine), RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status specinfer_session_create(
    const specinfer_model* model, const specinfer_session_config* config,
    specinfer_session** out_session);
SPECINFER_API void specinfer_session_destroy(specinfer_session* session);

/* Adds text, tokens or a chat message at the end. Nothing is computed until
 * generation starts. An error leaves the session as it was. Errors:
 * RESOURCE_EXHAUSTED (context, with OVERFLOW_ERROR), OUT_OF_RANGE (token id).
 */
SPECINFER_API specinfer_status
specinfer_session_append_text(specinfer_session* session, const char* text,
                              size_t text_length, uint32_t flags);
SPECINFER_API specinfer_status specinfer_session_append_tokens(
    specinfer_session* session, const specinfer_token* tokens,
    size_t num_tokens);
/* `role`: "system", "user", "assistant", "tool". Rendered with the model's
 * template; the answer generated next becomes the conversation's assistant
 * message. */
SPECINFER_API specinfer_status specinfer_session_append_message(
    specinfer_session* session, const char* role, size_t role_length,
    const char* content, size_t content_length);
/* A JSON array of messages, for tool calls and contents of several parts. */
SPECINFER_API specinfer_status specinfer_session_append_messages_json(
    specinfer_session* session, const char* json, size_t json_length);
/* Tools offered to the template, a JSON array, and further variables of the
 * template, a JSON object. Either may be empty. Takes effect at the next
 * message. */
SPECINFER_API specinfer_status specinfer_session_set_chat_options(
    specinfer_session* session, const char* tools_json, size_t tools_length,
    const char* variables_json, size_t variables_length);

/* Makes `text` the session's whole content. The longest common prefix with what
 * was there before is kept in the cache; *out_kept_tokens (may be NULL) says
 * how many tokens that is. */
SPECINFER_API specinfer_status specinfer_session_set_prompt(
    specinfer_session* session, const char* text, size_t text_length,
    uint32_t flags, size_t* out_kept_tokens);
SPECINFER_API specinfer_status specinfer_session_set_prompt_tokens(
    specinfer_session* session, const specinfer_token* tokens,
    size_t num_tokens, size_t* out_kept_tokens);
/* set_prompt for an editor: the model is to write what stands between `prefix`
 * and `suffix`.
 * Errors: FAILED_PRECONDITION (the model file names no fill-in-the-middle
 * tokens). */
SPECINFER_API specinfer_status specinfer_session_set_fill_in_middle(
    specinfer_session* session, const char* prefix, size_t prefix_length,
    const char* suffix, size_t suffix_length, size_t* out_kept_tokens);

/* What the caller expects the next answer to look like (the old version of an
 * edited function). Changes only speed. Forgotten when that answer is complete.
 */
SPECINFER_API specinfer_status specinfer_session_set_expected_output(
    specinfer_session* session, const char* text, size_t text_length);

/* ---- Generation ---------------------------------------------------------- */

typedef struct specinfer_text {
  const char* data;
  size_t length;
} specinfer_text;

typedef struct specinfer_logit_bias {
  specinfer_token token;
  float bias; /* added to the logit; -INFINITY bans the token */
} specinfer_logit_bias;

/* How the next tokens are guessed before the model checks them in one pass.
 * With SPECINFER_VERIFIER_MATCH the text is the same with every strategy.
 * specinfer/speculation.h tells what became of the guesses. */
#define SPECINFER_STRATEGY_AUTO 0 /* chosen by measurement, round by round */
#define SPECINFER_STRATEGY_OFF 1  /* plain decoding */
#define SPECINFER_STRATEGY_NGRAM                                               \
  2                                /* what followed the same tokens before, in \
                                      this text, a corpus or what is expected */
#define SPECINFER_STRATEGY_DRAFT 3 /* chains of the draft model */
#define SPECINFER_STRATEGY_TREE 4  /* trees of the draft model */
#define SPECINFER_STRATEGY_EARLY_EXIT  \
  5 /* chains of the model's own first \
       layers */

/* Which guesses are kept. The law of the text is the same with each.
 *
 * RATIO and WITHOUT_REPLACEMENT verify guesses that a draft model, or the
 * model's own first layers (EARLY_EXIT), draws from its own law; nothing is
 * looked up: with NGRAM they are INVALID_ARGUMENT. Their text depends on who
 * guesses and how many: with AUTO on measured time too, otherwise the same
 * calls give the same text. Their laws take memory when such an answer first
 * starts, up to 64 floats for each token of both vocabularies (fewer with a
 * smaller max_tree_nodes): RESOURCE_EXHAUSTED if there is none. At temperature
 * 0 each is MATCH.
 */
#define SPECINFER_VERIFIER_MATCH                \
  0 /* those the model draws itself, with noise \
       that belongs to seed, stream and place */
#define SPECINFER_VERIFIER_RATIO             \
  1 /* the ratio test of chains (speculative \
       sampling); TREE makes chains too */
#define SPECINFER_VERIFIER_WITHOUT_REPLACEMENT \
  2 /* the same for trees whose siblings are drawn without replacement */

/* What SPECINFER_STRATEGY_AUTO makes the most of. As long as drafts run on the
 * cores that verify them, all of them busy for the whole of a round, both come
 * to the same plan. */
#define SPECINFER_OBJECTIVE_SPEED 0  /* tokens per second */
#define SPECINFER_OBJECTIVE_ENERGY 1 /* tokens per core-second: batteries */

/* Arrays are borrowed during the call that takes the struct. */
typedef struct specinfer_generation_config {
  uint32_t struct_size; /* set by SPECINFER_GENERATION_CONFIG_INIT */
  uint32_t max_tokens;  /* 0: until the end of the text or the context */
  float temperature;    /* 0: always the likeliest token */
  float top_p; /* keep the likeliest of this total probability; 0, 1: no cut */
  float min_p; /* drop tokens below min_p times the likeliest; 0: no cut */
  uint32_t top_k;  /* 0: no cut */
  uint64_t seed;   /* 0: the same as 1 */
  uint64_t stream; /* another sequence of random numbers with the same seed */

  float repetition_penalty; /* > 1: window's tokens less likely; 0, 1: off */
  float frequency_penalty;  /* subtracted per occurrence in the window */
  float presence_penalty;   /* subtracted once */
  uint32_t penalty_window;  /* tokens looked back on; 0: 64 */

  /* DRY: a token that would continue a repetition of n >= dry_allowed_length
   * tokens loses dry_multiplier * dry_base^(n - dry_allowed_length).
   * dry_multiplier 0: off. */
  float dry_multiplier;
  float dry_base;              /* 0: 1.75 */
  uint32_t dry_allowed_length; /* 0: 2 */
  uint32_t dry_window;         /* tokens looked back on; 0: the whole context */

  uint32_t num_top_log_probabilities; /* alternatives of each token, <= 64 */
  uint32_t want_log_probabilities;    /* non-zero: each token carries its own */

  /* The text ends before the first of these. */
  const specinfer_text* stop_strings;
  size_t num_stop_strings;
  /* The text never contains one of these: on a match it is taken back to where
   * the match began, and another token is chosen there. */
  const specinfer_text* banned_strings;
  size_t num_banned_strings;
  const specinfer_logit_bias* logit_biases; /* at most 1,024 */
  size_t num_logit_biases;

  int32_t strategy;    /* SPECINFER_STRATEGY_… */
  uint32_t ignore_end; /* non-zero: tokens that end the text are never chosen */
  int32_t verifier;    /* SPECINFER_VERIFIER_… */
  int32_t objective;   /* SPECINFER_OBJECTIVE_… */
  uint32_t tree_size;  /* guesses are drafted until a pass has so many tokens,
                          whatever that costs, but never more than the session's
                          max_tree_nodes; 0: as many as are expected to pay */
  uint32_t tree_depth; /* most guesses in a row; 0: no such limit */
} specinfer_generation_config;
#define SPECINFER_GENERATION_CONFIG_INIT                                      \
  {                                                                           \
    (uint32_t)sizeof(specinfer_generation_config), 0, 0.0f, 0.0f, 0.0f, 0, 0, \
        0, 0.0f, 0.0f, 0.0f, 0, 0.0f, 0.0f, 0, 0, 0, 0, NULL, 0, NULL, 0,     \
        NULL, 0, 0, 0, 0, 0, 0, 0                                             \
  }

typedef struct specinfer_alternative {
  specinfer_token token;
  float log_probability;
} specinfer_alternative;

typedef struct specinfer_generated_token {
  specinfer_token token;
  float log_probability; /* of the model's own law, before temperature and cuts;
                            0 unless asked for */
  const specinfer_alternative*
      alternatives; /* likeliest first; NULL unless asked for */
  size_t num_alternatives;
} specinfer_generated_token;

#define SPECINFER_STEP_MORE 0   /* nothing to show yet: call again */
#define SPECINFER_STEP_TOKENS 1 /* new tokens, perhaps new text: call again */
#define SPECINFER_STEP_DONE \
  2 /* the last event of this answer; may carry tokens too */

#define SPECINFER_FINISH_NONE 0
#define SPECINFER_FINISH_END 1 /* the model ended the text */
#define SPECINFER_FINISH_STOP_STRING 2
#define SPECINFER_FINISH_MAX_TOKENS 3
#define SPECINFER_FINISH_CONTEXT 4  /* the context is full */
#define SPECINFER_FINISH_CALLBACK 5 /* the callback asked to stop */

/* Pointers are borrowed until the session's next call (in a callback: until it
 * returns). Text is whole UTF-8 characters; text that might become a stop
 * string or a banned string is held back until that is settled. */
typedef struct specinfer_event {
  uint32_t struct_size; /* set by SPECINFER_EVENT_INIT */
  int32_t state;        /* SPECINFER_STEP_… */
  int32_t finish;       /* SPECINFER_FINISH_…, when done */
  uint32_t token_size;  /* bytes from one element of `tokens` to the next */
  const char* text;
  size_t text_length;
  const specinfer_generated_token* tokens;
  size_t num_tokens;
  uint32_t num_prefilled_tokens; /* of the prompt so far */
  uint32_t num_prompt_tokens; /* to prefill in all; what the cache held is not
                                 counted */
} specinfer_event;
#define SPECINFER_EVENT_INIT \
  { (uint32_t)sizeof(specinfer_event), 0, 0, 0, NULL, 0, NULL, 0, 0, 0 }

/* Begins an answer to the session's content. An answer still in progress ends
 * where it is: the new request supersedes it. `config` may be NULL.
 * Errors: INVALID_ARGUMENT (names the field), FAILED_PRECONDITION (the session
 * is empty, or has no draft model that the strategy and verifier need),
 * RESOURCE_EXHAUSTED (memory that the strategy or verifier takes). */
SPECINFER_API specinfer_status specinfer_session_start(
    specinfer_session* session, const specinfer_generation_config* config);
/* As start, after taking the last answer back; the random numbers are those of
 * the next stream. With the same seed this gives another answer at temperatures
 * above 0.
 * Errors: FAILED_PRECONDITION (there is no last answer). */
SPECINFER_API specinfer_status specinfer_session_regenerate(
    specinfer_session* session, const specinfer_generation_config* config);
/* Works on the answer for about `max_microseconds` (0: one round, however
 * long), also in the middle of a pass.
 * Errors: FAILED_PRECONDITION (not started), CANCELLED, RESOURCE_EXHAUSTED.
 * After an error the session holds what was committed, and start goes on from
 * there. */
SPECINFER_API specinfer_status
specinfer_session_step(specinfer_session* session, uint64_t max_microseconds,
                       specinfer_event* out_event);

/* Gets each event of an answer; non-zero ends it. May be NULL. */
typedef int32_t (*specinfer_event_callback)(void* user_data,
                                            const specinfer_event* event);
/* start, then step until done.
 * Errors: as both. */
SPECINFER_API specinfer_status specinfer_session_generate(
    specinfer_session* session, const specinfer_generation_config* config,
    specinfer_event_callback callback, void* user_data);

/* Ends the answer, prefill, score, embed or measurement in progress: its call
 * returns CANCELLED soon (within a millisecond or so). Finished prefill chunks
 * and tokens are kept. Without one in progress nothing happens. Any thread, any
 * time, callbacks included, as long as the session is not being destroyed. */
SPECINFER_API void specinfer_session_cancel(specinfer_session* session);

/* ---- Content: look, cut, copy, keep -------------------------------------- */

/* The session's tokens: prompt and answers. */
SPECINFER_API specinfer_status specinfer_session_get_tokens(
    specinfer_session* session, specinfer_token* buffer, size_t capacity,
    size_t* out_length);
/* Keeps the first `num_tokens` tokens. Messages are forgotten: append_message
 * then starts a new conversation after the kept text. 0 empties the session.
 * Errors: OUT_OF_RANGE. */
SPECINFER_API specinfer_status
specinfer_session_truncate(specinfer_session* session, size_t num_tokens);
/* A second session with the same content, sharing its cache until they differ.
 * The copy draws other random numbers.
 * Errors: RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status specinfer_session_fork(
    specinfer_session* session, specinfer_session** out_session);

/* Gets the next bytes of a saved session; non-zero stops with CANCELLED. */
typedef int32_t (*specinfer_write_callback)(void* user_data, const void* data,
                                            size_t num_bytes);
/* Writes the content, conversation, cache and random state. */
SPECINFER_API specinfer_status
specinfer_session_save(specinfer_session* session,
                       specinfer_write_callback write, void* user_data);
/* Replaces the session's content by a saved one of the same model.
 * Errors: INVALID_ARGUMENT (not a saved session), FAILED_PRECONDITION (of
 * another model, version or cache_type), DATA_LOSS (damaged),
 * RESOURCE_EXHAUSTED. The session is unchanged after an error. */
SPECINFER_API specinfer_status specinfer_session_restore(
    specinfer_session* session, const void* data, size_t num_bytes);

/* Log-probabilities of given tokens as a continuation of the content, which
 * stays as it is: buffer[i] is ln P(tokens[i] | content, tokens before i). An
 * empty session scores the first token as 0. */
SPECINFER_API specinfer_status specinfer_session_score_tokens(
    specinfer_session* session, const specinfer_token* tokens,
    size_t num_tokens, float* buffer);

#define SPECINFER_POOLING_MEAN 0
#define SPECINFER_POOLING_LAST 1
#define SPECINFER_POOLING_NONE 2 /* one vector per token */
/* The model's last hidden states for `text` alone (the content stays as it is),
 * pooled; of hidden_size floats, or tokens x hidden_size with POOLING_NONE.
 * `normalize` non-zero: each vector has length 1. */
SPECINFER_API specinfer_status specinfer_session_embed(
    specinfer_session* session, const char* text, size_t text_length,
    uint32_t flags, int32_t pooling, int32_t normalize, float* buffer,
    size_t capacity, size_t* out_length);

typedef struct specinfer_session_statistics {
  uint32_t struct_size;        /* set by SPECINFER_SESSION_STATISTICS_INIT */
  uint32_t num_context_tokens; /* content now */
  uint32_t max_context_tokens;
  uint32_t num_cached_tokens; /* of the content, in the cache */
  uint64_t num_dropped_turns; /* by OVERFLOW_DROP_TURNS */
  uint64_t num_dropped_tokens;
  uint64_t num_prefilled_tokens; /* since the session was created */
  uint64_t num_reused_tokens;    /* found in the cache instead */
  uint64_t num_generated_tokens;
  uint64_t num_rounds;
  uint64_t prefill_microseconds;
  uint64_t decode_microseconds;
  uint64_t cache_bytes;
} specinfer_session_statistics;
#define SPECINFER_SESSION_STATISTICS_INIT                                      \
  {                                                                            \
    (uint32_t)sizeof(specinfer_session_statistics), 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0                                                                \
  }

SPECINFER_API specinfer_status specinfer_session_get_statistics(
    specinfer_session* session, specinfer_session_statistics* out_statistics);

/* ---- Measuring: how fast it is, and how fast it could be ----------------- */

/* What this machine does at best, in one second. No pass can read or multiply
 * faster, so a pass takes at least
 *   max(read_bytes / read_bytes_per_second,
 *       int8_products / int8_products_per_second +
 *           float_products / float_products_per_second).
 * The rates wander with what else the machine does: compare only with times
 * that were taken next to them. */
typedef struct specinfer_machine_rates {
  uint32_t struct_size;             /* set by SPECINFER_MACHINE_RATES_INIT */
  uint32_t num_threads;             /* that took part: the engine's */
  double read_bytes_per_second;     /* reading the weights front to back */
  double int8_products_per_second;  /* multiply-adds of bytes, in registers */
  double float_products_per_second; /* fused multiply-adds, in registers */
} specinfer_machine_rates;
#define SPECINFER_MACHINE_RATES_INIT \
  { (uint32_t)sizeof(specinfer_machine_rates), 0, 0, 0, 0 }

/* Measures the machine: reads the model's weights once (small ones more often,
 * of large ones 2 GB) and runs the multiply instructions of the engine's
 * backend, on all its threads. Takes about as long as decoding one token, at
 * least 10 ms or so, and no memory worth naming.
 * Errors: INVALID_ARGUMENT. */
SPECINFER_API specinfer_status specinfer_model_measure(
    const specinfer_model* model, specinfer_machine_rates* out_rates);

/* One pass of the network over `num_rows` new tokens in a line. */
typedef struct specinfer_pass {
  uint32_t struct_size;        /* set by SPECINFER_PASS_INIT */
  uint32_t num_context_tokens; /* in the cache before the pass */
  uint32_t num_rows;
  uint32_t num_answer_rows; /* the last rows, whose next token is chosen */
  uint64_t read_bytes;      /* weights once, embeddings, keys and values */
  uint64_t int8_products;   /* multiply-adds with quantised weights */
  uint64_t float_products;  /* all other multiply-adds */
  double seconds;           /* measured; 0: not measured */
} specinfer_pass;
#define SPECINFER_PASS_INIT \
  { (uint32_t)sizeof(specinfer_pass), 0, 0, 0, 0, 0, 0, 0 }

/* What such a pass must read and multiply at the least, counted from the
 * model's shapes and the session's cache type. Nothing is computed; the
 * content is not looked at.
 * Errors: INVALID_ARGUMENT (num_rows is not 1 to 2^20, num_context_tokens above
 * 2^30, num_answer_rows above num_rows). */
SPECINFER_API specinfer_status specinfer_session_plan_pass(
    specinfer_session* session, uint32_t num_context_tokens, uint32_t num_rows,
    uint32_t num_answer_rows, specinfer_pass* out_pass);

/* Runs one such pass behind the content and forgets it: the content, and an
 * answer in progress, stay as they are. The content's last token is the first
 * row; the tokens before it are the context, and are prefilled first where the
 * cache lacks them, which is not timed. The likeliest token is chosen for each
 * of the last `num_answer_rows` rows, without noise. *out_pass gets what
 * plan_pass counts, too. specinfer_session_cancel() ends it with CANCELLED.
 * Errors: INVALID_ARGUMENT (num_rows is not 1 to the session's
 * prefill_chunk_tokens, num_answer_rows above num_rows), CANCELLED,
 * RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status specinfer_session_measure_pass(
    specinfer_session* session, uint32_t num_rows, uint32_t num_answer_rows,
    specinfer_pass* out_pass);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SPECINFER_H_ */
