# Copies the libraries that Python loads to where the package looks for them (B12X_PYTHON_LIB_DIR):
#   libb12x.so   libb12x_ffi.so   sim/libcuda.so.1
# They find each other beside themselves ($ORIGIN), so the folder can be moved or packed into a wheel as it is.
function(b12x_place_python_libs)
  set(placed)
  foreach(pair b12x=libb12x.so b12x_ffi=libb12x_ffi.so cuda=sim/libcuda.so.1)
    string(REPLACE "=" ";" pair "${pair}")
    list(GET pair 0 target)
    list(GET pair 1 file)
    if(TARGET ${target})
      set_target_properties(${target} PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
      add_custom_command(
        OUTPUT "${B12X_PYTHON_LIB_DIR}/${file}"
        COMMAND "${CMAKE_COMMAND}" -E copy "$<TARGET_FILE:${target}>" "${B12X_PYTHON_LIB_DIR}/${file}"
        DEPENDS ${target} "$<TARGET_FILE:${target}>"
        COMMENT "python/b12x/_lib/${file}"
        VERBATIM)
      list(APPEND placed "${B12X_PYTHON_LIB_DIR}/${file}")
    endif()
  endforeach()
  add_custom_target(b12x_python_libs ALL DEPENDS ${placed})
endfunction()
