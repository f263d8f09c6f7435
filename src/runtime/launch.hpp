// launch.hpp: one kernel launch. Capture-safe: nothing is allocated, nothing waits.
#pragma once

#include <string>
#include <string_view>

#include "b12x/device.hpp"
#include "b12x/launch_shape.hpp"

namespace b12x::runtime {

void launch_kernel(std::string_view kernel, const LaunchShape& shape, const void* params, const Stream& stream);
bool is_loaded(std::string_view kernel, const LaunchShape& shape, const Device& device);
[[noreturn]] void refuse_unloaded(const std::string& plan, const Device& device);

// Launches the plan's kernel with its parameter block; throws Error if the plan was not loaded on the stream's device.
template <class Plan>
void launch(const Plan& plan, const void* params, const Stream& stream) {
  if (!is_loaded(plan.kernel, plan.launch, stream.device)) refuse_unloaded(to_string(plan), stream.device);
  launch_kernel(plan.kernel, plan.launch, params, stream);
}

}  // namespace b12x::runtime
