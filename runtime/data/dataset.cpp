// Reading data sets. See dataset.h.
#include "runtime/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ir/counted.h"
#include "ir/data_formats.h"
#include "ir/joined.h"
#include "ir/random.h"
#include "runtime/data/dataset_parts.h"

namespace tarn {

namespace {

DataKind kind_of(const DataSource& source) {
  const DataFormat* const format = find_format(source.format);
  return format == nullptr ? DataKind::array : format->kind;
}

Result<Dataset> read_source(const Reading& reading) {
  switch (kind_of(reading.source)) {
    case DataKind::table:
      return read_table(reading);
    case DataKind::archive:
    case DataKind::array:
      return read_arrays(reading);
    case DataKind::folder:
      break;
  }
  return read_images(reading);
}

// The inputs that the request wants, each with its binding; an input that the block does not name is bound to what
// bears its name.
std::vector<DataColumn> wanted_columns(const Program& program, const DataSource& source, Purpose purpose) {
  std::vector<DataColumn> columns;
  for (const InputInfo* input : wanted_inputs(program, purpose)) {
    DataColumn column{input, {}, element_count(input->type.shape), false};
    const auto found = std::find_if(source.bindings.begin(), source.bindings.end(),
                                    [&](const DataBinding& binding) { return binding.name == input->name; });
    column.is_bound = found != source.bindings.end();
    if (column.is_bound) {
      column.binding = *found;
    } else {
      column.binding.name = input->name;
    }
    if (kind_of(source) == DataKind::folder) column.binding = image_binding(std::move(column.binding), *input);
    if (kind_of(source) == DataKind::table && column.binding.columns.empty()) {
      column.is_bound = false;
      column.binding.columns.push_back({input->name, "", -1, -1, {}});
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

// Puts the rows of every array into the order of the permutation: row i is to be what row order[i] was. Cycle by cycle,
// so that no array is held twice.
void permute_rows(Dataset& data, const std::vector<std::uint32_t>& order) {
  std::vector<std::byte> first;
  for (Bytes& array : data.arrays) {
    if (array.empty()) continue;
    const std::size_t bytes = array.size() / data.rows;
    const auto row = [&](std::size_t number) { return array.data() + number * bytes; };
    std::vector<bool> done(order.size());
    for (std::size_t start = 0; start < order.size(); ++start) {
      if (done[start]) continue;
      first.assign(row(start), row(start) + bytes);
      std::size_t at = start;
      for (; order[at] != start; at = order[at]) {
        std::memcpy(row(at), row(order[at]), bytes);
        done[at] = true;
      }
      std::memcpy(row(at), first.data(), bytes);
      done[at] = true;
    }
  }
}

}  // namespace

Rows Dataset::view() const {
  Rows view;
  view.count = rows;
  for (const Bytes& array : arrays) view.arrays.push_back(array.empty() ? nullptr : array.data());
  return view;
}

Status check_width(const DataColumn& column, std::int64_t found, const char* one) {
  if (found == column.elements) return Done{};
  return error_at(column.binding.span, fmt::format("'{}' is {}: one sample takes {}, here {} {}", column.input->name,
                                                   to_string(column.input->type.shape), counted(column.elements, one),
                                                   agreeing(found, "is", "are"), found));
}

Diagnostic rows_left_out(std::uint64_t count, std::uint64_t all, const std::string& file,
                         const std::vector<std::string>& columns) {
  Diagnostic note{Severity::note, {}, {}, {}, {}};
  note.message = fmt::format("{} of {} rows of '{}' left out: {} a value in {}", count, all, file,
                             agreeing(count, "it misses", "they miss"), joined(columns, ", "));
  return note;
}

std::vector<std::uint32_t> rows_that_stay(const std::vector<bool>& dropped) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < dropped.size(); ++row) {
    if (!dropped[row]) rows.push_back(row);
  }
  return rows;
}

Result<Dataset> read_dataset(const Program& program, const std::string& folder, const DataRequest& request,
                             Vocabularies& vocabularies) {
  const RowPolicy& policy = policy_of(request.purpose);
  TARN_TRY(const DataSource source, source_of(program, folder, request));
  const std::vector<DataColumn> columns = wanted_columns(program, source, request.purpose);
  const Reading reading{program, source, columns, vocabularies};
  Result<Dataset> data = read_source(reading);
  if (data) {
    if (source.shuffle_rows && policy.shuffles)
      permute_rows(*data, row_order(*source.shuffle_rows, 0, static_cast<std::uint32_t>(data->rows)));
    return data;
  }
  if (!request.files.empty()) return data;
  // The line that names the file is at fault, where nothing else is known to be.
  Diagnostics errors = std::move(data).error();
  for (Diagnostic& diagnostic : errors) {
    if (!diagnostic.span) diagnostic.span = source.span;
  }
  return errors;
}

void learn_labels(const Program& program, const std::string& folder, Vocabularies& vocabularies) {
  const auto source = program.data.find("");
  if (source == program.data.end()) return;
  const bool has_labels = std::ranges::any_of(source->second.bindings, [&](const DataBinding& binding) {
    return binding.encoding != DataBinding::Encoding::none && vocabularies.may_learn(binding.name);
  });
  if (!has_labels) return;
  Vocabularies learnt = vocabularies;
  if (read_dataset(program, folder, {Purpose::train, {}}, learnt)) vocabularies = std::move(learnt);
}

}  // namespace tarn
