// run_on_gpu FOLDER NAME bug|fix     runs one twin on whatever libcuda.so.1 the loader finds; FOLDER has the fatbins.
// run_on_gpu list                    name, expected compute-sanitizer tool, what a GPU does, the simulator's kinds and
// a
//                                    description, tab-separated.
// Exit code: 0 it ran, 1 a Driver API call failed (its name is on stderr), 2 wrong use.
#include <cstdio>
#include <cstring>
#include <string>

#include "simulator/tests/bugs/scenarios.hpp"

namespace {

const char* name_of(bugs::Gpu gpu) {
  return gpu == bugs::Gpu::kHangs ? "hangs" : gpu == bugs::Gpu::kAccusesFix ? "accuses" : "ends";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "list") == 0) {
    for (const bugs::Scenario& s : bugs::scenarios())
      std::printf("%s\t%s\t%s\t%s\t%s\n", s.name, s.tool, name_of(s.gpu), s.kinds, s.what);
    return 0;
  }
  const bool is_fixed = argc == 4 && std::strcmp(argv[3], "fix") == 0;
  const bugs::Scenario* scenario = argc == 4 ? bugs::find(argv[2]) : nullptr;
  if (scenario == nullptr || (!is_fixed && std::strcmp(argv[3], "bug") != 0)) {
    std::fprintf(stderr, "use: run_on_gpu FOLDER NAME bug|fix, or run_on_gpu list\n");
    return 2;
  }
  const std::string failure = bugs::run(*scenario, is_fixed, argv[1]);
  if (!failure.empty()) std::fprintf(stderr, "%s\n", failure.c_str());
  return failure.empty() ? 0 : 1;
}
