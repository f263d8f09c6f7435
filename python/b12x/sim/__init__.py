"""`b12x sim`: runs any Driver API program on the simulated GPU and reports what its checks found and what it counted.

library   where the simulator is, its environment variables, its own functions by ctypes
cudart    whether a program needs NVIDIA's CUDA runtime, which is not supported
session   one command, one or many seeds -> a Report
text      a Report for a terminal
page      a Report as one HTML file
"""
