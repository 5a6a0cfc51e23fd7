/* specinfer: speech recognition inside your application.
 *
 * A transcriber writes down recordings with a model of speech (Whisper). The
 * conventions are those of specinfer.h.
 */
#ifndef SPECINFER_SPEECH_H_
#define SPECINFER_SPEECH_H_

#include "../specinfer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes down one recording at a time; keeps its model alive. One thread at a
 * time, except cancel: a second caller gets FAILED_PRECONDITION. */
typedef struct specinfer_transcriber specinfer_transcriber;

/* Takes the memory that transcribing needs, but for what grows with the length
 * of a recording: 32 KB for each of its seconds. It remembers the words of what
 * it wrote down, about an hour of speech, to guess what is said again;
 * nothing hands them out.
 * Errors: FAILED_PRECONDITION (no model of speech), RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status specinfer_transcriber_create(
    const specinfer_model* model, specinfer_transcriber** out_transcriber);
SPECINFER_API void specinfer_transcriber_destroy(
    specinfer_transcriber* transcriber);

/* From now on recordings are first searched for speech, and only that is
 * written down: no text is made up where nobody speaks, and silence takes no
 * time. Silence of 2 s or more is left out, but for 0.4 s beside speech; times
 * stay those of the recording. `path`: silero_vad_16k.safetensors, as Silero
 * VAD is published, read by the engine's file_read; empty: all is written down,
 * as at first. On failure the last choice stays.
 * Errors: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT or UNIMPLEMENTED (no
 * such file of weights), RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status specinfer_transcriber_use_voice_activity(
    specinfer_transcriber* transcriber, const char* path, size_t path_length);

/* From now on a smaller model of speech may guess what the model will write:
 * the text stays the same, and long recordings with large models take less
 * time. AUTO counts what the smaller one's encoder takes, and leaves it alone
 * where that does not pay. It stays alive as long as it is used; NULL: none, as
 * at first. What was remembered to guess from is forgotten. On failure the last
 * choice stays.
 * Errors: FAILED_PRECONDITION (no model of speech, of another engine, of other
 * tokens or another spectrogram), RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status specinfer_transcriber_use_draft_model(
    specinfer_transcriber* transcriber, const specinfer_model* draft);

/* Write English, whatever is spoken. */
#define SPECINFER_TRANSCRIBE_TRANSLATE 1u
/* Do not ask the model for times: quicker, and each segment is a window. */
#define SPECINFER_TRANSCRIBE_WITHOUT_TIMESTAMPS 2u
/* What was said before prompts each window of 30 s. It helps with names and
 * style, and carries mistakes along. */
#define SPECINFER_TRANSCRIBE_USE_PREVIOUS_TEXT 4u
/* Find when each word is said: specinfer_transcriber_get_word. A pass of the
 * decoder more for each window, and segments' times that fit their words'. */
#define SPECINFER_TRANSCRIBE_WORDS 8u

/* A good `hotword_bias`: of names that nobody says none was written in any of
 * our recordings, and twice as much wrote none either. */
#define SPECINFER_HOTWORD_BIAS 3.0f

typedef struct specinfer_transcription_config {
  uint32_t struct_size; /* set by SPECINFER_TRANSCRIPTION_CONFIG_INIT */
  uint32_t flags;       /* SPECINFER_TRANSCRIBE_… */
  /* Of the samples: 4,000 to 384,000 and 1 to 32; 0: 16,000 and 1. */
  uint32_t sample_rate;
  uint32_t num_channels;
  /* A code ("de") or an English name ("german"). Empty: told by the sound of
   * the first 30 s. */
  const char* language;
  size_t language_length;
  /* As if it had been said before: names, spelling, style. */
  const char* initial_prompt;
  size_t initial_prompt_length;
  /* Words to expect in every window, used as `hotword_bias` says. */
  const char* hotwords;
  size_t hotwords_length;
  uint64_t seed; /* of tries at higher temperatures; 0: 1 */
  /* Called after each window with the share of the audio that is done, from the
   * calling thread; non-zero cancels. May be NULL. */
  int32_t (*progress)(void* user_data, float fraction);
  void* progress_user_data;
  int32_t urgency; /* SPECINFER_URGENCY_… */
  /* SPECINFER_STRATEGY_…; the text is the same with each. DRAFT and TREE need
   * specinfer_transcriber_use_draft_model. Live speech takes AUTO as NGRAM:
   * what was heard last is seldom wrong for long. */
  int32_t strategy;
  /* What hotwords do. 0: they prompt each window, which also changes the style
   * of all other words. More, up to 20: logits that tokens get which begin or
   * continue a hotword, where the model chooses among words: it writes the
   * hotword where it nearly would, and what is begun of one that does not go on
   * is taken back. Other words stay as they are. Hotwords are then phrases
   * between commas, semicolons or line breaks; without any of these, words
   * between blanks. See SPECINFER_HOTWORD_BIAS. */
  float hotword_bias;
  /* Of a window that is tried again at a higher temperature, how many texts are
   * sampled, up to 64, to keep the likeliest. 5 is what OpenAI's Whisper does,
   * and takes five times as long. 0: 1. */
  uint32_t best_of;
} specinfer_transcription_config;
#define SPECINFER_TRANSCRIPTION_CONFIG_INIT                                   \
  {                                                                           \
    (uint32_t)sizeof(specinfer_transcription_config), 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 0, 0, 0, 0                                                \
  }

typedef struct specinfer_transcription {
  uint32_t struct_size; /* set by SPECINFER_TRANSCRIPTION_INIT */
  uint32_t num_segments;
  double audio_seconds;
  double encode_seconds; /* of work: sound to what the decoder attends to */
  double decode_seconds; /* of work: that to text */
  /* NUL-terminated code, "en"; never NULL, lives forever. */
  const char* language;
  float language_probability; /* 1: it was given; 0: nothing was heard */
  uint32_t num_tokens;        /* of all tries */
  uint32_t num_passes;        /* of the decoder, for these */
  uint32_t reserved;
  double speech_seconds; /* of the audio: all, without voice activity */
} specinfer_transcription;
#define SPECINFER_TRANSCRIPTION_INIT \
  { (uint32_t)sizeof(specinfer_transcription), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Writes down a recording: interleaved samples, silent at 0 and loudest at -1
 * and 1. Samples that are not finite are taken as 0. On failure the last
 * recording's segments are gone.
 * Errors: INVALID_ARGUMENT (language, flags, another number than there may be,
 * translation by a model of English alone, more than 24 hours, a number of
 * samples that is no multiple of the channels, a strategy of draft models
 * without one),
 * UNIMPLEMENTED (another rate than 16,000 in a build without a resampler),
 * FAILED_PRECONDITION (words of a model whose alignment heads nobody names),
 * CANCELLED, RESOURCE_EXHAUSTED. */
SPECINFER_API specinfer_status specinfer_transcriber_transcribe(
    specinfer_transcriber* transcriber, const float* samples,
    size_t num_samples, const specinfer_transcription_config* config,
    specinfer_transcription* out_transcription);

/* Ends specinfer_transcriber_transcribe with CANCELLED, soon. Any thread. */
SPECINFER_API void specinfer_transcriber_cancel(
    specinfer_transcriber* transcriber);

typedef struct specinfer_segment {
  uint32_t struct_size; /* set by SPECINFER_SEGMENT_INIT */
  uint32_t num_tokens;
  double start; /* seconds from the beginning of the recording */
  double end;
  const char* text; /* well-formed UTF-8, with the space before it */
  size_t text_length;
  const specinfer_token* tokens; /* of the text, and timestamps */
  float temperature;             /* that it was sampled at */
  float average_log_probability; /* of a token */
  float no_speech_probability;   /* of its window */
  float compression_ratio;       /* above 2.4 the text repeats itself */
  uint32_t num_words;            /* 0 without SPECINFER_TRANSCRIBE_WORDS */
  uint32_t reserved;
} specinfer_segment;
#define SPECINFER_SEGMENT_INIT \
  { (uint32_t)sizeof(specinfer_segment), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* A segment of the last recording. Its text and tokens are borrowed until the
 * next call of transcribe or destroy.
 * Errors: OUT_OF_RANGE. */
SPECINFER_API specinfer_status
specinfer_transcriber_get_segment(specinfer_transcriber* transcriber,
                                  size_t index, specinfer_segment* out_segment);

typedef struct specinfer_word {
  uint32_t struct_size; /* set by SPECINFER_WORD_INIT */
  float probability;    /* mean over its tokens */
  double start;         /* seconds from the beginning of the recording */
  double end;
  const char* text; /* well-formed UTF-8, with the space before it and the
                       punctuation that belongs to it */
  size_t text_length;
} specinfer_word;
#define SPECINFER_WORD_INIT \
  { (uint32_t)sizeof(specinfer_word), 0, 0, 0, 0, 0 }

/* A word of a segment of the last recording. Its text is borrowed until the
 * next call of transcribe or destroy.
 * Errors: OUT_OF_RANGE. */
SPECINFER_API specinfer_status specinfer_transcriber_get_word(
    specinfer_transcriber* transcriber, size_t segment_index, size_t word_index,
    specinfer_word* out_word);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SPECINFER_SPEECH_H_ */
