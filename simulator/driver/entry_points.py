"""Writes the part of the export list that follows from cuda.h alone: entry_points.py CUDA_INCLUDE OUT SOURCES...

Out of cuda.h come all entry points that it declares. One that no source defines answers CUDA_ERROR_NOT_SUPPORTED; every
function of the per-thread default stream API (_ptsz, _ptds) calls its plain twin with that stream as the default; older
versions whose parameters are a part of the newer ones' call those. Out of cudaTypedefs.h comes since when each version
of a function exists, for cuGetProcAddress; out of CUresult's values, their names.
"""

import re
import sys
from pathlib import Path

# Older versions: parameters, and the call of the newer one.
OLDER = {
    "cuCtxCreate_v2": ("CUcontext* a, unsigned int b, CUdevice c", "cuCtxCreate_v4(a, nullptr, b, c)"),
    "cuDeviceGetUuid": ("CUuuid* a, CUdevice b", "cuDeviceGetUuid_v2(a, b)"),
    "cuEventElapsedTime": ("float* a, CUevent b, CUevent c", "cuEventElapsedTime_v2(a, b, c)"),
    "cuGetProcAddress": (
        "const char* a, void** b, int c, cuuint64_t d",
        "cuGetProcAddress_v2(a, b, c, d, nullptr)",
    ),
    "cuGraphAddDependencies": (
        "CUgraph a, const CUgraphNode* b, const CUgraphNode* c, size_t d",
        "cuGraphAddDependencies_v2(a, b, c, nullptr, d)",
    ),
    "cuGraphAddNode": (
        "CUgraphNode* a, CUgraph b, const CUgraphNode* c, size_t d, CUgraphNodeParams* e",
        "cuGraphAddNode_v2(a, b, c, nullptr, d, e)",
    ),
    "cuGraphGetEdges": (
        "CUgraph a, CUgraphNode* b, CUgraphNode* c, size_t* d",
        "cuGraphGetEdges_v2(a, b, c, nullptr, d)",
    ),
    "cuGraphInstantiate_v2": (
        "CUgraphExec* a, CUgraph b, CUgraphNode*, char*, size_t",
        "cuGraphInstantiateWithFlags(a, b, 0)",
    ),
    "cuGraphNodeGetDependencies": (
        "CUgraphNode a, CUgraphNode* b, size_t* c",
        "cuGraphNodeGetDependencies_v2(a, b, nullptr, c)",
    ),
    "cuGraphNodeGetDependentNodes": (
        "CUgraphNode a, CUgraphNode* b, size_t* c",
        "cuGraphNodeGetDependentNodes_v2(a, b, nullptr, c)",
    ),
    "cuGraphRemoveDependencies": (
        "CUgraph a, const CUgraphNode* b, const CUgraphNode* c, size_t d",
        "cuGraphRemoveDependencies_v2(a, b, c, nullptr, d)",
    ),
}


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def parameter_names(parameters: str) -> list[str]:
    if parameters.strip() in ("", "void"):
        return []
    return [re.search(r"(\w+)\s*(\[[^\]]*\])?\s*$", p.strip()).group(1) for p in parameters.split(",")]


def main() -> None:
    include, out, *sources = (Path(a) for a in sys.argv[1:])
    header = without_comments((include / "cuda.h").read_text())
    plain = header.split("#undef cu")[0]  # what follows declares old versions and per-thread ones
    renamed = {}
    per_thread = {}
    for name, target in re.findall(r"#\s*define\s+(cu\w+)\s+(\S+)", plain):
        marked = re.fullmatch(r"__CUDA_API_(PT[SD][ZS])\((\w+)\)", target)
        renamed[name] = marked.group(2) if marked else target
        if marked:
            per_thread[marked.group(2)] = marked.group(1).lower()
    declared = {}
    for name, parameters in re.findall(r"CUresult\s+CUDAAPI\s+(cu\w+)\s*\(([^;]*)\)\s*;", plain):
        declared[renamed.get(name, name)] = " ".join(parameters.split())
    defined = set()
    for source in sources:
        defined |= set(re.findall(r"CUresult CUDAAPI (cu\w+)\(", source.read_text()))
    lines = ["// Written by simulator/driver/entry_points.py from cuda.h.", '#include "driver/entry_points.hpp"', ""]
    lines += [f"#undef {name}" for name in sorted(OLDER) if name in renamed]
    lines += ["", 'extern "C" {']
    for name, parameters in sorted(declared.items()):
        if name not in defined and name not in OLDER:
            lines.append(f'CUresult CUDAAPI {name}({parameters}) {{ return sim::driver::not_supported("{name}"); }}')
    for name, kind in sorted(per_thread.items()):
        arguments = ", ".join(parameter_names(declared[name]))
        lines.append(f"CUresult CUDAAPI {name}_{kind}({declared[name]}) {{")
        lines.append(f"  const sim::driver::PerThreadDefault scope;\n  return {name}({arguments});\n}}")
    for name, (parameters, newer) in sorted(OLDER.items()):
        lines.append(f"CUresult CUDAAPI {name}({parameters}) {{ return {newer}; }}")
    lines += ['}  // extern "C"', "", "namespace sim::driver {"]

    since: dict[str, set[int]] = {}
    typedefs = without_comments((include / "cudaTypedefs.h").read_text())
    for name, version in re.findall(r"PFN_(cu\w+?)_v(\d+)\b", typedefs):
        since.setdefault(name, set()).add(int(version))
    lines.append("const EntryPoint kEntryPoints[] = {")
    for name, versions in sorted(since.items()):
        for i, version in enumerate(sorted(versions)):
            lines.append(f'    {{"{name}", "{"" if i == 0 else f"_v{i + 1}"}", {version}}},')
    lines += ["};", "const size_t kEntryPointCount = std::size(kEntryPoints);", "", "const ErrorName kErrorNames[] = {"]
    body = re.search(r"typedef enum cudaError_enum \{(.*?)\}", plain, flags=re.S).group(1)
    for name in re.findall(r"\b(CUDA_\w+)\s*=\s*\d+", body):
        lines.append(f'    {{{name}, "{name}"}},')
    lines += ["};", "const size_t kErrorNameCount = std::size(kErrorNames);", "", "}  // namespace sim::driver", ""]
    out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
