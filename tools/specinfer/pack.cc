// pack: writes a model in the layout that this machine computes with, so that
// it is mapped instead of loaded.
#include <cstdio>
#include <memory>
#include <string>

#include "failure.h"
#include "interrupt.h"
#include "model_list.h"
#include "options.h"
#include "progress_bar.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace specinfer_cli {
namespace {

constexpr int kInterrupted = 130;

struct PackOptions {
  ModelOptions model;
  std::string output;
};

struct PackProgress {
  ProgressBar bar{"packing"};
  Interrupt interrupt;
};

int32_t ShowProgress(void* user_data, float fraction) {
  PackProgress& progress = *static_cast<PackProgress*>(user_data);
  progress.bar.Show(static_cast<double>(fraction));
  return progress.interrupt.Happened() ? 1 : 0;
}

void Pack(const PackOptions& options) {
  const std::string path = FindModel(options.model.model);
  const Engine engine =
      CreateEngine(options.model.num_threads, options.model.backend);
  PackProgress progress;
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
  config.flags = options.model.flags;
  config.progress = ShowProgress;
  config.progress_user_data = &progress;
  const specinfer_status status = specinfer_model_pack(
      engine.get(), path.data(), path.size(), options.output.data(),
      options.output.size(), &config);
  progress.bar.Clear();
  if (status == SPECINFER_CANCELLED) {
    throw Failure("stopped by Ctrl-C; nothing was written", kInterrupted);
  }
  Check(status);
}

}  // namespace

void AddPack(CLI::App& app) {
  auto options = std::make_shared<PackOptions>();
  CLI::App* verb = app.add_subcommand(
      "pack", "Write a model as a file that loads in no time");
  AddModelOptions(*verb, options->model);
  verb->add_option("-o,--output", options->output, "The packed file")
      ->required();
  verb->add_flag_callback(
      "--float", [options] { options->model.flags |= SPECINFER_MODEL_FLOAT; },
      "Keep a Whisper's weights that are floats as they are");
  verb->callback([options] { Pack(*options); });
}

}  // namespace specinfer_cli
