// What the text of a program says of each struct of ir/program.h: its members by name, in the order of the text.
//
// visit_fields(row, visit) calls visit(name, member) for each member. Every function begins by naming all members of
// its struct, so that a member that is added does not compile before it has been given its place here. Only
// program_text.cpp includes this.
#pragma once

#include <concepts>
#include <type_traits>

#include "ir/program.h"

namespace tarn {

// A struct to read, or one to fill.
template <class Row, class Struct>
concept RowOf = std::same_as<std::remove_const_t<Row>, Struct>;

template <RowOf<ValueRange> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [kind, count, ignored] = row;
  visit("kind", kind);
  visit("count", count);
  visit("ignored", ignored);
}

template <RowOf<InputInfo> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [name, role, type, values, declared, elements] = row;
  visit("name", name);
  visit("role", role);
  visit("type", type);
  visit("values", values);
  visit("elements", elements);
  visit("declared", declared);
}

template <RowOf<OutputInfo> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [name, type, target, declared] = row;
  visit("name", name);
  visit("type", type);
  visit("target", target);
  visit("declared", declared);
}

template <RowOf<TensorInfo> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [name, kind, type, trainable, initial, offset, declared] = row;
  visit("name", name);
  visit("kind", kind);
  visit("type", type);
  visit("trainable", trainable);
  visit("initial", initial);
  visit("offset", offset);
  visit("declared", declared);
}

template <RowOf<MetricInfo> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [name, shape, resolved, better] = row;
  visit("name", name);
  visit("shape", shape);
  visit("resolved", resolved);
  visit("better", better);
}

template <RowOf<LayerInfo> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [path, layer, output, tensors, depth] = row;
  visit("path", path);
  visit("layer", layer);
  visit("output", output);
  visit("tensors", tensors);
  visit("depth", depth);
}

template <RowOf<EarlyStopping> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [monitor, mode, patience, start_from_epoch, min_delta, baseline, restore_best] = row;
  visit("monitor", monitor);
  visit("mode", mode);
  visit("patience", patience);
  visit("start_from_epoch", start_from_epoch);
  visit("min_delta", min_delta);
  visit("baseline", baseline);
  visit("restore_best", restore_best);
}

template <RowOf<ReduceOnPlateau> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [monitor, mode, factor, min_delta, min_lr, patience, cooldown] = row;
  visit("monitor", monitor);
  visit("mode", mode);
  visit("factor", factor);
  visit("min_delta", min_delta);
  visit("min_lr", min_lr);
  visit("patience", patience);
  visit("cooldown", cooldown);
}

template <RowOf<CheckpointSetting> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [path, every, best, monitor, mode] = row;
  visit("path", path);
  visit("every", every);
  visit("best", best);
  visit("monitor", monitor);
  visit("mode", mode);
}

template <RowOf<TrainSettings> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [epochs, batch, shuffle, seed, validation_split, batches_per_update, averages_weights, class_weight,
         class_weight_target, early_stopping, reduce_on_plateau, checkpoints] = row;
  visit("epochs", epochs);
  visit("batch", batch);
  visit("shuffle", shuffle);
  visit("seed", seed);
  visit("validation_split", validation_split);
  visit("batches_per_update", batches_per_update);
  visit("averages_weights", averages_weights);
  visit("class_weight", class_weight);
  visit("class_weight_target", class_weight_target);
  visit("early_stopping", early_stopping);
  visit("reduce_on_plateau", reduce_on_plateau);
  visit("checkpoints", checkpoints);
}

template <RowOf<DataBinding::Column> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [first, last, first_index, last_index, span] = row;
  visit("first", first);
  visit("last", last);
  visit("first_index", first_index);
  visit("last_index", last_index);
  visit("span", span);
}

template <RowOf<DataBinding> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [name, columns, array, encoding, classes, scale, span] = row;
  visit("name", name);
  visit("columns", columns);
  visit("array", array);
  visit("encoding", encoding);
  visit("classes", classes);
  visit("scale", scale);
  visit("span", span);
}

template <RowOf<ImageSettings> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [height, width, channels, skip_broken] = row;
  visit("height", height);
  visit("width", width);
  visit("channels", channels);
  visit("skip_broken", skip_broken);
}

template <RowOf<DataSource> Row, class Visit>
void visit_fields(Row& row, const Visit& visit) {
  auto& [format, files, bindings, header, separator, drop_missing, shuffle_rows, images, span] = row;
  visit("format", format);
  visit("files", files);
  visit("bindings", bindings);
  visit("header", header);
  visit("separator", separator);
  visit("drop_missing", drop_missing);
  visit("shuffle_rows", shuffle_rows);
  visit("images", images);
  visit("span", span);
}

// Of a program its name stands in front, and its graphs behind: what is between are statements, one for each row of a
// table.
template <RowOf<Program> Row, class Visit>
void visit_statements(Row& row, const Visit& visit) {
  auto& [name, inputs, outputs, tensors, metrics, layers, settings, data, constants, trainable, graphs] = row;
  visit("input", inputs);
  visit("output", outputs);
  visit("tensor", tensors);
  visit("metric", metrics);
  visit("layer", layers);
  visit("settings", settings);
  visit("data", data);
  visit("constant", constants);
  visit("trainable", trainable);
}

}  // namespace tarn
