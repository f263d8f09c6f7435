// device.h: the one macro of the kernels, the mark of a device function.
#pragma once

#define B12X_DEVICE __device__ __forceinline__
