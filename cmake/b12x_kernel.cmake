# kernels/**/instances/*.cu -> one fatbin each -> embedded in whatever links the object library `b12x_kernels`.
#
# A fatbin holds compute_120f PTX + sm_120f cubin (the product) and compute_90a PTX + sm_90a cubin (the proving build).
# ptxas spills, stack frames and ignored setmaxnreg are errors (tools/lint/ptxas_log.py), so are the findings of the SASS
# lint (tools/lint/sass.py): a kernel that fails either is not embedded.
#
# Two generated files, on the include path of everything that links b12x_kernels:
#   kernel_symbols.inc   extern "C" declarations, for namespace scope:  extern const unsigned char <symbol>_begin[], <symbol>_end[];
#   kernel_table.inc     rows for an array's initialiser:               {"<entry name>", <symbol>_begin, <symbol>_end, <registers>},
# Entry names are unique over all instances; rows are sorted by them.

# The numerics contract rests on these rounding flags: IEEE division and square root, no flush of subnormals, and no
# contraction of a * b + c, so that kernels/math/ gives the host compiler's bits (an fma is written where one is meant).
# Relaxed constexpr lets device code call the plain constexpr functions of kernels/tile and kernels/math.
set(B12X_NVCC_FLAGS
    -std=c++20 -O3 -lineinfo --compress-mode=none
    -ftz=false -prec-div=true -prec-sqrt=true -fmad=false
    --expt-relaxed-constexpr
    -Xcompiler -Wall,-Wextra --Werror all-warnings
    -Xptxas -v,--warn-on-spills,--warn-on-local-memory-usage
    -gencode "arch=compute_120f,code=[compute_120f,sm_120f]"
    -gencode "arch=compute_90a,code=[compute_90a,sm_90a]")

# Adds <target>'s object for one instance; the fatbin's path is appended to the target's property B12X_FATBINS.
function(b12x_kernel target source)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE relative)
  cmake_path(GET source STEM stem)
  cmake_path(GET relative PARENT_PATH folder)
  set(out "${PROJECT_BINARY_DIR}/${folder}/${stem}")
  set(FATBIN "${out}.fatbin")
  string(MAKE_C_IDENTIFIER "b12x_fatbin_${stem}" SYMBOL)
  file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")

  add_custom_command(
    OUTPUT "${FATBIN}"
    COMMAND "${B12X_PYTHON}" "${PROJECT_SOURCE_DIR}/tools/lint/ptxas_log.py" --log "${out}.ptxas.log" --
            "${B12X_NVCC}" -fatbin ${B12X_NVCC_FLAGS} -ccbin "${CMAKE_CXX_COMPILER}"
            "-I${PROJECT_SOURCE_DIR}" -MD -MF "${FATBIN}.d" -MT "${FATBIN}" -o "${FATBIN}" "${source}"
    DEPENDS "${source}" "${PROJECT_SOURCE_DIR}/tools/lint/ptxas_log.py" "${B12X_NVCC}"
    DEPFILE "${FATBIN}.d"
    COMMENT "nvcc ${relative}"
    VERBATIM)
  add_custom_command(
    OUTPUT "${out}.sass.ok"
    COMMAND "${B12X_PYTHON}" "${PROJECT_SOURCE_DIR}/tools/lint/sass.py" --nvdisasm "${B12X_CUDA_ROOT}/bin/nvdisasm"
            --stamp "${out}.sass.ok" "${FATBIN}"
    DEPENDS "${FATBIN}" "${PROJECT_SOURCE_DIR}/tools/lint/sass.py" "${PROJECT_SOURCE_DIR}/tools/lint/sass_text.py"
            "${PROJECT_SOURCE_DIR}/tools/lint/fatbin.py"
    COMMENT "sass lint ${relative}"
    VERBATIM)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/kernel_embed.S.in" "${out}.S" @ONLY)
  set_source_files_properties("${out}.S" PROPERTIES OBJECT_DEPENDS "${FATBIN};${out}.sass.ok")
  target_sources(${target} PRIVATE "${out}.S")
  set_property(TARGET ${target} APPEND PROPERTY B12X_FATBINS "${FATBIN}")
endfunction()

# Every instance of the tree, and the table of their entries.
function(b12x_add_all_kernels)
  file(GLOB_RECURSE instances CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/kernels/*/instances/*.cu")
  list(SORT instances)
  set(generated "${PROJECT_BINARY_DIR}/kernels/generated")
  set(table "${generated}/kernel_table.inc")
  set(symbols "${generated}/kernel_symbols.inc")
  file(MAKE_DIRECTORY "${generated}")

  add_library(b12x_kernels OBJECT "${table}" "${symbols}")
  set_target_properties(b12x_kernels PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(b12x_kernels INTERFACE "${generated}")
  foreach(instance IN LISTS instances)
    b12x_kernel(b12x_kernels "${instance}")
  endforeach()
  get_target_property(fatbins b12x_kernels B12X_FATBINS)
  if(NOT fatbins)
    set(fatbins)
  endif()
  add_custom_command(
    OUTPUT "${table}" "${symbols}"
    COMMAND "${B12X_PYTHON}" "${PROJECT_SOURCE_DIR}/cmake/kernel_table.py" --table "${table}" --symbols "${symbols}"
            ${fatbins}
    DEPENDS ${fatbins} "${PROJECT_SOURCE_DIR}/cmake/kernel_table.py" "${PROJECT_SOURCE_DIR}/tools/lint/fatbin.py"
    COMMENT "kernel_table.inc"
    VERBATIM)
endfunction()
