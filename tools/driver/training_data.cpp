// Reading the data of `tarn train`, also in another thread. See training_data.h.
#include "tools/driver/training_data.h"

#include <utility>

#include "runtime/data/validation_split.h"

namespace tarn {

bool has_validation_data(const TrainingDataRequest& request, const Program& program) {
  return !request.validation.empty() || has_data(program, "validation");
}

Result<TrainingData> read_training_data(const TrainingDataRequest& request, const Program& program,
                                        const std::string& folder) {
  TrainingData data;
  data.vocabularies = request.vocabularies;
  TARN_TRY(data.training, read_dataset(program, folder, {Purpose::train, request.files}, data.vocabularies));
  data.training_rows = data.training.view();
  data.warnings = data.training.remarks;
  if (has_validation_data(request, program)) {
    const DataRequest validation{Purpose::validate, request.validation, "--validation"};
    TARN_TRY(data.validation, read_dataset(program, folder, validation, data.vocabularies));
    data.validation_rows = data.validation->view();
    data.warnings.insert(data.warnings.end(), data.validation->remarks.begin(), data.validation->remarks.end());
  } else if (program.settings.validation_split > 0) {
    TARN_TRY(ValidationSplit split, split_for_validation(program, data.training, data.vocabularies));
    data.training_rows = std::move(split.training);
    data.validation_rows = std::move(split.validation);
    data.warnings.insert(data.warnings.end(), split.warnings.begin(), split.warnings.end());
  }
  return data;
}

std::future<Result<TrainingData>> start_reading(const TrainingDataRequest& request, const Program& program,
                                                const std::string& folder) {
  // Graphs are large, and of no use here.
  Program described;
  described.name = program.name;
  described.inputs = program.inputs;
  described.data = program.data;
  described.settings = program.settings;
  return std::async(std::launch::async, [request, described = std::move(described), folder] {
    return read_training_data(request, described, folder);
  });
}

}  // namespace tarn
