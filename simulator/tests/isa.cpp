// The choice among the builds of the handlers: the widest that the processor has, or the one that is named.
#include "numerics/isa.hpp"

#include <doctest/doctest.h>

#include "ops/table.hpp"

using namespace sim;
using numerics::choose_isa;
using numerics::Isa;

TEST_CASE("nothing named: the widest; named: that one, if the processor has it") {
  for (const Isa widest : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    CHECK(choose_isa(widest, "").isa == widest);
    CHECK(choose_isa(widest, "").error == "");
    CHECK(choose_isa(widest, "baseline").isa == Isa::kBaseline);
    CHECK(choose_isa(widest, "baseline").error == "");
  }
  CHECK(choose_isa(Isa::kAvx512, "avx2").isa == Isa::kAvx2);
  CHECK(choose_isa(Isa::kAvx2, "avx512").error == "B12X_SIM_ISA is 'avx512', and this processor has no more than avx2");
  CHECK(choose_isa(Isa::kBaseline, "avx2").error ==
        "B12X_SIM_ISA is 'avx2', and this processor has no more than baseline");
  CHECK(choose_isa(Isa::kAvx2, "AVX2").error == "B12X_SIM_ISA is 'AVX2', want baseline, avx2 or avx512");
}

TEST_CASE("the builds have the same rows and handlers of their own") {
  const auto baseline = baseline::form_groups(), avx2 = avx2::form_groups(), avx512 = avx512::form_groups();
  if (baseline.data() == avx512.data()) return;  // ops/one_build.cpp
  REQUIRE(baseline.size() == avx2.size());
  REQUIRE(baseline.size() == avx512.size());
  for (size_t g = 0; g < baseline.size(); ++g) {
    REQUIRE(baseline[g].size() == avx2[g].size());
    REQUIRE(baseline[g].size() == avx512[g].size());
    for (size_t n = 0; n < baseline[g].size(); ++n) {
      CHECK(baseline[g][n].pattern == avx2[g][n].pattern);
      CHECK(baseline[g][n].pattern == avx512[g][n].pattern);
      const bool is_direct = baseline[g][n].execute != nullptr;
      CHECK((is_direct ? baseline[g][n].execute != avx2[g][n].execute : baseline[g][n].bind != avx2[g][n].bind));
      CHECK((is_direct ? avx2[g][n].execute != avx512[g][n].execute : avx2[g][n].bind != avx512[g][n].bind));
    }
  }
}
