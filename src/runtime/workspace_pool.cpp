// workspace_pool.cpp: device memory that the library allocates on request: buffers, and the grow-only pool per stream.
#include <algorithm>
#include <utility>

#include "b12x/workspace.hpp"
#include "base/align.hpp"
#include "base/check.hpp"
#include "runtime/device_state.hpp"

namespace b12x {

void workspace_init(const Workspace& workspace, const Stream& stream) {
  if (workspace.bytes == 0) return;
  const runtime::DeviceState& state = stream.device.state();
  const runtime::ContextScope scope(state);
  state.driver().check(state.driver().memory_set(reinterpret_cast<CUdeviceptr>(workspace.data), 0, workspace.bytes,
                                                 static_cast<CUstream>(stream.handle)),
                       "cuMemsetD8Async", "a workspace");
}

DeviceBuffer::DeviceBuffer(const Device& device, size_t bytes) : device_(device), bytes_(bytes) {
  if (bytes == 0) return;
  const runtime::ContextScope scope(device.state());
  CUdeviceptr address = 0;
  device.state().driver().check(device.state().driver().memory_allocate(&address, bytes), "cuMemAlloc",
                                str(bytes, " bytes on ", device.info().name));
  data_ = reinterpret_cast<void*>(address);
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : device_(other.device_), data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

DeviceBuffer::~DeviceBuffer() {
  if (data_ == nullptr) return;
  const runtime::ContextScope scope(device_.state());
  device_.state().driver().memory_free(reinterpret_cast<CUdeviceptr>(data_));
}

void DeviceBuffer::upload(const void* source, size_t bytes) {
  if (bytes > bytes_) fail("upload of ", bytes, " bytes into a buffer of ", bytes_);
  if (bytes == 0) return;
  const runtime::ContextScope scope(device_.state());
  device_.state().driver().check(
      device_.state().driver().copy_to_device(reinterpret_cast<CUdeviceptr>(data_), source, bytes), "cuMemcpyHtoD",
      str(bytes, " bytes"));
}

void DeviceBuffer::download(void* destination, size_t bytes) const {
  if (bytes > bytes_) fail("download of ", bytes, " bytes from a buffer of ", bytes_);
  if (bytes == 0) return;
  const runtime::ContextScope scope(device_.state());
  device_.state().driver().check(
      device_.state().driver().copy_to_host(destination, reinterpret_cast<CUdeviceptr>(data_), bytes), "cuMemcpyDtoH",
      str(bytes, " bytes"));
}

Workspace WorkspacePool::get(const Stream& stream, size_t bytes) {
  if (bytes == 0) return {};
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[{&stream.device.state(), stream.handle}];
  if (slot.buffers.empty() || slot.buffers.back().bytes() < bytes) {
    const runtime::DeviceState& state = stream.device.state();
    const size_t had = slot.buffers.empty() ? 0 : slot.buffers.back().bytes();
    {
      const runtime::ContextScope scope(state);
      CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
      state.driver().check(state.driver().stream_is_capturing(static_cast<CUstream>(stream.handle), &status),
                           "cuStreamIsCapturing", name_);
      if (status != CU_STREAM_CAPTURE_STATUS_NONE) {
        fail(name_, ": the workspace of this stream has ", had, " bytes and ", bytes,
             " are needed, but it cannot grow while the stream is captured; run the call once before the capture, or "
             "pass a workspace");
      }
    }
    // At least doubled, so that the outgrown buffers together are no larger than the current one.
    slot.buffers.emplace_back(stream.device, align_up(std::max<int64_t>(bytes, 2 * had), 256));
    workspace_init({slot.buffers.back().data(), slot.buffers.back().bytes()}, stream);
  }
  return {slot.buffers.back().data(), slot.buffers.back().bytes()};
}

}  // namespace b12x
