// What stands behind specinfer_corpus.
#ifndef SPECINFER_SRC_API_CORPUS_HANDLE_H_
#define SPECINFER_SRC_API_CORPUS_HANDLE_H_

#include <memory>

#include "src/session/model.h"
#include "src/speculate/corpus.h"

struct specinfer_corpus {
  std::shared_ptr<const specinfer::Model> model;
  std::shared_ptr<specinfer::Corpus> corpus;  // keeps the model alive
};

#endif  // SPECINFER_SRC_API_CORPUS_HANDLE_H_
