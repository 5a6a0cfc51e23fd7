/* specinfer: speech as it is spoken.
 *
 * A transcriber that listens takes sound from the host's audio thread and tells
 * what is said: texts that grow while someone speaks, final ones at the end of
 * each utterance.
 *
 *   specinfer_transcriber_listen(transcriber, &config, NULL);
 *   audio thread:  specinfer_transcriber_push(...) for each block of samples
 *   your thread:   specinfer_transcriber_step(...) every few milliseconds, or
 *                  when something was pushed; print what it tells
 *
 * With a network for voice activity (specinfer_transcriber_use_voice_activity)
 * utterances end where the speaker pauses, and nothing is written down, or
 * worked on, in silence. Without one all sound is an utterance: texts become
 * final every 30 s at the latest, in a pause and at the end.
 */
#ifndef SPECINFER_LIVE_SPEECH_H_
#define SPECINFER_LIVE_SPEECH_H_

#include "speech.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct specinfer_live_config {
  uint32_t struct_size; /* set by SPECINFER_LIVE_CONFIG_INIT */
  uint32_t reserved;
  /* Of sound between two partial texts, at least; they come less often where a
   * text takes more than a third of that. 0: 0.5; negative: there are none. */
  double partial_seconds;
  /* Of silence that ends an utterance. 0: 0.5. */
  double endpoint_seconds;
  /* Of sound that may wait to be worked on; what does not fit is refused. 0:
   * 30. */
  double backlog_seconds;
} specinfer_live_config;
#define SPECINFER_LIVE_CONFIG_INIT \
  { (uint32_t)sizeof(specinfer_live_config), 0, 0, 0, 0 }

/* Begins to listen. `config` says the language and the format of the samples;
 * its progress and SPECINFER_TRANSCRIBE_USE_PREVIOUS_TEXT mean nothing here,
 * times are always asked for, and its passes have SPECINFER_URGENCY_HIGHEST.
 * Both may be NULL. Takes all memory that listening needs, however long it goes
 * on. Errors: FAILED_PRECONDITION (it listens already), INVALID_ARGUMENT,
 * UNIMPLEMENTED (another rate than 16,000 in a build without a resampler),
 * RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status
specinfer_transcriber_listen(specinfer_transcriber* transcriber,
                             const specinfer_transcription_config* config,
                             const specinfer_live_config* live_config);

/* Hands in samples, as specinfer_transcriber_transcribe takes them, and says
 * how many were taken; those that were not, for want of room, are the caller's
 * to push again. For a real-time audio thread: never waits, locks or allocates.
 * One thread at a time, at the same time as anything but listen, stop and
 * destroy.
 * Errors: FAILED_PRECONDITION (it does not listen), INVALID_ARGUMENT (no
 * multiple of the channels). */
SPECINFER_API specinfer_status specinfer_transcriber_push(
    specinfer_transcriber* transcriber, const float* samples,
    size_t num_samples, size_t* out_num_taken);
/* There is no more sound to come. Of the thread that pushes. */
SPECINFER_API specinfer_status
specinfer_transcriber_finish(specinfer_transcriber* transcriber);

/* In a pause, what is pushed is taken and not heard: the utterance ends, and
 * time goes on. Any thread. */
SPECINFER_API specinfer_status
specinfer_transcriber_pause(specinfer_transcriber* transcriber);
SPECINFER_API specinfer_status
specinfer_transcriber_resume(specinfer_transcriber* transcriber);

#define SPECINFER_SPEECH_NOTHING 0 /* to do, before more sound is pushed */
#define SPECINFER_SPEECH_WORKING \
  1                              /* the time is up in the middle; step again */
#define SPECINFER_SPEECH_BEGIN 2 /* someone begins to speak, at `start` */
#define SPECINFER_SPEECH_PARTIAL 3 /* `text`: what the utterance is so far */
#define SPECINFER_SPEECH_FINAL 4   /* `text`: a segment of the utterance */
#define SPECINFER_SPEECH_END 5     /* the utterance ends, at `end` */
#define SPECINFER_SPEECH_DONE 6    /* all that was pushed before finish */

typedef struct specinfer_speech_event {
  uint32_t struct_size; /* set by SPECINFER_SPEECH_EVENT_INIT */
  int32_t kind;         /* SPECINFER_SPEECH_… */
  double start;         /* seconds of what was pushed, pauses included */
  double end;
  const char* text; /* well-formed UTF-8, with the space before it */
  size_t text_length;
  /* The first bytes of a partial text that later ones will keep. A final text,
   * for which the whole utterance was heard, may differ. */
  size_t stable_length;
  double encode_seconds; /* of work since the last event */
  double decode_seconds;
  uint32_t num_tokens; /* of that work */
  uint32_t num_passes;
  uint32_t num_words; /* with SPECINFER_TRANSCRIBE_WORDS, of a final text */
  uint32_t reserved;
} specinfer_speech_event;
#define SPECINFER_SPEECH_EVENT_INIT                                            \
  {                                                                            \
    (uint32_t)sizeof(specinfer_speech_event), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0                                                                      \
  }

/* Works for about `max_microseconds`, or until there is something to tell, and
 * tells it; 0: until there is, however long it takes. Partial texts replace
 * each other; final texts replace them, and follow each other. What an event
 * points to lives until the next call; its segment is that of
 * specinfer_transcriber_get_segment(transcriber, 0, …).
 * Errors: FAILED_PRECONDITION (it does not listen), CANCELLED (by
 * specinfer_transcriber_cancel: the text in work is lost, the next call goes on
 * after it), RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status specinfer_transcriber_step(
    specinfer_transcriber* transcriber, uint64_t max_microseconds,
    specinfer_speech_event* out_event);

/* Ends listening, whatever is left to do; after SPECINFER_SPEECH_DONE too it
 * frees the memory. Not while another thread pushes. */
SPECINFER_API specinfer_status
specinfer_transcriber_stop(specinfer_transcriber* transcriber);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SPECINFER_LIVE_SPEECH_H_ */
