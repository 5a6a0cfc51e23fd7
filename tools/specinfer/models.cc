// models: list, get NAME, path NAME.
#include <cstdio>
#include <memory>
#include <string>

#include "fetch_model.h"
#include "model_list.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace specinfer_cli {
namespace {

void List() {
  std::printf("%-20s %8s  %-12s %-4s  %s\n", "name", "size", "licence", "here",
              "what it is");
  for (const ListedModel& model : ListedModels()) {
    std::error_code ignored;
    const bool is_here =
        std::filesystem::exists(ModelFolder() / model.file_name, ignored);
    std::printf("%-20s %5.0f MB  %-12s %-4s  %s\n",
                std::string(model.name).c_str(),
                1e-6 * static_cast<double>(model.file_bytes),
                std::string(model.licence).c_str(), is_here ? "yes" : "no",
                std::string(model.description).c_str());
  }
  std::printf("\nmodels are kept in %s\n", ModelFolder().c_str());
}

}  // namespace

void AddModels(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("models", "Models that can be fetched");
  verb->require_subcommand(1);
  verb->add_subcommand("list", "The names, and which of them are here")
      ->callback(List);

  auto name = std::make_shared<std::string>(kDefaultModel);
  CLI::App* get = verb->add_subcommand("get", "Fetch a model; prints its path");
  get->add_option("NAME", *name)->capture_default_str();
  get->callback([name] {
    std::printf("%s\n", FetchModel(FindListedModel(*name)).c_str());
  });

  CLI::App* path = verb->add_subcommand("path", "Where a fetched model is");
  path->add_option("NAME", *name)->capture_default_str();
  path->callback([name] {
    std::printf("%s\n",
                FindModel(std::string(FindListedModel(*name).name)).c_str());
  });
}

}  // namespace specinfer_cli
