#include "src/session/model_pack.h"

#include <memory>
#include <vector>

#include "src/base/status_macros.h"
#include "src/forward/architectures.h"
#include "src/model/packed_file.h"
#include "src/model/packed_writer.h"
#include "src/text/tokenizer.h"

namespace specinfer {

absl::Status PackModel(const Engine& engine, const std::string& source,
                       const std::string& target, const LoadOptions& options) {
  SPECINFER_ASSIGN_OR_RETURN(
      const std::unique_ptr<ModelFile> file,
      ModelFile::Open(source, engine.file_reader, *engine.memory));
  if (file->Holds(target)) {
    return absl::InvalidArgumentError(
        ModelMessage(source,
                     "cannot be packed over itself; give the packed "
                     "file another name"));
  }
  SPECINFER_ASSIGN_OR_RETURN(const Architecture architecture,
                             DescribeArchitecture(*file));
  SPECINFER_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer,
                             Tokenizer::Create(*file));
  const std::vector<uint8_t> table = tokenizer->WriteTable();
  const PackedTableSource tables[] = {{Tokenizer::kTableName, table}};
  // What serves as a draft alone is quantised when it is loaded: a packed file
  // says to nobody that its texts are not the model's.
  WeightForm form = options.FormFor(architecture);
  if (form == WeightForm::kForDrafting) form = WeightForm::kAsFiled;
  return WritePackedModel(*file, architecture, *engine.backend, form, tables,
                          target, options.Progress());
}

absl::StatusOr<uint64_t> VerifyModel(const Engine& engine,
                                     const std::string& path,
                                     const LoadOptions& options) {
  SPECINFER_ASSIGN_OR_RETURN(
      const std::unique_ptr<ModelFile> file,
      ModelFile::Open(path, engine.file_reader, *engine.memory));
  SPECINFER_RETURN_IF_ERROR(DescribeArchitecture(*file).status());
  SPECINFER_RETURN_IF_ERROR(Tokenizer::Create(*file).status());
  return VerifyHashes(*file, options.Progress());
}

}  // namespace specinfer
