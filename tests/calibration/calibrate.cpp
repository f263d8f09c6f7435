// calibrate.cpp: are the kernels' outputs on a simulated card those of the real one, bit for bit?
//   b12x_calibrate record DRIVER FILE [NOTE]   runs every case twice on DRIVER (gpu, sim or a path), writes the answers
//   b12x_calibrate replay DRIVER FILE          runs every recorded case on DRIVER, compares with the recorded answers
// FILE is text lines, then bytes: `# ` lines of provenance, then `<bytes> <case>` lines in order, then an empty line,
// then the outputs one after another. Exit code 0: recorded, or all equal; 1: different, or a failure that is said.
#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>

#include "b12x/error.hpp"
#include "tests/calibration/cases.hpp"

namespace {

using calibration::Case;
using Bytes = std::vector<uint8_t>;

struct Answer {
  std::string name;
  Bytes bytes;
};

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d", std::gmtime(&now));
  return text;
}

int record(const b12x::Device& device, const std::string& path, const std::string& note) {
  std::vector<Answer> answers;
  for (const Case& one : calibration::all_cases()) {
    answers.push_back({one.name, one.run(device)});
    if (one.run(device) != answers.back().bytes) {
      std::cerr << "calibrate: " << one.name << ": two runs differ on " << device.info().name << "\n";
      return 1;
    }
  }
  std::ofstream file(path, std::ios::binary);
  file << "# device: " << device.info().name << "\n# date: " << today() << "\n";
  if (!note.empty()) file << "# " << note << "\n";
  for (const Answer& answer : answers) file << answer.bytes.size() << " " << answer.name << "\n";
  file << "\n";
  for (const Answer& answer : answers) {
    file.write(reinterpret_cast<const char*>(answer.bytes.data()), static_cast<std::streamsize>(answer.bytes.size()));
  }
  file.close();
  if (!file) {
    std::cerr << "calibrate: cannot write " << path << "\n";
    return 1;
  }
  std::cout << "calibrate: recorded " << answers.size() << " cases of " << device.info().name << " in " << path << "\n";
  return 0;
}

std::vector<Answer> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<Answer> answers;
  std::string line;
  while (std::getline(file, line) && !line.empty()) {
    if (line[0] == '#') continue;
    const size_t space = line.find(' ');
    answers.push_back({line.substr(space + 1), Bytes(std::stoul(line.substr(0, space)))});
  }
  for (Answer& answer : answers) {
    file.read(reinterpret_cast<char*>(answer.bytes.data()), static_cast<std::streamsize>(answer.bytes.size()));
  }
  if (!file || answers.empty()) throw std::runtime_error("cannot read recorded answers from " + path);
  return answers;
}

int replay(const b12x::Device& device, const std::string& path) {
  std::vector<Answer> answers = read(path);
  int compared = 0, different = 0, unrecorded = 0;
  for (const Case& one : calibration::all_cases()) {
    const auto answer =
        std::find_if(answers.begin(), answers.end(), [&](const Answer& a) { return a.name == one.name; });
    if (answer == answers.end()) {
      ++unrecorded;
      continue;
    }
    const Bytes want = std::move(answer->bytes), got = one.run(device);
    answers.erase(answer);
    ++compared;
    if (got == want) continue;
    ++different;
    const size_t common = std::min(got.size(), want.size());
    const size_t at = std::mismatch(got.begin(), got.begin() + common, want.begin()).first - got.begin();
    std::cerr << "calibrate: " << one.name << ": differs from byte " << at << " of " << want.size() << "\n";
  }
  for (const Answer& answer : answers) {
    std::cerr << "calibrate: " << path << " has answers for " << answer.name << ", which is no case\n";
  }
  std::cout << "calibrate: " << compared - different << " of " << compared << " cases of " << device.info().name
            << " equal the recorded answers bit for bit; " << unrecorded << " cases have no recorded answer\n";
  return different == 0 && answers.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (!((mode == "record" && (argc == 4 || argc == 5)) || (mode == "replay" && argc == 4))) {
    std::cerr
        << "usage: b12x_calibrate record DRIVER FILE [NOTE] | replay DRIVER FILE   (DRIVER: gpu, sim or a path)\n";
    return 1;
  }
  try {
    const b12x::Device device = b12x::Device::open(argv[2]);
    return mode == "record" ? record(device, argv[3], argc == 5 ? argv[4] : "") : replay(device, argv[3]);
  } catch (const std::exception& error) {
    std::cerr << "calibrate: " << error.what() << "\n";
    return 1;
  }
}
