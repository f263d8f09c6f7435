// workspace.hpp: scratch memory of a launch. A plan tells how many bytes; the caller owns them, clears them once with
// workspace_init, and may then use them for any number of launches on one stream: counters reset themselves.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "b12x/device.hpp"

namespace b12x {

struct Workspace {
  void* data = nullptr;  // 256-byte aligned
  size_t bytes = 0;
};

// Clears the workspace, ordered on the stream. Once before its first launch, and again after a launch that failed.
void workspace_init(const Workspace& workspace, const Stream& stream);

// Device memory with an owner, for programs that have no framework to allocate for them.
class DeviceBuffer {
 public:
  DeviceBuffer(const Device& device, size_t bytes);
  ~DeviceBuffer();
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  void upload(const void* source, size_t bytes);         // waits
  void download(void* destination, size_t bytes) const;  // waits

 private:
  Device device_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// The convenience on top: a cleared workspace per stream that only grows. `get` allocates when the stream asks for more
// than it ever did, which it refuses while the stream is captured into a graph: run the call once before capture.
// Buffers that were outgrown stay until the pool goes, since launches may still use them.
class WorkspacePool {
 public:
  explicit WorkspacePool(std::string name) : name_(std::move(name)) {}
  Workspace get(const Stream& stream, size_t bytes);

 private:
  struct Slot {
    std::vector<DeviceBuffer> buffers;  // the last one is current
  };
  std::string name_;  // for errors
  std::mutex mutex_;
  std::map<std::pair<runtime::DeviceState*, void*>, Slot> slots_;
};

}  // namespace b12x
