#include "fetch_model.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "failure.h"
#include "fetch_model_py.h"
#include "progress_bar.h"
#include <sys/wait.h>

namespace specinfer_cli {
namespace {

// A child process whose standard output and standard error are read here.
struct Child {
  pid_t id;
  std::FILE* output;
  std::FILE* errors;
};

Child Start(std::vector<std::string> command) {
  int output[2], errors[2];
  if (pipe(output) != 0 || pipe(errors) != 0) {
    throw Failure("no pipe can be made");
  }
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t id = fork();
  if (id < 0) throw Failure("no process can be made");
  if (id == 0) {
    dup2(output[1], STDOUT_FILENO);
    dup2(errors[1], STDERR_FILENO);
    for (const int end : {output[0], output[1], errors[0], errors[1]}) {
      close(end);
    }
    execvp(arguments[0], arguments.data());
    dprintf(STDERR_FILENO, "%s: %s: install the packages python3, python3-pip",
            arguments[0], std::strerror(errno));
    _exit(1);
  }
  close(output[1]);
  close(errors[1]);
  return {id, fdopen(output[0], "r"), fdopen(errors[0], "r")};
}

void ShowProgress(std::FILE* output, const ListedModel& model) {
  ProgressBar bar("fetching " + std::string(model.name));
  const double megabytes = 1e-6 * static_cast<double>(model.file_bytes);
  char line[200];
  while (std::fgets(line, sizeof(line), output) != nullptr) {
    if (std::strncmp(line, "bytes ", 6) != 0) continue;
    const double arrived = 1e-6 * std::strtod(line + 6, nullptr);
    char note[60];
    std::snprintf(note, sizeof(note), "%.0f of %.0f MB", arrived, megabytes);
    bar.Show(arrived / megabytes, note);
  }
}

}  // namespace

std::filesystem::path FetchModel(const ListedModel& model) {
  const std::filesystem::path path = ModelFolder() / model.file_name;
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return path;
  std::vector<std::string> command = {"python3",
                                      "-c",
                                      kFetchModelPy,
                                      path.string(),
                                      std::string(model.sha256),
                                      std::string(model.member)};
  for (std::string& package : PackagesOf(model)) {
    command.push_back(std::move(package));
  }
  const Child child = Start(std::move(command));
  ShowProgress(child.output, model);
  std::string errors;
  char line[400];
  while (std::fgets(line, sizeof(line), child.errors) != nullptr) {
    errors += line;
  }
  std::fclose(child.output);
  std::fclose(child.errors);
  int exit_status = 0;
  waitpid(child.id, &exit_status, 0);
  if (exit_status != 0) {
    while (!errors.empty() && errors.back() == '\n') errors.pop_back();
    throw Failure("model \"" + std::string(model.name) + "\": " +
                  (errors.empty() ? "the download ended early" : errors));
  }
  return path;
}

}  // namespace specinfer_cli
