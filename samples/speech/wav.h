/* WAV files of 16-bit samples. */
#ifndef SPECINFER_SAMPLES_SPEECH_WAV_H_
#define SPECINFER_SAMPLES_SPEECH_WAV_H_

#include <stddef.h>
#include <stdint.h>

/* The interleaved samples of a file, to be freed; NULL where it is no such
 * file. */
float* read_wav(const char* path, size_t* num_samples, uint32_t* sample_rate,
                uint32_t* num_channels);

#endif /* SPECINFER_SAMPLES_SPEECH_WAV_H_ */
