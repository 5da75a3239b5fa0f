// Whether the first row of a table names the columns, where nobody has said it.
#pragma once

#include <string>
#include <vector>

#include "runtime/files/csv.h"

namespace tarn {

struct HeaderDecision {
  bool is_header = false;
  // What to tell the user where the first row could be meant otherwise; "" for nothing.
  std::string remark;
};

// `table` still has the first row among its rows. It is a header if it holds one of `names`, which are those that
// columns are asked for by, or text and no number, or if its numbers are years above columns of other numbers.
HeaderDecision decide_header(const Table& table, const std::vector<std::string>& names);

}  // namespace tarn
