// What the page of a training says of classes: a confusion matrix of each output that has some and, where the samples
// are images, what some of these were taken for.
#pragma once

#include <string>

#include "runtime/session/session.h"
#include "tools/driver/training_data.h"

namespace tarn {

// Sections of a page about rows that training has not seen, by the weights of the session: those of validation, else
// those of `data test`, which are read for it, else the training rows. "" where there are no classes, and where
// somebody stops the session. Test data that cannot be read are remarked, and stand back. Needs the function `predict`.
std::string class_sections(Session& session, const TrainingData& data, Diagnostics& remarks);

}  // namespace tarn
