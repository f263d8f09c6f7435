// A process of its own, since the other programs have called cuInit by the time that any one of their cases runs.
#include "fixture.hpp"

TEST_CASE("calls before cuInit are refused") {
  int count = 0;
  CHECK(name_of(cuDeviceGetCount(&count)) == "CUDA_ERROR_NOT_INITIALIZED");
}
