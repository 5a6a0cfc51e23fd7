// A recording as hosts have it, to what a transcriber hears.
#ifndef SPECINFER_SRC_SPEECH_RECORDING_H_
#define SPECINFER_SRC_SPEECH_RECORDING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/speech/resampler.h"

namespace specinfer {

// 16 kHz, mono. What is not finite becomes 0.
// Errors: INVALID_ARGUMENT (a format outside of the limits, or half a frame),
// UNIMPLEMENTED (a build without a resampler), RESOURCE_EXHAUSTED.
absl::StatusOr<std::vector<float>> ConvertRecording(
    absl::Span<const float> interleaved, const AudioFormat& format,
    Memory& memory);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_RECORDING_H_
