/* A conversation in the terminal: one line in, one answer out. Ctrl-D ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "specinfer.h"

static void check(specinfer_status status) {
  if (status == SPECINFER_OK) return;
  fprintf(stderr, "%s: %s\n", specinfer_status_name(status),
          specinfer_last_error());
  exit(1);
}

static int32_t print_event(void* user_data, const specinfer_event* event) {
  (void)user_data;
  fwrite(event->text, 1, event->text_length, stdout);
  fflush(stdout);
  return 0; /* anything else would end the answer */
}

static void print_speed(specinfer_session* session) {
  static uint64_t tokens_before = 0, microseconds_before = 0;
  specinfer_session_statistics now = SPECINFER_SESSION_STATISTICS_INIT;
  check(specinfer_session_get_statistics(session, &now));
  double seconds =
      (double)(now.decode_microseconds - microseconds_before) / 1e6;
  double tokens = (double)(now.num_generated_tokens - tokens_before);
  printf("\n[%.0f tokens, %.1f tokens/s]\n", tokens,
         seconds > 0 ? tokens / seconds : 0.0);
  tokens_before = now.num_generated_tokens;
  microseconds_before = now.decode_microseconds;
}

int main(int argc, char** argv) {
  specinfer_engine* engine = NULL;
  specinfer_model* model = NULL;
  specinfer_session* session = NULL;
  specinfer_generation_config config = SPECINFER_GENERATION_CONFIG_INIT;
  char line[4096];

  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL.gguf\n", argv[0]);
    return 2;
  }
  check(specinfer_engine_create(NULL, &engine));
  check(specinfer_model_load(engine, argv[1], strlen(argv[1]), NULL, &model));
  check(specinfer_session_create(model, NULL, &session));

  config.max_tokens = 512;
  config.temperature = 0.7f;
  config.top_p = 0.9f;
  while (printf("> "), fflush(stdout),
         fgets(line, sizeof(line), stdin) != NULL) {
    size_t length = strcspn(line, "\n");
    if (length == 0) continue;
    check(specinfer_session_append_message(session, "user", 4, line, length));
    check(specinfer_session_generate(session, &config, print_event, NULL));
    print_speed(session);
  }

  specinfer_session_destroy(session);
  specinfer_model_destroy(model);
  specinfer_engine_destroy(engine);
  return 0;
}
