// See row_selection.h.
#include "runtime/data/row_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "ir/data_formats.h"
#include "ir/joined.h"

namespace tarn {

namespace {

// A table or an archive holds all inputs; arrays have a file each.
bool holds_all(const std::string& format) {
  const DataFormat* const row = find_format(format);
  return row != nullptr && row->holds_all();
}

// "" where neither the name nor what is there says anything.
std::string format_by_name(const std::string& path) {
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) return std::string(format_of_folders().name);
  const DataFormat* const format = format_of_path(path);
  return std::string(format == nullptr ? "" : format->name);
}

std::string path_in_folder(const std::string& folder, const std::string& path) {
  const std::filesystem::path file(path);
  return file.is_absolute() || folder.empty() ? path : (std::filesystem::path(folder) / file).string();
}

std::string text_of(const GivenFile& file, const std::string& option) {
  return file.name.empty() ? fmt::format("{} {}", option, file.path)
                           : fmt::format("{} {}={}", option, file.name, file.path);
}

std::vector<std::string> names_of(const std::vector<const InputInfo*>& inputs) {
  std::vector<std::string> names;
  names.reserve(inputs.size());
  for (const InputInfo* input : inputs) names.push_back(input->name);
  return names;
}

Status check_name(const GivenFile& file, const Program& program, const DataRequest& request) {
  const std::vector<std::string> wanted = names_of(wanted_inputs(program, request.purpose));
  if (std::ranges::find(wanted, file.name) != wanted.end()) return Done{};
  const std::string text = text_of(file, request.option);
  if (program.find_input(file.name) != nullptr) {
    return error(fmt::format("{}: '{}' is not read here; {} {}", text, file.name, policy_of(request.purpose).verb,
                             joined(wanted, ", ")));
  }
  const auto near = nearest_name(file.name, wanted);
  return error(fmt::format("{}: the model has no input or target '{}'; {}", text, file.name,
                           near ? fmt::format("did you mean '{}'?", *near)
                                : fmt::format("{} {}", policy_of(request.purpose).verb, joined(wanted, ", "))));
}

// Parts of a folder of images are in no other data.
void set_format(DataSource& source, const std::string& format) {
  const DataFormat* const before = find_format(source.format);
  if (before != nullptr && before->kind == DataKind::folder && format != source.format) {
    for (DataBinding& binding : source.bindings) binding.array.clear();
  }
  source.format = format;
}

// One file for the whole source, or for the only array that is read.
Status use_file(DataSource& source, const GivenFile& file, const Program& program, const DataRequest& request) {
  std::string format = format_by_name(file.path);
  if (format.empty()) format = source.format.empty() ? "csv" : source.format;
  std::string name;
  if (!holds_all(format)) {
    const std::vector<std::string> wanted = names_of(wanted_inputs(program, request.purpose));
    if (wanted.size() != 1) {
      return error(fmt::format("{}: one array cannot be {} at once; write {} {}={} and so on",
                               text_of(file, request.option), joined(wanted, " and "), request.option,
                               wanted.empty() ? "NAME" : wanted.front(), file.path));
    }
    name = wanted.front();
  }
  set_format(source, format);
  source.files = {{name, file.path}};
  return Done{};
}

// A file for the array of one input.
Status use_array(DataSource& source, const GivenFile& file, const Program& program, const DataRequest& request) {
  const std::string text = text_of(file, request.option);
  std::string format = format_by_name(file.path);
  if (holds_all(source.format)) {
    return error(fmt::format("{}: the model reads one {} {} for all inputs; write {} {}", text, source.format,
                             find_format(source.format)->container(), request.option, file.path));
  }
  if (format.empty()) format = source.format.empty() ? "npy" : source.format;
  if (holds_all(format)) {
    return error(fmt::format("{}: {} holds all inputs; write {} {}", text,
                             find_format(format)->kind == DataKind::folder ? "a folder of images" : "an archive",
                             request.option, file.path));
  }
  TARN_RETURN_IF_ERROR(check_name(file, program, request));
  if (format != source.format) {
    set_format(source, format);
    source.files.clear();
  }
  source.files[file.name] = file.path;
  return Done{};
}

Status use_given_files(DataSource& source, const Program& program, const DataRequest& request) {
  const std::vector<GivenFile>& files = request.files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (files[k].name == files[i].name || files[k].name.empty() || files[i].name.empty()) {
        return error(fmt::format("{} and {} exclude each other", text_of(files[k], request.option),
                                 text_of(files[i], request.option)));
      }
    }
    if (files[i].path.empty())
      return error(fmt::format("{}: the name of a file is empty", text_of(files[i], request.option)));
    TARN_RETURN_IF_ERROR(files[i].name.empty() ? use_file(source, files[i], program, request)
                                               : use_array(source, files[i], program, request));
  }
  return Done{};
}

// Arrays that a file was not given for come from the files of the training data: rows to validate on must all be given.
Status check_all_given(const DataSource& source, const Program& program, const DataRequest& request) {
  if (request.purpose != Purpose::validate || request.files.empty() || program.data.contains("validation"))
    return Done{};
  if (holds_all(source.format)) return Done{};
  for (const InputInfo* input : wanted_inputs(program, request.purpose)) {
    const bool given = std::ranges::any_of(request.files, [&](const GivenFile& f) { return f.name == input->name; });
    if (!given)
      return error(fmt::format("{0}: no file is given for '{1}'; write {0} {1}=PATH", request.option, input->name));
  }
  return Done{};
}

}  // namespace

const RowPolicy& policy_of(Purpose purpose) {
  static const std::array<RowPolicy, 4> kPolicies = {{
      // blocks             targets  shuffles
      {{""}, true, true, "training reads"},
      {{"validation", ""}, true, true, "validation reads"},
      {{"test", ""}, true, true, "evaluation reads"},
      {{"test", ""}, false, false, "predictions read"},
  }};
  return kPolicies[static_cast<std::size_t>(purpose)];
}

GivenFile given_file(const std::string& text) {
  const std::size_t equals = text.find('=');
  const bool named = equals != std::string::npos && equals > 0 && text.find_first_of("/.\\") > equals;
  return named ? GivenFile{text.substr(0, equals), text.substr(equals + 1)} : GivenFile{"", text};
}

std::vector<const InputInfo*> wanted_inputs(const Program& program, Purpose purpose) {
  std::vector<const InputInfo*> wanted;
  for (const InputInfo& input : program.inputs) {
    if (policy_of(purpose).targets || input.role == InputRole::input) wanted.push_back(&input);
  }
  return wanted;
}

Result<DataSource> source_of(const Program& program, const std::string& folder, const DataRequest& request) {
  const RowPolicy& policy = policy_of(request.purpose);
  DataSource source;
  const auto part =
      std::ranges::find_if(policy.parts, [&](const std::string& name) { return program.data.contains(name); });
  if (part != policy.parts.end()) {
    source = program.data.at(*part);
    for (auto& [name, file] : source.files) file = path_in_folder(folder, file);
  } else if (request.files.empty()) {
    return error(request.option.empty()
                     ? std::string("the file has no `data` block, and no arrays are given")
                     : fmt::format("the file has no `data` block: name the data with {} PATH", request.option));
  }
  // The frontend has given a block what it takes over from the one without a name, but for the files.
  TARN_RETURN_IF_ERROR(use_given_files(source, program, request));
  TARN_RETURN_IF_ERROR(check_all_given(source, program, request));
  return source;
}

std::vector<std::string> files_of_data_blocks(const Program& program, const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& [part, source] : program.data) {
    for (const auto& [name, file] : source.files) files.push_back(path_in_folder(folder, file));
  }
  return files;
}

}  // namespace tarn
