/* A program built with the header of 0.1 runs with the library of today: its
 * structs are shorter, and what lies behind them is neither read nor written.
 */
#include <stdio.h>
#include <string.h>

#include "headers/specinfer-0.1.h"

/* Every struct lies in front of bytes that are not 0. */
#define GUARDED(type, name, init) \
  struct {                        \
    type value;                   \
    unsigned char behind[64];     \
  } name = {init, {0}};           \
  memset(name.behind, 0xa5, sizeof(name.behind))

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, specinfer_last_error());
  return 1;
}

static int is_untouched(const unsigned char* behind) {
  int i = 0;
  for (i = 0; i < 64; ++i) {
    if (behind[i] != 0xa5) return 0;
  }
  return 1;
}

static int answer(specinfer_model* model) {
  specinfer_session* session = NULL;
  GUARDED(specinfer_session_config, config, SPECINFER_SESSION_CONFIG_INIT);
  GUARDED(specinfer_generation_config, generation,
          SPECINFER_GENERATION_CONFIG_INIT);
  GUARDED(specinfer_session_statistics, statistics,
          SPECINFER_SESSION_STATISTICS_INIT);
  config.value.max_context_tokens = 128;
  generation.value.max_tokens = 16;
  generation.value.ignore_end = 1;
  if (specinfer_session_create(model, &config.value, &session) != SPECINFER_OK)
    return fail("session_create");
  if (specinfer_session_set_prompt(session, "Once upon a time", 16,
                                   SPECINFER_TEXT_ADD_BOS,
                                   NULL) != SPECINFER_OK)
    return fail("set_prompt");
  if (specinfer_session_generate(session, &generation.value, NULL, NULL) !=
      SPECINFER_OK)
    return fail("generate");
  if (specinfer_session_get_statistics(session, &statistics.value) !=
      SPECINFER_OK)
    return fail("get_statistics");
  specinfer_session_destroy(session);
  if (statistics.value.num_generated_tokens != 16 ||
      !is_untouched(statistics.behind))
    return fail("statistics");
  return 0;
}

int main(int argc, char** argv) {
  specinfer_engine* engine = NULL;
  specinfer_model* model = NULL;
  int result = 0;
  GUARDED(specinfer_engine_config, config, SPECINFER_ENGINE_CONFIG_INIT);
  GUARDED(specinfer_engine_statistics, statistics,
          SPECINFER_ENGINE_STATISTICS_INIT);
  if (argc != 2) return 2;
  if (specinfer_engine_create(&config.value, &engine) != SPECINFER_OK)
    return fail("engine_create");
  if (specinfer_model_load(engine, argv[1], strlen(argv[1]), NULL, &model) !=
      SPECINFER_OK)
    return fail("model_load");
  result = answer(model);
  if (specinfer_engine_get_statistics(engine, &statistics.value) !=
          SPECINFER_OK ||
      !is_untouched(statistics.behind))
    result = fail("engine_get_statistics");
  specinfer_model_destroy(model);
  specinfer_engine_destroy(engine);
  return result;
}
