// What checks found, told in three ways: to stderr as it is found, as JSON lines in the file of B12X_SIM_FINDINGS, and
// to whoever asks by simFinding().
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "driver/state.hpp"
#include "machine/json.hpp"

namespace sim::driver {
namespace {

std::string json_of(const Finding& f) {
  return "{\"kind\":" + json_text(f.kind) + ",\"kernel\":" + json_text(f.kernel) + ",\"file\":" + json_text(f.file) +
         ",\"line\":" + std::to_string(f.line) + ",\"block\":[" + std::to_string(f.block[0]) + "," +
         std::to_string(f.block[1]) + "," + std::to_string(f.block[2]) + "],\"warp\":" + std::to_string(f.warp) +
         ",\"lanes\":" + std::to_string(f.lanes) + ",\"buffer\":" + json_text(f.buffer) +
         ",\"seed\":" + std::to_string(f.seed) + ",\"count\":" + std::to_string(f.count) +
         ",\"text\":" + json_text(f.text) + "}";
}

// One write a line in append mode: the processes of a run share the file.
void append(const std::string& path, const std::vector<std::string>& lines) {
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  bool is_written = file >= 0;
  for (const std::string& json : lines) {
    const std::string line = json + "\n";
    is_written = is_written && write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }
  if (file >= 0) close(file);
  if (!is_written) std::fprintf(stderr, "simulator: cannot append to B12X_SIM_FINDINGS=%s\n", path.c_str());
}

}  // namespace

void tell_findings(const LaunchResult& result) {
  State& s = state();
  std::vector<std::string> lines;
  for (const Finding& f : result.findings) {
    lines.push_back(json_of(f));
    if (f.text == result.report) continue;  // a fault: report() tells it
    s.last_report = f.text;
    const std::string times = f.count > 1 ? " (" + std::to_string(f.count) + " times)" : "";
    std::fprintf(stderr, "simulator: %s: %s%s\n", f.kind.c_str(), f.text.c_str(), times.c_str());
  }
  if (!s.findings_file.empty() && !lines.empty()) append(s.findings_file, lines);
  for (std::string& line : lines) s.findings.push_back(std::move(line));
}

}  // namespace sim::driver
