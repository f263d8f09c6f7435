// launch_checked SIMULATOR ENTRY FIRST_SEED SEEDS [PTX]
// Launches a kernel entry by its recipe with all checks and hostile copies, seed after seed, until something is found.
// PTX: a file that takes the place of the entry's own text (B12X_SIM_REPLACE_PTX).
// Prints the seed and the first finding as JSON. Exit code: 3 something was found, 0 nothing, 1 no recipe or no such
// entry, or a Driver API call failed without a finding.
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "b12x/error.hpp"
#include "tests/mutation/recipes.hpp"

namespace {

using SetOptions = int (*)(const char*, const char*, uint64_t, const char*);

std::string first_line(const std::string& path) {
  std::string line;
  std::ifstream in(path);
  std::getline(in, line);
  return line;
}

int run(const std::string& simulator, const std::string& entry, uint64_t first, uint64_t seeds,
        const std::string& findings) {
  const b12x::Device device = b12x::Device::open(simulator);
  const auto set = reinterpret_cast<SetOptions>(dlsym(dlopen(simulator.c_str(), RTLD_NOW), "simSetOptions"));
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    if (set == nullptr || set("all", "hostile", seed, findings.c_str()) != 0) {
      std::fprintf(stderr, "%s has no simSetOptions that takes seed %llu\n", simulator.c_str(),
                   static_cast<unsigned long long>(seed));
      return 1;
    }
    std::string failure;
    try {
      if (!b12x::mutation::launch(entry, device)) failure = "no recipe for " + entry + " in tests/mutation/recipes.cpp";
    } catch (const b12x::Error& error) {
      failure = error.what();
    }
    if (const std::string finding = first_line(findings); !finding.empty()) {
      std::printf("%llu %s\n", static_cast<unsigned long long>(seed), finding.c_str());
      return 3;
    }
    const auto stats = b12x::kernel_stats(device);
    if (failure.empty() && std::none_of(stats.begin(), stats.end(), [&](const auto& s) { return s.name == entry; }))
      failure = "the recipe does not launch " + entry;
    if (!failure.empty()) {
      std::fprintf(stderr, "%s\n", failure.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    std::fprintf(stderr, "use: launch_checked SIMULATOR ENTRY FIRST_SEED SEEDS [PTX]\n");
    return 1;
  }
  const std::string findings =
      std::filesystem::temp_directory_path() / ("launch_checked." + std::to_string(getpid()) + ".json");
  if (argc == 6) setenv("B12X_SIM_REPLACE_PTX", (std::string(argv[2]) + ":" + argv[5]).c_str(), 1);
  int code = 1;
  try {
    code = run(argv[1], argv[2], std::strtoull(argv[3], nullptr, 0), std::strtoull(argv[4], nullptr, 0), findings);
  } catch (const b12x::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  unlink(findings.c_str());
  return code;
}
