// stream.cpp: waiting for a stream, and turning what its kernels reported into an exception.
#include "b12x/device.hpp"
#include "runtime/device_state.hpp"

namespace b12x {

void check_status(const Stream& stream) {
  const runtime::DeviceState& state = stream.device.state();
  const runtime::ContextScope scope(state);
  const runtime::Driver& driver = state.driver();
  driver.check(driver.stream_synchronize(static_cast<CUstream>(stream.handle)), "cuStreamSynchronize",
               "a stream of " + state.info().name);
}

}  // namespace b12x
