/* What is said in a WAV file, with times. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "specinfer.h"
#include "specinfer/speech.h"

static void check(specinfer_status status) {
  if (status == SPECINFER_OK) return;
  fprintf(stderr, "%s: %s\n", specinfer_status_name(status),
          specinfer_last_error());
  exit(1);
}

static uint32_t number(const unsigned char* bytes, int num_bytes) {
  uint32_t value = 0;
  while (num_bytes-- > 0) value = value << 8 | bytes[num_bytes];
  return value;
}

/* The samples of a file with 16 bits for each; NULL where it is another. */
static float* read_wav(const char* path, size_t* num_samples,
                       specinfer_transcription_config* config) {
  FILE* file = fopen(path, "rb");
  unsigned char head[12], format[16] = {0}, bytes[2];
  float* samples = NULL;

  if (file == NULL) return NULL;
  if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) != 0)
    head[0] = 0;
  while (head[0] != 0 && fread(head, 1, 8, file) == 8) {
    uint32_t size = number(head + 4, 4);
    if (memcmp(head, "fmt ", 4) == 0 && size >= 16) {
      if (fread(format, 1, 16, file) != 16) break;
      size -= 16;
    } else if (memcmp(head, "data", 4) == 0) {
      if (number(format, 2) != 1 || number(format + 14, 2) != 16) break;
      samples = malloc((size_t)size / 2 * sizeof(float) + 1);
      for (*num_samples = 0; samples != NULL && *num_samples < size / 2 &&
                             fread(bytes, 1, 2, file) == 2;
           ++*num_samples)
        samples[*num_samples] = (float)(int16_t)number(bytes, 2) / 32768.0f;
      break;
    }
    if (fseek(file, (long)size + (long)(size & 1), SEEK_CUR) != 0) break;
  }
  fclose(file);
  config->num_channels = number(format + 2, 2);
  config->sample_rate = number(format + 4, 4);
  if (samples != NULL && config->num_channels != 0)
    *num_samples -= *num_samples % config->num_channels;
  return samples;
}

int main(int argc, char** argv) {
  specinfer_engine* engine = NULL;
  specinfer_model* model = NULL;
  specinfer_transcriber* transcriber = NULL;
  specinfer_transcription_config config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  specinfer_transcription result = SPECINFER_TRANSCRIPTION_INIT;
  size_t num_samples = 0;
  float* samples;

  if (argc != 3) {
    fprintf(stderr, "usage: %s MODEL FILE.wav\n", argv[0]);
    return 2;
  }
  samples = read_wav(argv[2], &num_samples, &config);
  if (samples == NULL) {
    fprintf(stderr, "%s is no WAV file of 16-bit samples\n", argv[2]);
    return 1;
  }
  check(specinfer_engine_create(NULL, &engine));
  check(specinfer_model_load(engine, argv[1], strlen(argv[1]), NULL, &model));
  check(specinfer_transcriber_create(model, &transcriber));

  check(specinfer_transcriber_transcribe(transcriber, samples, num_samples,
                                         &config, &result));
  for (uint32_t i = 0; i < result.num_segments; ++i) {
    specinfer_segment segment = SPECINFER_SEGMENT_INIT;
    check(specinfer_transcriber_get_segment(transcriber, i, &segment));
    printf("[%6.2f to %6.2f]%.*s\n", segment.start, segment.end,
           (int)segment.text_length, segment.text);
  }

  specinfer_transcriber_destroy(transcriber);
  specinfer_model_destroy(model);
  specinfer_engine_destroy(engine);
  free(samples);
  return 0;
}
