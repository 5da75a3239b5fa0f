// `tarn fmt FILE`: format a model file in place, or check that it is formatted.
#include <fmt/format.h>

#include "frontend/syntax/format_source.h"
#include "runtime/files/file.h"
#include "tools/driver/command.h"

namespace tarn {

namespace {

struct FormatOptions : CommonOptions {
  bool check = false;
};

int format_file(const FormatOptions& options) {
  Console console(options);
  Result<Bytes> bytes = read_file(options.file);
  if (!bytes) return console.report(bytes.error());
  const std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  Result<std::string> formatted = format_source(console.sources.add(options.file, text), console.sources);
  if (!formatted) return console.report(formatted.error());
  if (*formatted == text) return kDone;
  if (options.check)
    return console.report(
        {error(fmt::format("'{}' is not formatted; `tarn fmt {}` does it", options.file, options.file))});
  Status written = write_file(options.file, *formatted);
  return written ? kDone : console.report(written.error());
}

}  // namespace

void add_fmt(CommandLine& line) {
  auto options = std::make_shared<FormatOptions>();
  Command command = line.command("fmt", "format a model file in place");
  command.option("FILE", &options->file, "the model file").required();
  command.flag("--check", options->check, "change nothing; exit status 1 where the file is not formatted");
  command.runs([options] { return format_file(*options); });
}

}  // namespace tarn
