// From choices to a model file. See generator.h.
#include "tests/models/generator.h"

#include "tests/models/writer.h"

namespace tarn::models {

namespace {

void add_input(Writer& writer) {
  const std::string name = writer.fresh("x");
  const std::uint32_t kind = writer.choices.below(10);
  Shape shape;
  for (std::uint32_t rank = writer.choices.below(3); rank > 0; --rank) {
    shape.push_back(writer.extent());
    if (!writer.fits(shape)) shape.back() = 2;
  }
  const char* const type = kind == 7 ? ": f64" : kind == 8 ? ": i32" : kind == 9 ? ": bool" : "";
  writer.body.push_back(fmt::format("input {}{}{}", name, shape.empty() ? "" : text_of(shape), type));
  if (kind < 8) writer.values.push_back({name, shape});
  if (kind == 8) writer.add(writer.choices.flip() ? name + " / 2" : fmt::format("f32({} % 3)", name), shape);
  if (kind == 9) writer.add(fmt::format("where({}, 1, -0.5)", name), shape);
}

std::string indented(const std::string& line) {
  std::string text = "  ";
  for (const char c : line) text += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return text + "\n";
}

std::string text_of(const Writer& writer) {
  std::string text;
  for (const std::string& line : writer.declarations) text += line + "\n";
  text += "model m {\n";
  for (const std::string& line : writer.body) text += indented(line);
  text += "}\ntrain {\n";
  for (const std::string& line : writer.train) text += indented(line);
  return text + "}\n";
}

}  // namespace

RandomModel generate(Choices& choices) {
  static const std::vector<std::int64_t> batches = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33};
  RandomModel model;
  Writer writer(choices);
  writer.batch = choices.one_of(batches);
  model.rows = writer.batch * static_cast<std::int64_t>(choices.below(3)) + 1 +
               static_cast<std::int64_t>(choices.below(static_cast<std::size_t>(writer.batch)));
  if (choices.once_in(3)) model.float_type = DType::f64;
  model.seed = choices.below(1000);
  do add_input(writer);
  while (choices.once_in(3));
  if (choices.once_in(6)) {
    writer.declarations.emplace_back("const gain = 0.5");
    if (choices.flip()) model.overrides.emplace_back("gain", "0.25");
    const Named x = writer.any_value();
    writer.add("gain * " + x.name, x.shape);
  }
  while (choices.below(8) != 0) add_statement(writer);
  add_training(writer);
  if (choices.once_in(10)) model.overrides.emplace_back("optimizer.lr", "0.005");
  model.text = text_of(writer);
  return model;
}

std::string describe(const RandomModel& model) {
  std::string text = fmt::format("# seed {}, {} rows", model.seed, model.rows);
  if (model.float_type == DType::f64) text += ", --precision f64";
  for (const auto& [key, value] : model.overrides) text += fmt::format(", --set {}={}", key, value);
  return text + "\n" + model.text;
}

}  // namespace tarn::models
