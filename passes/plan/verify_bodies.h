// The part of the verifier that looks at bodies: values whose operands come before them and have the right types, loads
// of what is there, stores where something may be stored, reductions.
#pragma once

#include <cstddef>
#include <vector>

#include "passes/plan/verification.h"

namespace tarn {

// The values of a body over these axes that may take up as many reductions, or a product.
void check_values(Verification& verification, const Body& body, const std::vector<Extent>& axes, std::size_t reductions,
                  bool has_product);
void check_stores(Verification& verification, const Body& body, const std::vector<Extent>& axes);
// The reductions of a body, and the values of the tail that takes them up.
void check_reductions(Verification& verification, const Body& body, const std::vector<Reduction>& reductions,
                      const Body& tail, const std::vector<Extent>& axes);
// That no address in the tail depends on the index of an axis that is reduced.
void check_kept(Verification& verification, const Body& tail, const std::vector<bool>& reduced);
// The buffers that the body stores to hold something from here on; what lay in their place does not any more.
void mark_written(Verification& verification, const Body& body);

}  // namespace tarn
