#include "wav.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t number(const unsigned char* bytes, int num_bytes) {
  uint32_t value = 0;
  while (num_bytes-- > 0) value = value << 8 | bytes[num_bytes];
  return value;
}

float* read_wav(const char* path, size_t* num_samples, uint32_t* sample_rate,
                uint32_t* num_channels) {
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
  *num_channels = number(format + 2, 2);
  *sample_rate = number(format + 4, 4);
  if (samples != NULL && *num_channels != 0)
    *num_samples -= *num_samples % *num_channels;
  return samples;
}
