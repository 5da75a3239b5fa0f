// What is set from outside of a model file.
#pragma once

#include <string>

namespace tarn {

// --set KEY=EXPRESSION: a constant of the file or a key of its train block. Or a constant that weights note, since they
// were trained with it: it can be nothing else then.
struct Setting {
  std::string key, value;
  std::string weights = {};  // the file that notes it; "" where the user says it
};

}  // namespace tarn
