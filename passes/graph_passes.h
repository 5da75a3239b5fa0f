// The graph passes, one function each; their order is in pipeline.cpp.
//
// Each takes a well-formed graph and returns a well-formed one with the same results. Errors are the user's: what the
// passes find wrong with a program that the frontend let through.
#pragma once

#include "passes/pipeline.h"

namespace tarn {

// Logarithms of softmax and sigmoid in the forms that neither overflow nor lose their gradient: log(exp(a) / b) = a -
// log(b), and so on. The rows are in stable_forms.cpp. Works on per-sample graphs.
Result<Graph> use_stable_forms(const Graph& graph, PassContext& context);

// From a value for each sample to one for all samples: what is per sample gets the batch axis N as its first, batch_sum
// becomes a sum over it, and outputs have it always. Fails where the batch axis would be one axis too many, and where a
// loss, a stored or a reported value is per sample.
Result<Graph> add_batch_axis(const Graph& graph, PassContext& context);

// Replaces every grad(y, x) by the reverse-mode derivative of y by x: one sweep for each y, gradients of gradients
// included. Of a y for each sample, [N], the gradients of the samples are those of their sum. Then stop_gradient has
// done its work and goes. Fails where a path from x to y runs through an operation without a gradient. Warns of a
// tensor that y does not depend on.
Result<Graph> expand_gradients(const Graph& graph, PassContext& context);

// Constants are computed (constant_folding.cpp).
Result<Graph> fold_constants(const Graph& graph, PassContext& context);
// Folding, algebra and movement rules together, until none fits.
Result<Graph> simplify(const Graph& graph, PassContext& context);
Result<Graph> remove_dead_code(const Graph& graph, PassContext& context);

// What follows is for the plan alone: it depends on what the graph is planned for, which these passes must be told.
PlannedFor& planned_for(PassContext& context);

// Every fold becomes sums that are computed where they are stored: for each phase of its stride a product of windows,
// or a sum over the elements of windows that meet it; `interleave` has the phases take turns. Needs nothing of the
// context.
Result<Graph> compute_folds(const Graph& graph, PassContext& context);

// sum over j, k of a[m, j, k] b[k, n] = sum over k of (sum over j of a[m, j, k]) b[k, n]: afterwards both operands of
// every product have all letters that it sums. Products that use no element twice, outer products, and those of few
// terms where all layers are small (planner/small_layers.h) become sums of an elementwise product, unless each
// operation is to be a kernel of its own.
Result<Graph> make_loops_of_products(const Graph& graph, PassContext& context);
// Sums over whole arrays of short rows (planner/short_rows.h) are taken along the rows first, so that the kernel that
// computes the rows adds them up as well.
Result<Graph> sum_rows_first(const Graph& graph, PassContext& context);

// The text that reproduces a failure of a pass: the command in its first line, then the graph before the pass.
std::string reproducer(const Graph& before, const std::string& pass, const PassContext& context);

}  // namespace tarn
