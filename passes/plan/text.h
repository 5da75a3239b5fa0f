// The text form of kernel plans: kernels as loops over equations. parse_plan(print_whole(plan)) gives the same plan.
//
//   plan train {
//     max_batch 32
//     arena 4096
//     buffer x: f32[N,4] strides [4, 1] in input 0 at 0
//     buffer dense.bias: f32[6] strides [1] in state at 64
//     buffer loss: f32[] strides [] in arena at 0
//     result store "dense.bias" = dense.bias
//
//   kernel 0 "dense.bias update" loop @ "iris.tarn":4:18+5   # 192 FLOP, 1.25 kB
//     for j < 6
//       over i < N
//         t1 = exp(x[i, 0])
//         r0 = multiply_add of (t1 * t1)
//       then
//       dense.bias[j] = (dense.bias[j] - (0.5 * r0))   if finite
//       order 1 0 2-4
//   remark "…"
//   }
//   tactics train { … }   # where there are any: passes/tactics/text.h
//
// Kernels are loops, products, guards and repeats. Axes are named by their place: i, j, k, … in a loop; b0, b1, …, m, n
// and k in a product, and where there are several axes of rows m0, m1, …, m, so for n and k. `for` has those that stay,
// `over` those that are reduced.
//
// An operand of a product that is computed has the name `left` or `right` in it, and a block of equations below:
//
//   kernel 2 "scores" product
//     for m < N n < 8
//       product = sum over k < 6 of left * v[k, n]
//       left
//         left = exp((s[m, k] - largest[m]))
//       y[m, n] = (product / total[m])
//
// A repeat has the kernels in it, "kernel 3 "scan" repeat  12 times   carries h, c { kernel 4 … }": all are numbered in
// the order in which they stand. The rounds of the repeats around a kernel are s0, s1, …, the outermost first, and
// stand in an access like its axes: "h[i, s0 + 1]".
//
// A body is equations. `tN = …` names value N; what is not named stands where it is used. Loads, numbers and the like
// that are equal are one value, unless they are named. `rN = reduce_sum of …` are reductions (multiply_add: a sum of
// products that are not rounded); behind `then` comes the body that takes them up. Values get their numbers in the
// order in which they are read; where they have others, `order` lists these.
//
// An access says where by the axes of its buffer, "w[2*i, j + 1]"; where that cannot be said, by the number of the
// element, "w[element 6*i + j]"; of a row that is a value, "w[element j, row t3 * 6 < 100]": t3 is clamped to [0, 100).
// A load may have bounds, "x[i + j - 1, inside i + j - 1 < 28 by 4, else 0]": outside of 0 to 27 it is 0; each step of
// that index is 4 elements.
// A load has its buffer's type, an operation the one that its operands give it, all else f32; another type stands
// behind the value: "1:f64". Names that are no words, or words of this form, stand in quotation marks, and of several
// buffers with one name each has its number behind it, "x$3".
#pragma once

#include <memory>
#include <string>

#include "ir/diagnostics.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// The whole text. `locations` are those of the graph that was planned: places in the source are left out without them.
std::string print_whole(const KernelPlan& plan, const std::string& name, const Locations* locations = nullptr,
                        const Sources& sources = Sources());

struct NamedPlan {
  std::string name;
  KernelPlan plan;
  std::shared_ptr<Locations> locations;
};
// Parses one plan. All of its numbers of buffers, values and axes are those of things that are there; what else a plan
// must be is for verify() to say. `sources` gains the text, and an empty file for each name in a location that it does
// not know.
Result<NamedPlan> parse_plan(std::string_view text, const std::string& text_name, Sources& sources);

}  // namespace tarn
