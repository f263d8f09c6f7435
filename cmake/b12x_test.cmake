# b12x_add_test(<name> <sources>... [LIBS <targets>...] [LABELS <labels>...] [ENVIRONMENT <VAR=value>...])
#
# One doctest executable <name>, registered with ctest under the same name. It runs in the repository's root, so that
# test data is opened by its path there. Label `long` keeps it out of `make test` (make test-long runs it).
add_library(b12x_doctest_main OBJECT "${CMAKE_CURRENT_LIST_DIR}/doctest_main.cpp")

function(b12x_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS;LABELS;ENVIRONMENT")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE b12x_doctest_main ${arg_LIBS})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "${arg_LABELS}" ENVIRONMENT "${arg_ENVIRONMENT}")
endfunction()
