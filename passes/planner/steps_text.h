// What the planner hands from step to step, before there are kernels, as lines of text for somebody who reads: units,
// how they depend on each other, and the groups that become kernels. `tarn-opt --dump-after=units,schedule,groups`
// prints them; they do not read back. Nodes are numbers of the graph that is planned, places go by the names of their
// buffers.
#pragma once

#include <string>

#include "passes/planner/planner.h"

namespace tarn {

// What each unit computes, for which axes and over which; below it how its product lies, what it reads and stores.
std::string units_text(const Planning& planning);
// The units again, as scheduling has left them; then the sets in their order, each unit with what it needs.
std::string schedule_text(const Planning& planning, const Schedule& schedule);
// A line a group: its axes, and which unit stands where in it; then why groups are not one.
std::string groups_text(const Planning& planning);

}  // namespace tarn
