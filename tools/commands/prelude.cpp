// `tarn prelude [NAME …]`: what model files may use without an import, from the comments and signatures of the source.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "frontend/frontend.h"
#include "frontend/prelude/prelude.h"
#include "tools/driver/command.h"

namespace tarn {

namespace {

struct PreludeOptions : CommonOptions {
  std::vector<std::string> names;
  bool markdown = false;
};

struct Section {
  const char* file;
  const char* title;
};
// In the order of the page.
constexpr Section kSections[] = {
    {"prelude/layers.tarn", "Layers"},
    {"prelude/layers_convolution.tarn", "Convolutions"},
    {"prelude/layers_pooling.tarn", "Pooling"},
    {"prelude/layers_images.tarn", "Layers of images"},
    {"prelude/layers_normalization.tarn", "Normalizing layers"},
    {"prelude/layers_noise.tarn", "Layers that draw"},
    {"prelude/layers_merging.tarn", "Merging layers"},
    {"prelude/activations.tarn", "Activations"},
    {"prelude/losses.tarn", "Losses"},
    {"prelude/metrics.tarn", "Metrics"},
    {"prelude/optimizers.tarn", "Optimizers"},
    {"prelude/schedules.tarn", "Schedules"},
    {"prelude/initializers.tarn", "Initializers"},
    {"prelude/regularizers.tarn", "Regularizers"},
    {"prelude/constraints.tarn", "Constraints"},
    {"prelude/tensors.tarn", "Functions of tensors"},
    {"prelude/modules/keras1.tarn", "`import keras1`"},
    {"prelude/modules/keras2.tarn", "`import keras2`"},
    {"prelude/modules/keras_older.tarn", "`import keras_older`"},
};

constexpr const char* kIntroduction = R"(# The prelude

What every model file may use without an import: the comments and signatures of
[`frontend/prelude/`](../frontend/prelude), where the definitions themselves can be read.
[`docs/language.md`](language.md) explains the language. `tarn prelude NAME` prints an entry, `tarn prelude --markdown`
this page; a test compares the two.
)";

// Lines as one, without the white space that indents them.
std::string joined(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_space = c == ' ' || c == '\n';
    if (!is_space || (!out.empty() && out.back() != ' ')) out += is_space ? ' ' : c;
  }
  return out;
}

// Prose as Markdown that shows the same characters; names in backquotes stay code.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\*<>").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// Whether a word at the beginning of a line would begin a list, a heading or a quotation.
bool begins_a_block(std::string_view word) {
  return word.find_first_not_of("-+#=>") == std::string_view::npos ||
         (word.find_first_not_of("0123456789.)") == std::string_view::npos && word.find_first_of(".)") != word.npos);
}

// Text in lines that end before column 120: the first behind `first`, the others behind the indentation.
std::string wrapped(const std::string& first, std::string_view text, std::string_view indentation) {
  constexpr std::size_t kMostBytes = 118;  // and a backslash where the line is broken on purpose
  std::string out = first;
  std::size_t column = first.size();
  bool is_first = true;
  while (!text.empty()) {
    // A word, with those behind it that must not begin a line.
    std::size_t end = std::min(text.find(' '), text.size());
    for (std::size_t next; end < text.size(); end = next) {
      next = std::min(text.find(' ', end + 1), text.size());
      if (!begins_a_block(text.substr(end + 1, next - end - 1))) break;
    }
    if (!is_first && column + 1 + end > kMostBytes) {
      out += fmt::format("\n{}", indentation);
      column = indentation.size();
    } else if (!is_first) {
      out += ' ';
      ++column;
    }
    is_first = false;
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string declaration(const PreludeName& name) { return name.kind + " " + name.signature; }

// The comment that a file begins with.
std::string heading_of(const PreludeSource& source) {
  std::string heading;
  std::string_view rest = source.text;
  while (rest.starts_with('#')) {
    const std::size_t end = rest.find('\n');
    heading += fmt::format("{} ", rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
  }
  heading.pop_back();
  return joined(heading);
}

std::string section_of(const PreludeSource& source, std::string_view title, const std::vector<PreludeName>& names) {
  std::string out = fmt::format("\n## {}\n\n{}\n\n", title, wrapped("", escaped(heading_of(source)), ""));
  for (const PreludeName& name : names) {
    if (name.file != source.name) continue;
    out += wrapped("- ", fmt::format("`{}`", declaration(name)), "  ");
    // Without a comment it is another name of the one above.
    if (!name.comment.empty()) out += "\\\n" + wrapped("  ", escaped(joined(name.comment)), "  ");
    out += '\n';
  }
  return out;
}

std::string page() {
  const std::vector<PreludeName> names = prelude_names();
  const std::span sources(kPreludeSources, kPreludeSourceCount);
  std::string out = kIntroduction;
  std::size_t sections = 0;
  for (const Section& section : kSections) {
    const auto source = std::ranges::find(sources, section.file, &PreludeSource::name);
    if (source == sources.end()) continue;
    out += section_of(*source, section.title, names);
    ++sections;
  }
  TARN_CHECK(sections == sources.size(), "a file of the prelude without a section on the page");
  return out;
}

// The entries of the names, or a line for each that there is.
Status print_entries(const std::vector<std::string>& wanted) {
  const std::vector<PreludeName> known = prelude_names();
  if (wanted.empty()) {
    for (const PreludeName& name : known) print_out("{:<10} {}\n", name.kind, name.name);
    return Done{};
  }
  for (const std::string& word : wanted) {
    bool found = false;
    const PreludeName* described = nullptr;
    for (const PreludeName& name : known) {
      // What has no comment is another name of the one above.
      if (!name.comment.empty() || described == nullptr || described->file != name.file) described = &name;
      if (name.name != word) continue;
      found = true;
      print_out("{}{}\n  {}\n", declaration(name), name.file.empty() ? "" : "   # " + name.file,
                joined(described->comment));
    }
    if (found) continue;
    std::vector<std::string> names;
    for (const PreludeName& name : known) names.push_back(name.name);
    const auto nearest = nearest_name(word, names);
    return error(fmt::format("the prelude has no '{}'{}", word,
                             nearest ? fmt::format("; did you mean '{}'?", *nearest) : "; tarn prelude lists it"));
  }
  return Done{};
}

int prelude(const PreludeOptions& options) {
  Console console(options);
  if (options.markdown) {
    print_out("{}", page());
    return kDone;
  }
  const Status printed = print_entries(options.names);
  return printed ? kDone : console.report(printed.error());
}

}  // namespace

void add_prelude(CommandLine& line) {
  auto options = std::make_shared<PreludeOptions>();
  Command command = line.command("prelude", "layers, losses and all else that models may use, with arguments");
  command.option("NAME", &options->names, "what to describe; default: a list of all names");
  command.flag("--markdown", options->markdown, "the whole as a page: docs/prelude.md");
  command.runs([options] { return prelude(*options); });
}

}  // namespace tarn
