// gemm_case.hpp: one GEMM as tests and the sweep run it: hard inputs between sentinels, poisoned padding, and a check
// of every output. It throws nothing and prints nothing: what is wrong comes back as a sentence.
#pragma once

#include <optional>
#include <string>

#include "b12x/device.hpp"
#include "b12x/gemm.hpp"

namespace b12x::testing {

struct GemmCase {
  GemmProblem problem;
  std::optional<float> alpha;
  bool has_bias = false;
  int64_t a_gap = 0, b_gap = 0, out_gap = 0;                    // elements between rows, multiples of 16, 16 and 8
  int64_t a_batch_gap = 0, b_batch_gap = 0, out_batch_gap = 0;  // and between batches, likewise
  int sm_count = 0;                                             // that the plan is made for; 0: the device's
  // Where problem.a_dtype is to be quantised. Its reciprocal is passed if the problem says so.
  float a_global_scale = 1.f;
  const Workspace* workspace = nullptr;  // a cleared one that others use too; null: one of its own
};
std::string to_string(const GemmCase& c);

// Runs the case twice in one workspace, the second time into fresh memory, and checks that
//   - both results have the same bits,
//   - each output is within one ulp and 2^-20 of the sum of magnitudes of the FP64 result,
//   - where the card has the block-scaled MMA, each has the bits of the exact model,
//   - nothing outside the outputs was written.
// Returns the first thing that is wrong; empty if nothing is.
std::string check_case(const Device& device, const GemmCase& c);

}  // namespace b12x::testing
