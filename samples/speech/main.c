/* What is said in a WAV file, or into the microphone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "specinfer.h"
#include "specinfer/live_speech.h"
#include "wav.h"
#ifdef SAMPLE_HAS_PORTAUDIO
#include <portaudio.h>
#endif

static void check(specinfer_status status) {
  if (status == SPECINFER_OK) return;
  fprintf(stderr, "%s: %s\n", specinfer_status_name(status),
          specinfer_last_error());
  exit(1);
}

static void write_down_file(specinfer_transcriber* transcriber,
                            const char* path) {
  specinfer_transcription_config config = SPECINFER_TRANSCRIPTION_CONFIG_INIT;
  specinfer_transcription result = SPECINFER_TRANSCRIPTION_INIT;
  size_t num_samples = 0;
  float* samples =
      read_wav(path, &num_samples, &config.sample_rate, &config.num_channels);

  if (samples == NULL) {
    fprintf(stderr, "%s is no WAV file of 16-bit samples\n", path);
    exit(1);
  }
  check(specinfer_transcriber_transcribe(transcriber, samples, num_samples,
                                         &config, &result));
  for (uint32_t i = 0; i < result.num_segments; ++i) {
    specinfer_segment segment = SPECINFER_SEGMENT_INIT;
    check(specinfer_transcriber_get_segment(transcriber, i, &segment));
    printf("[%6.2f to %6.2f]%.*s\n", segment.start, segment.end,
           (int)segment.text_length, segment.text);
  }
  free(samples);
}

#ifdef SAMPLE_HAS_PORTAUDIO
/* Called by the audio thread. What does not fit is lost, 30 s behind. */
static int push_sound(const void* input, void* output, unsigned long num_frames,
                      const PaStreamCallbackTimeInfo* time,
                      PaStreamCallbackFlags flags, void* transcriber) {
  size_t num_taken = 0;
  (void)output, (void)time, (void)flags;
  specinfer_transcriber_push(transcriber, input, num_frames, &num_taken);
  return paContinue;
}

static void write_down_microphone(specinfer_transcriber* transcriber) {
  specinfer_speech_event event = SPECINFER_SPEECH_EVENT_INIT;
  PaStream* stream = NULL;
  PaError error = Pa_Initialize();

  check(specinfer_transcriber_listen(transcriber, NULL, NULL));
  if (error == paNoError)
    error = Pa_OpenDefaultStream(&stream, 1, 0, paFloat32, 16000, 320,
                                 push_sound, transcriber);
  if (error == paNoError) error = Pa_StartStream(stream);
  if (error != paNoError) {
    fprintf(stderr, "no microphone: %s\n", Pa_GetErrorText(error));
    exit(1);
  }
  while (1) {
    check(specinfer_transcriber_step(transcriber, 20000, &event));
    if (event.kind == SPECINFER_SPEECH_NOTHING) Pa_Sleep(10);
    if (event.kind == SPECINFER_SPEECH_PARTIAL)
      printf("\r\x1b[K%.*s", (int)event.text_length, event.text);
    if (event.kind == SPECINFER_SPEECH_FINAL)
      printf("\r\x1b[K%.*s\n", (int)event.text_length, event.text);
    fflush(stdout);
  }
}
#endif

int main(int argc, char** argv) {
  specinfer_engine* engine = NULL;
  specinfer_model* model = NULL;
  specinfer_transcriber* transcriber = NULL;

  if (argc != 3 && argc != 4) {
    fprintf(stderr, "usage: %s MODEL VOICE_ACTIVITY [FILE.wav]\n", argv[0]);
    return 2;
  }
  check(specinfer_engine_create(NULL, &engine));
  check(specinfer_model_load(engine, argv[1], strlen(argv[1]), NULL, &model));
  check(specinfer_transcriber_create(model, &transcriber));
  check(specinfer_transcriber_use_voice_activity(transcriber, argv[2],
                                                 strlen(argv[2])));
  if (argc == 4) {
    write_down_file(transcriber, argv[3]);
  } else {
#ifdef SAMPLE_HAS_PORTAUDIO
    write_down_microphone(transcriber);
#else
    fprintf(stderr, "built without PortAudio: give a FILE.wav\n");
#endif
  }
  specinfer_transcriber_destroy(transcriber);
  specinfer_model_destroy(model);
  specinfer_engine_destroy(engine);
  return 0;
}
