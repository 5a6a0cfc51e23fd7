#include "transcript_list.h"

#include <filesystem>
#include <sstream>
#include <string_view>

#include "failure.h"
#include "file_text.h"

namespace specinfer_cli {
namespace {

std::string_view Stripped(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r";
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
}

// The audio file that the list `path` calls `name`.
std::string FindAudio(const std::filesystem::path& path,
                      const std::string& name) {
  for (const std::string& stem : {name, path.stem().string() + "-" + name}) {
    for (const char* ending : {".wav", ".flac", ".ogg", ".mp3"}) {
      std::error_code ignored;
      if (std::filesystem::exists(path.parent_path() / (stem + ending),
                                  ignored))
        return stem + ending;
    }
  }
  return name + ".wav";
}

// False: not of this form.
bool ReadTabbed(std::string_view line, Transcript* out) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return false;
  out->name = Stripped(line.substr(0, tab));
  out->text = Stripped(line.substr(tab + 1));
  return !out->name.empty();
}

bool ReadSphinx(std::string_view line, const std::filesystem::path& path,
                Transcript* out) {
  constexpr std::string_view kBegin = "<s>", kEnd = "</s>";
  const size_t open = line.rfind('(');
  if (open == std::string_view::npos || line.back() != ')') return false;
  const std::string_view name =
      Stripped(line.substr(open + 1, line.size() - open - 2));
  std::string_view text = Stripped(line.substr(0, open));
  if (text.substr(0, kBegin.size()) == kBegin)
    text.remove_prefix(kBegin.size());
  if (text.size() >= kEnd.size() &&
      text.substr(text.size() - kEnd.size()) == kEnd)
    text.remove_suffix(kEnd.size());
  out->name = FindAudio(path, std::string(name));
  out->text = Stripped(text);
  return !name.empty();
}

}  // namespace

std::vector<Transcript> ReadTranscripts(const std::string& path) {
  const std::filesystem::path folder =
      std::filesystem::path(path).parent_path();
  std::vector<Transcript> transcripts;
  std::istringstream lines(ReadFile(path));
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    const std::string_view content = Stripped(line);
    if (content.empty()) continue;
    Transcript transcript;
    if (!ReadTabbed(line, &transcript) &&
        !ReadSphinx(content, path, &transcript)) {
      throw Failure("file \"" + path + "\", line " + std::to_string(number) +
                    ": neither FILE<TAB>text nor <s> text </s> (NAME)");
    }
    transcript.path = (folder / transcript.name).string();
    transcripts.push_back(std::move(transcript));
  }
  if (transcripts.empty())
    throw Failure("file \"" + path + "\" has no transcripts");
  return transcripts;
}

}  // namespace specinfer_cli
