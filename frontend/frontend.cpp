// Reading files, imports and overrides, and declaring what files hold. See frontend.h.
#include "frontend/frontend.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "frontend/elaborate/builtin.h"
#include "frontend/model.h"
#include "frontend/prelude/prelude.h"
#include "frontend/syntax/lexer.h"
#include "frontend/syntax/parser.h"

namespace tarn {

namespace {

using namespace elaboration;

Result<std::string> read_text(const std::string& path, Span span) {
  const auto refuse = [&](const std::string& why) {
    return error_at(span, fmt::format("cannot read '{}': {}", path, why));
  };
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) return refuse("there is no such file");
  if (std::filesystem::is_directory(status)) return refuse("it is a directory");
  if (!std::filesystem::is_regular_file(status)) return refuse("it is not a regular file");
  std::ifstream file(path, std::ios::binary);
  if (!file) return refuse(std::strerror(errno));
  const std::uintmax_t size = std::filesystem::file_size(path, code);
  if (code) return refuse(code.message());
  if (size > kMaxSourceBytes) return refuse(fmt::format("it is larger than {} bytes", kMaxSourceBytes));
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  if (file.bad()) return refuse(std::strerror(errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// Loads modules: each file once, in whatever order they import each other.
class Loader {
 public:
  Loader(Sources& sources, Diagnostics& diagnostics) : sources_(sources), diagnostics_(diagnostics) {
    const std::vector<PreludeFile> files = load_prelude(sources);
    for (const PreludeFile& file : files) {
      Module& module = add(file);
      if (file.module.empty()) {
        common_.push_back(&module);
      } else {
        named_.emplace(std::string(file.module), &module);
      }
    }
    // Modules of the prelude may import each other.
    for (std::size_t i = 0; i < files.size(); ++i) {
      for (const PreludeStatement& statement : *files[i].statements) {
        if (statement.word == "import") see(*modules_[i], parse_prelude(files[i].id, statement, sources));
      }
      see_common(*modules_[i]);
    }
  }

  // The module of a text; its imports are loaded too.
  Module* load(const std::string& name, std::string text) {
    const FileId id = sources_.add(name, std::move(text));
    ParseResult result = parse(id, sources_);
    diagnostics_.insert(diagnostics_.end(), result.diagnostics.begin(), result.diagnostics.end());
    Module& module = add(std::move(result.file));
    files_.emplace(std::filesystem::path(name).lexically_normal().string(), &module);
    waiting_.push_back(&module);
    return &module;
  }

  // Loads what the modules import, until nothing is left.
  void follow_imports() {
    while (!waiting_.empty()) {
      Module* module = waiting_.back();
      waiting_.pop_back();
      for (const ast::Statement& statement : module->tree->statements) see(*module, statement);
      see_common(*module);
    }
  }

 private:
  void see(Module& module, const ast::Statement& statement) {
    const auto* import = std::get_if<ast::Import>(&statement.node);
    Module* imported = import != nullptr ? find(*import, module) : nullptr;
    if (imported != nullptr && imported != &module) module.visible.push_back(imported);
  }
  void see_common(Module& module) { module.visible.insert(module.visible.end(), common_.begin(), common_.end()); }

  Module* find(const ast::Import& import, const Module& importer) {
    if (!import.is_file) {
      if (const auto it = named_.find(import.name); it != named_.end()) return it->second;
      std::vector<std::string> names;
      for (const auto& [name, module] : named_) names.push_back(name);
      diagnostics_.push_back(error_at(import.name_span, fmt::format("the prelude has no module '{}'{}", import.name,
                                                                    did_you_mean(import.name, names))));
      diagnostics_.back().notes.push_back(
          {{}, fmt::format("a file is imported by its name in quotes: import \"{}.tarn\"", import.name)});
      return nullptr;
    }
    const std::filesystem::path folder = std::filesystem::path(sources_.name(importer.file)).parent_path();
    const std::string path = (folder / import.name).lexically_normal().string();
    if (const auto it = files_.find(path); it != files_.end()) return it->second;
    if (files_.size() >= kMostFiles) {
      diagnostics_.push_back(error_at(import.name_span, fmt::format("more than {} files are imported", kMostFiles)));
      return nullptr;
    }
    Result<std::string> text = read_text(path, import.name_span);
    if (text) return load(path, std::move(*text));
    diagnostics_.insert(diagnostics_.end(), text.error().begin(), text.error().end());
    files_.emplace(path, nullptr);
    return nullptr;
  }

  Module& add(std::shared_ptr<const ast::File> tree) {
    modules_.push_back(std::make_unique<Module>());
    Module& module = *modules_.back();
    module.file = tree->id;
    module.tree = std::move(tree);
    for (const ast::Statement& statement : module.tree->statements) {
      Declaration declaration;
      declaration.module = &module;
      if (!declaration.take(statement)) continue;
      declare(module, declaration.function != nullptr ? declaration.function->name : declaration.constant->name,
              std::move(declaration));
    }
    return module;
  }

  // A file of the prelude, of which nothing is read yet.
  Module& add(const PreludeFile& file) {
    modules_.push_back(std::make_unique<Module>());
    Module& module = *modules_.back();
    module.file = file.id;
    for (const PreludeStatement& statement : *file.statements) {
      if (statement.word == "import") continue;
      Declaration& declaration = module.declarations[statement.name];
      declaration.module = &module;
      declaration.unread = &statement;
      declaration.sources = &sources_;
    }
    return module;
  }

  void declare(Module& module, const ast::Identifier& name, Declaration declaration) {
    const auto [it, is_new] = module.declarations.emplace(name.name, std::move(declaration));
    if (is_new) return;
    diagnostics_.push_back(
        error_at(name.span, fmt::format("'{}' is declared twice", name.name), {{it->second.span, "here first"}}));
  }

  static constexpr std::size_t kMostFiles = 1000;
  Sources& sources_;
  Diagnostics& diagnostics_;
  std::vector<std::unique_ptr<Module>> modules_;
  std::vector<Module*> common_, waiting_;
  std::map<std::string, Module*> named_, files_;
};

std::vector<Override> parse_overrides(const FrontendOptions& options, Sources& sources, Diagnostics& diagnostics,
                                      FileId& first) {
  std::vector<Override> overrides;
  first = 0;
  for (const Setting& setting : options.overrides) {
    const std::string& key = setting.key;
    // The key stands before the expression, as on the command line, so that carets fit; it is blank to the parser.
    // Neither of these is the name of a file.
    const std::string place = setting.weights.empty() ? "--set" : fmt::format("constants of '{}'", setting.weights);
    const FileId key_file = sources.add(place, fmt::format("{}={}", key, setting.value));
    const FileId id = sources.add(fmt::format("{} {}", place, key), setting.value);
    if (first == 0) first = key_file;
    Override result;
    result.key = key;
    result.text = setting.value;
    result.weights = setting.weights;
    result.key_span = {key_file, 1, 1, static_cast<std::uint32_t>(std::max<std::size_t>(key.size(), 1))};
    Result<ast::ExpressionPtr> parsed = parse_expression(id, sources);
    if (parsed) {
      result.expression = std::move(*parsed);
    } else {
      diagnostics.insert(diagnostics.end(), parsed.error().begin(), parsed.error().end());
    }
    overrides.push_back(std::move(result));
  }
  return overrides;
}

// A constant that weights note and the file does not have: what these weights mean nobody knows.
Diagnostic lost_constant(const Override& noted, const Module& main, const Sources& sources) {
  std::vector<std::string> constants;
  for (const auto& [name, declaration] : main.declarations) {
    if (declaration.constant != nullptr) constants.emplace_back(name);
  }
  Diagnostic lost =
      error(fmt::format("'{}' was trained with the constant {} = {}, which '{}' does not have{}", noted.weights,
                        noted.key, noted.text, sources.name(main.file), did_you_mean(noted.key, constants)));
  lost.notes.push_back({{}, fmt::format("`const {} = {}` in the model file takes it", noted.key, noted.text)});
  return lost;
}

// Those that are constants of the file have been used then. Of the others, what weights note is an error, never a key
// of the train block.
void override_constants(Module& main, std::vector<Override>& overrides, Program& program, const Sources& sources,
                        Diagnostics& diagnostics) {
  for (Override& override_ : overrides) {
    const auto it = main.declarations.find(override_.key);
    const bool is_constant = it != main.declarations.end() && it->second.constant != nullptr;
    if (!is_constant && !override_.weights.empty()) diagnostics.push_back(lost_constant(override_, main, sources));
    if (!is_constant || override_.expression == nullptr) continue;
    it->second.overridden = override_.expression.get();
    override_.used = true;
    program.constants[override_.key] = override_.text;
  }
  std::erase_if(overrides, [](const Override& o) { return !o.weights.empty() && !o.used; });
}

}  // namespace

FrontendResult compile_text(const std::string& name, std::string text, const FrontendOptions& options,
                            Sources& sources) {
  FrontendResult result;
  Loader loader(sources, result.diagnostics);
  Module* main = loader.load(name, std::move(text));
  loader.follow_imports();
  FileId first_override = 0;
  std::vector<Override> overrides = parse_overrides(options, sources, result.diagnostics, first_override);
  Elaborator elaborator(options, sources, result.diagnostics);
  elaborator.main_module = main;
  elaborator.reports.main_file = main->file;
  elaborator.evaluator.lines_are_missing = has_errors(result.diagnostics);
  elaborator.reports.first_own_file = first_override != 0 ? first_override : static_cast<FileId>(-1);
  override_constants(*main, overrides, elaborator.program, sources, result.diagnostics);
  elaborate_program(elaborator, overrides);
  if (!has_errors(result.diagnostics)) result.program = std::move(elaborator.program);
  return result;
}

FrontendResult compile_file(const std::string& path, const FrontendOptions& options, Sources& sources) {
  Result<std::string> text = read_text(path, {});
  if (text) return compile_text(path, std::move(*text), options, sources);
  return {std::nullopt, std::move(text).error()};
}

namespace {

// The comment lines straight above a line, without their marks.
std::string comment_above(const Sources& sources, FileId file, std::uint32_t line) {
  std::string comment;
  for (std::uint32_t above = line; above-- > 1;) {
    std::string_view text = sources.line(file, above);
    if (!text.starts_with('#') || text.starts_with("# ---")) break;
    text.remove_prefix(text.starts_with("# ") ? 2 : 1);
    comment = comment.empty() ? std::string(text) : std::string(text) + "\n" + comment;
  }
  return comment;
}

}  // namespace

std::vector<PreludeName> prelude_names() {
  std::vector<PreludeName> names;
  for (const Builtin& builtin : all_builtins()) {
    names.push_back(
        {std::string(builtin.name), "builtin", std::string(builtin.signature), "", std::string(builtin.documentation)});
  }
  Sources sources;
  Diagnostics diagnostics;
  const FrontendOptions options;
  const Elaborator elaborator(options, sources, diagnostics);
  for (const PreludeFile& file : load_prelude(sources)) {
    for (const PreludeStatement& unread : *file.statements) {
      const ast::Statement& statement = parse_prelude(file.id, unread, sources);
      const std::string comment = comment_above(sources, statement.span.file, statement.span.line);
      if (const auto* function = std::get_if<ast::Function>(&statement.node)) {
        FunctionValue value;
        value.declaration = function;
        names.push_back({function->name.name, std::string(ast::spelling(function->kind)),
                         elaborator.reports.signature(value), std::string(file.name), comment});
      } else if (const auto* constant = std::get_if<ast::Const>(&statement.node)) {
        names.push_back({constant->name.name, "const", constant->name.name, std::string(file.name), comment});
      }
    }
  }
  return names;
}

}  // namespace tarn
