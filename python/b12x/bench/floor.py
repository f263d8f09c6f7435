"""The floor under every GEMM of few tokens: a kernel that reads the weights once and does nothing else.

In: a driver, an address, bytes. Out: a launch on a stream. The idea: PTX text and a few calls of the Driver API by
ctypes, so it needs no compiler, runs wherever the driver runs, and can be captured in a graph. Four 16-byte loads a
lane are in flight, 64 warps an SM.
"""

from __future__ import annotations

import ctypes

THREADS, BLOCKS_AN_SM, WORD_BYTES = 256, 8, 16

# A lane reads words i, i + step, i + 2 step, i + 3 step, where they exist, then goes on 4 step further. What it read is
# folded into one value that is stored if it equals a number that is never expected: no load can be left out.
PTX = """
.version 7.0
.target sm_70
.address_size 64
.visible .entry b12x_bench_read(.param .u64 words, .param .u64 sink, .param .u64 count)
{
  .reg .pred %p<5>;
  .reg .b32 %r<8>, %x<16>;
  .reg .b64 %rd<16>;
  ld.param.u64 %rd1, [words];
  ld.param.u64 %rd2, [sink];
  ld.param.u64 %rd3, [count];
  cvta.to.global.u64 %rd1, %rd1;
  cvta.to.global.u64 %rd2, %rd2;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %nctaid.x;
  mul.wide.u32 %rd4, %r1, %r2;
  cvt.u64.u32 %rd5, %r3;
  add.u64 %rd4, %rd4, %rd5;
  mul.wide.u32 %rd5, %r4, %r2;
  shl.b64 %rd6, %rd5, 4;
  mov.b32 %r5, 0;
  setp.ge.u64 %p0, %rd4, %rd3;
  @%p0 bra DONE;
LOOP:
  shl.b64 %rd7, %rd4, 4;
  add.u64 %rd8, %rd1, %rd7;
  add.u64 %rd9, %rd8, %rd6;
  add.u64 %rd10, %rd9, %rd6;
  add.u64 %rd11, %rd10, %rd6;
  add.u64 %rd12, %rd4, %rd5;
  add.u64 %rd13, %rd12, %rd5;
  add.u64 %rd14, %rd13, %rd5;
  setp.lt.u64 %p1, %rd12, %rd3;
  setp.lt.u64 %p2, %rd13, %rd3;
  setp.lt.u64 %p3, %rd14, %rd3;
  mov.b32 %x4, 0;
  mov.b32 %x5, 0;
  mov.b32 %x6, 0;
  mov.b32 %x7, 0;
  mov.b32 %x8, 0;
  mov.b32 %x9, 0;
  mov.b32 %x10, 0;
  mov.b32 %x11, 0;
  mov.b32 %x12, 0;
  mov.b32 %x13, 0;
  mov.b32 %x14, 0;
  mov.b32 %x15, 0;
  ld.global.cs.v4.u32 {%x0, %x1, %x2, %x3}, [%rd8];
  @%p1 ld.global.cs.v4.u32 {%x4, %x5, %x6, %x7}, [%rd9];
  @%p2 ld.global.cs.v4.u32 {%x8, %x9, %x10, %x11}, [%rd10];
  @%p3 ld.global.cs.v4.u32 {%x12, %x13, %x14, %x15}, [%rd11];
  lop3.b32 %x0, %x0, %x1, %x2, 0x96;
  lop3.b32 %x3, %x3, %x4, %x5, 0x96;
  lop3.b32 %x6, %x6, %x7, %x8, 0x96;
  lop3.b32 %x9, %x9, %x10, %x11, 0x96;
  lop3.b32 %x12, %x12, %x13, %x14, 0x96;
  lop3.b32 %x0, %x0, %x3, %x6, 0x96;
  lop3.b32 %x9, %x9, %x12, %x15, 0x96;
  lop3.b32 %r5, %r5, %x0, %x9, 0x96;
  add.u64 %rd4, %rd14, %rd5;
  setp.lt.u64 %p4, %rd4, %rd3;
  @%p4 bra LOOP;
  setp.ne.u32 %p0, %r5, 0x9E3779B9;
  @%p0 bra DONE;
  st.global.u32 [%rd2], %r5;
DONE:
  ret;
}
"""


class ReadOnly:
    """The loaded kernel. `launch` may be captured; the object must outlive every graph that holds it."""

    def __init__(self, driver: str, sms: int) -> None:
        """driver: a libcuda. The calling thread's context is used, or else the primary one of device 0."""
        self._cuda = ctypes.CDLL(driver)
        self._blocks = sms * BLOCKS_AN_SM
        context, module = ctypes.c_void_p(), ctypes.c_void_p()
        self._function = ctypes.c_void_p()
        self._call("cuInit", 0)
        self._call("cuCtxGetCurrent", ctypes.byref(context))
        if not context:
            self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
            self._call("cuCtxSetCurrent", context)
        self._call("cuModuleLoadData", ctypes.byref(module), PTX.encode())
        self._call("cuModuleGetFunction", ctypes.byref(self._function), module, b"b12x_bench_read")

    def launch(self, address: int, size: int, sink: int, stream: int = 0) -> None:
        """Reads the whole 16-byte words of [address, + size). sink: 4 bytes that may be written."""
        values = [ctypes.c_uint64(value) for value in (address, sink, size // WORD_BYTES)]
        params = (ctypes.c_void_p * 3)(*(ctypes.addressof(value) for value in values))
        shape = (self._blocks, 1, 1, THREADS, 1, 1, 0)
        self._call("cuLaunchKernel", self._function, *shape, ctypes.c_void_p(stream), params, None)

    def _call(self, name: str, *arguments: object) -> None:
        result = getattr(self._cuda, name)(*arguments)
        if result != 0:
            raise RuntimeError(f"floor: {name} failed with CUDA error {result}")
