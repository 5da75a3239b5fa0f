// What elaboration says to the user, and the limits on its work: errors and warnings at the place that the user can
// change, with the calls that led there, each once.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "frontend/elaborate/graph_context.h"
#include "frontend/elaborate/keras_words.h"
#include "frontend/elaborate/options.h"
#include "frontend/elaborate/values.h"
#include "ir/diagnostics.h"

namespace tarn::elaboration {

// A call that is being evaluated.
struct Frame {
  std::string context;  // "layer 'dense'"
  Span call;
  LocationId location = 0;  // of the call
};

// " - did you mean 'x'?", or "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);
// That, or what to write instead of a word of Keras.
std::string proposal(std::string_view name, const std::vector<std::string>& candidates, WordPlace place);

class Reports {
 public:
  Reports(const FrontendOptions& the_options, Sources& the_sources, Diagnostics& the_diagnostics, Graphs& graphs)
      : options(the_options), sources(the_sources), diagnostics(the_diagnostics), graphs_(graphs) {}

  // Reports an error at `span`; inside functions of other files at the call in the main file, with `span` in a note
  // that says `in this {what}: {detail}`. Gives an error value.
  ErrorValue fail(Span span, const std::string& message, const std::string& what = "", const std::string& detail = "");
  void fail(Diagnostic diagnostic);
  void warn(Span span, const std::string& message);
  // Counts work; false when a limit is reached (reported once) and everything should come to an end.
  bool spend(std::uint64_t steps, Span span);
  // Brings everything to an end.
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

  // The piece of the source under a span.
  std::string source_text(Span span) const;
  std::string signature(const FunctionValue& function) const;
  // A place in the source, with the calls around it.
  LocationId location_of(Span span);

  const FrontendOptions& options;
  Sources& sources;
  Diagnostics& diagnostics;
  FileId main_file = 0;
  FileId first_own_file = 0;  // --set texts have this number or a larger one; they count as the main file
  std::vector<Frame> frames;  // the calls at work, the outermost first

 private:
  bool is_own(Span span) const { return span.file == main_file || span.file >= first_own_file; }

  Graphs& graphs_;
  std::uint64_t steps_ = 0;
  bool stopped_ = false;
  std::size_t error_count_ = 0;
  std::set<std::tuple<FileId, std::uint32_t, std::uint32_t, std::string>> reported_;
};

}  // namespace tarn::elaboration
