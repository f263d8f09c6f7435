// Findings as JSON lines in the file of B12X_SIM_FINDINGS: what tools and tests read.
#include <cstdio>

#include "driver/state.hpp"
#include "machine/json.hpp"

namespace sim::driver {

void write_findings(const std::vector<Finding>& findings) {
  const std::string& path = state().findings_file;
  if (path.empty() || findings.empty()) return;
  std::FILE* file = std::fopen(path.c_str(), "a");  // appending: the processes of a run share the file
  if (file == nullptr) {
    std::fprintf(stderr, "simulator: cannot append to B12X_SIM_FINDINGS=%s\n", path.c_str());
    return;
  }
  for (const Finding& f : findings) {
    std::string line = "{\"kind\":" + json_text(f.kind) + ",\"kernel\":" + json_text(f.kernel) +
                       ",\"file\":" + json_text(f.file) + ",\"line\":" + std::to_string(f.line) + ",\"block\":[" +
                       std::to_string(f.block[0]) + "," + std::to_string(f.block[1]) + "," +
                       std::to_string(f.block[2]) + "],\"warp\":" + std::to_string(f.warp) +
                       ",\"lanes\":" + std::to_string(f.lanes) + ",\"buffer\":" + json_text(f.buffer) +
                       ",\"seed\":" + std::to_string(f.seed) + ",\"count\":" + std::to_string(f.count) +
                       ",\"text\":" + json_text(f.text) + "}\n";
    std::fwrite(line.data(), 1, line.size(), file);
  }
  std::fclose(file);
}

}  // namespace sim::driver
