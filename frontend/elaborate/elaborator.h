// The elaborator: evaluates a file of Tarn and leaves graphs behind.
//
// One Elaborator is one compilation, of parts that each have a header. Those without a view of the whole come first:
// reports, graphs, the table of tensors, names, readings of values, nodes, operators. The evaluator, calls, statements
// and variables go over the tree and call each other. frontend/builtins use them, as do the model (frontend/model.cpp),
// the train block (frontend/train) and the data blocks (frontend/data_block.cpp).
//
// The model is elaborated once for each graph (train, evaluate, predict), so everything that decides about names,
// streams and shapes must come out the same each time; Instance (scope.h) sees to the names, and TensorTable::declare
// checks the rest.
#pragma once

#include "frontend/elaborate/calls.h"
#include "frontend/elaborate/evaluator.h"
#include "frontend/elaborate/graph_context.h"
#include "frontend/elaborate/names.h"
#include "frontend/elaborate/nodes.h"
#include "frontend/elaborate/operators.h"
#include "frontend/elaborate/readings.h"
#include "frontend/elaborate/reports.h"
#include "frontend/elaborate/statements.h"
#include "frontend/elaborate/tensor_table.h"
#include "frontend/elaborate/value_notes.h"
#include "frontend/elaborate/variables.h"
#include "ir/program.h"

namespace tarn::elaboration {

struct Elaborator {
  Elaborator(const FrontendOptions& options, Sources& sources, Diagnostics& diagnostics)
      : graphs(options.float_type), reports(options, sources, diagnostics, graphs) {}
  Elaborator(const Elaborator&) = delete;
  Elaborator& operator=(const Elaborator&) = delete;

  Module* main_module = nullptr;
  Program program;

  Graphs graphs;
  Reports reports;
  TensorTable tensors{reports, graphs};
  NamesAtWork names;
  Readings readings{reports, graphs};
  Nodes nodes{reports, graphs, names, readings};
  Operators operators{reports, graphs, readings, nodes};
  ValueNotes notes{reports};
  Evaluator evaluator{*this};
  Calls calls{*this};
  Statements statements{*this};
  Variables variables{*this};
};

}  // namespace tarn::elaboration
