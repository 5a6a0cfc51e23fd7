// specinfer, the command line: parses, runs one verb, and turns every failure
// into one line on standard error and an exit status.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "failure.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace {

constexpr int kUsageError = 2;

int Fail(std::string text, int exit_status) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::fflush(stdout);
  std::fprintf(stderr, "specinfer: %s\n", text.c_str());
  return exit_status;
}

// For a command line that stops short of a verb.
int FailWithVerbs(const CLI::App& app, const std::string& where) {
  std::string verbs;
  for (const CLI::App* verb : app.get_subcommands(/*filter=*/nullptr)) {
    verbs += (verbs.empty() ? "" : ", ") + verb->get_name();
  }
  return Fail(
      "say what to do; there are: " + verbs + " (see `" + where + " --help`)",
      kUsageError);
}

int Run(int argc, char** argv) {
  CLI::App app("Fast text generation and speech recognition on this machine.",
               "specinfer");
  app.set_version_flag("--version",
                       std::to_string(SPECINFER_VERSION_MAJOR) + "." +
                           std::to_string(SPECINFER_VERSION_MINOR) + "." +
                           std::to_string(SPECINFER_VERSION_PATCH));
  app.require_subcommand(1);
  specinfer_cli::AddChat(app);
  specinfer_cli::AddGenerate(app);
  specinfer_cli::AddTranscribe(app);
  specinfer_cli::AddTokenize(app);
  specinfer_cli::AddBench(app);
  specinfer_cli::AddInspect(app);
  specinfer_cli::AddPack(app);
  specinfer_cli::AddModels(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const CLI::App* verb = &app;
    std::string where = "specinfer";
    while (!verb->get_subcommands().empty()) {
      verb = verb->get_subcommands().front();
      where += " " + verb->get_name();
    }
    if (!verb->get_subcommands(/*filter=*/nullptr).empty()) {
      return FailWithVerbs(*verb, where);
    }
    return Fail(std::string(error.what()) + " (see `" + where + " --help`)",
                kUsageError);
  }
  if (std::fflush(stdout) != 0) return Fail("standard output is closed", 1);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const specinfer_cli::Failure& failure) {
    return Fail(failure.what(), failure.exit_status);
  } catch (const std::exception& failure) {
    return Fail(failure.what(), 1);
  }
}
