// The report of a grid in which nothing can run any more.
#pragma once

#include <string>
#include <vector>

#include "machine/block.hpp"

namespace sim {

// `blocks` are the resident ones by index; `waiting` blocks could not start because `per_sm` per SM are resident
// already.
std::string deadlock_report(const Grid& grid, const std::vector<const Block*>& blocks, uint64_t waiting,
                            uint32_t per_sm);
// The same as a finding at the first warp that waits; its text is the report.
Finding deadlock_finding(const Grid& grid, const std::vector<const Block*>& blocks);

}  // namespace sim
