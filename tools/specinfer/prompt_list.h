// The prompts of `specinfer bench --prompts`: a file of JSON lines.
#ifndef SPECINFER_TOOLS_SPECINFER_PROMPT_LIST_H_
#define SPECINFER_TOOLS_SPECINFER_PROMPT_LIST_H_

#include <cstddef>
#include <string>
#include <vector>

namespace specinfer_cli {

struct Prompt {
  size_t index;  // of its line in the file, from 0
  std::string file;
  std::string id;  // may be empty
  std::string category;
  std::string text;
};

struct PromptSelection {
  std::vector<std::string> categories;  // empty: all
  size_t num_skipped = 0;               // of these categories
  size_t max_prompts = 0;               // of each file; 0: all that are left
};

// Each line is an object with "user" (or "turns", whose first is taken) and
// perhaps "category" (absent: the file's stem) and "id". Empty lines are passed
// over. Throws Failure that names the line.
std::vector<Prompt> ReadPrompts(const std::string& path,
                                const PromptSelection& selection);

// "3 (HumanEval/3) of code.jsonl".
std::string Describe(const Prompt& prompt);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_PROMPT_LIST_H_
