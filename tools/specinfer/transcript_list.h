// The recordings of `specinfer bench --transcripts`, with what is said in them.
#ifndef SPECINFER_TOOLS_SPECINFER_TRANSCRIPT_LIST_H_
#define SPECINFER_TOOLS_SPECINFER_TRANSCRIPT_LIST_H_

#include <string>
#include <vector>

namespace specinfer_cli {

struct Transcript {
  std::string name;  // of the audio file, as the list has it
  std::string path;
  std::string text;
};

// Each line is "FILE<TAB>text", or as CMU Sphinx writes it: "<s> text </s>
// (NAME)", whose file is NAME.wav, or, as in its cards.transcription,
// cards-NAME.wav; or with .flac, .ogg or .mp3. Files are relative to the folder
// of the list. Empty lines are passed over. Throws Failure that names the line.
std::vector<Transcript> ReadTranscripts(const std::string& path);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_TRANSCRIPT_LIST_H_
