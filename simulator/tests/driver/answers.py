"""Where the simulator need not answer as NVIDIA's driver does, and why: patterns of test cases and of questions."""

SIMULATOR_ALONE: dict[str, str] = {}

AT_LAUNCH = "a kernel with a form that the simulator lacks is refused at its launch, not when its module is loaded"
LENIENT = "the simulator takes PTX that ptxas refuses: versions, targets and sizes are not checked"
ABSENT = "the simulator has no such feature and says so"
HARMLESS = "a driver reads memory that is no longer its own; the simulator finds that the handle is none"

EXCEPTIONS: dict[str, str] = {
    # Modules
    r"cuModuleLoadData(Ex)? of an unknown (instruction|modifier)( and 20 bytes of log)?": AT_LAUNCH,
    r"cuModuleLoadData(Ex)? of an extern function": AT_LAUNCH,
    r"cu(LibraryGetKernel|KernelGetFunction) of an unknown instruction": AT_LAUNCH,
    r"cuModuleLoadData of (a register of the wrong type|a name declared twice|too many parameters)": LENIENT,
    r"cuModuleLoadData of (an instruction newer than its (target|version)|an unknown target)": LENIENT,
    r"cuModuleLoadData of an extern variable": "nothing is linked, so that a variable must be there",
    r"the (error|information) log of .*|its size of .*|the size of that of .*|the byte behind the error log of .*": (
        "the words are the simulator's own, and kernels refused at their launch are in the information log; "
        "images.cpp holds the form"
    ),
    r"cuLibraryLoadData of no text": "a library is read when it is loaded, not when a kernel of it is asked for",
    # Functions
    r"attribute 4 of a function for sm_.*": "registers of PTX alone are estimated; docs/howto/sim.md has the error",
    # Memory
    r"pointer attribute (10|15|21) of device memory(, one of several)?": ABSENT
    + ": memory of other processes, RDMA, decompression",
    # Graphs
    r"cuGraphInstantiate with flags 4": ABSENT + ": graphs that kernels launch",
    r"cuGraphReleaseUserObject|cuUserObjectRelease of one more": HARMLESS,
    # Handles
    r"cuEventQuery of what is no event": "the simulator knows every handle, and says what it is not",
    r"cu.* of a destroyed (node|context|object)": HARMLESS,
    r"cuGraphLaunch whose kernel's module is unloaded": "the code is gone; a driver may keep it",
    # Cards
    r"card attribute (14|2[1-9]|30|4[2-9]|5[1-9]|6\d|7[0-47]|112|121)": ABSENT + ": textures, surfaces, arrays",
    r"card attribute (96|10[23]|107|11[04678]|119|12[0234589]|14[1245])": ABSENT,
    r"card attribute (88|100)": "a simulated card uses host memory in place",
    r"card attribute (3[67]|126)": "an H200's memory, not an H100's",
    r"card attribute (32|34|40|131|139|140)": "of the machine that was asked: bus, error correction, copy engines",
    r"limit 2 after 1099511627776": "a part of the memory that was free",
    # Entry points
    r"(cuGetProcAddress|what it tells) of cuStreamBeginCapture for 10000, flags 0": "its first version is not there",
}
