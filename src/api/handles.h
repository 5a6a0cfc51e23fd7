// What stands behind the opaque handles. Each shares ownership, so callers may
// destroy them in any order.
#ifndef SPECINFER_SRC_API_HANDLES_H_
#define SPECINFER_SRC_API_HANDLES_H_

#include <memory>

#include "include/specinfer.h"
#include "src/backend/engine.h"
#include "src/session/model.h"

struct specinfer_engine {
  std::shared_ptr<const specinfer::Engine> engine;
};

struct specinfer_model {
  std::shared_ptr<const specinfer::Model> model;
};

#endif  // SPECINFER_SRC_API_HANDLES_H_
