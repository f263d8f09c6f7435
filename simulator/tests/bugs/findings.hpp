// findings.hpp: what the simulator has reported, read from its file of JSON lines.
#pragma once

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace bugs {

struct Finding {
  std::string kind;
  std::string line;  // the whole JSON object
};

// Text value of a key of a flat JSON object, as written there.
inline std::string text_of(const std::string& json, const std::string& key) {
  const std::string start = "\"" + key + "\":\"";
  const size_t at = json.find(start);
  if (at == std::string::npos) return "";
  size_t end = at + start.size();
  while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
  return json.substr(at + start.size(), end - at - start.size());
}

// Those that have come since the last call.
class FindingsFile {
 public:
  explicit FindingsFile(std::string path) : path_(std::move(path)) { std::ofstream(path_).close(); }

  std::vector<Finding> take() {
    std::vector<Finding> result;
    std::ifstream in(path_);
    in.seekg(at_);
    for (std::string line; std::getline(in, line); at_ += static_cast<std::streamoff>(line.size()) + 1)
      result.push_back({text_of(line, "kind"), line});
    return result;
  }

 private:
  std::string path_;
  std::streamoff at_ = 0;
};

// True: `text` names this line of this file, as file:line or as the finding's own "file" and "line".
inline bool names_line(const std::string& json, const std::string& file, int line) {
  const std::string number = std::to_string(line), place = file + ":" + number;
  for (size_t at = json.find(place); at != std::string::npos; at = json.find(place, at + 1)) {
    const size_t end = at + place.size();
    if (end == json.size() || std::isdigit(static_cast<unsigned char>(json[end])) == 0) return true;
  }
  const std::string own = text_of(json, "file");
  return own.size() >= file.size() && own.compare(own.size() - file.size(), file.size(), file) == 0 &&
         json.find("\"line\":" + number + ",") != std::string::npos;
}

}  // namespace bugs
