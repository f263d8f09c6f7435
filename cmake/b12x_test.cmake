# b12x_add_test(<name> <sources>... [LIBS <targets>...] [LABELS <labels>...] [ENVIRONMENT <VAR=value>...])
#
# One doctest executable <name>, registered with ctest under the same name. It runs in the repository's root, so that
# test data is opened by its path there. Label `long` keeps it out of `make test` (make test-long runs it).
add_library(b12x_doctest_main OBJECT "${CMAKE_CURRENT_LIST_DIR}/doctest_main.cpp")

# b12x_test_seconds(<test> <seconds>): how long a release build may take for it. B12X_TEST_TIME multiplies that, for the
# sanitizers' builds.
set(B12X_TEST_TIME 1 CACHE STRING "Whole number by which every test's time limit is multiplied")
function(b12x_test_seconds test seconds)
  math(EXPR limit "${seconds} * ${B12X_TEST_TIME}")
  set_tests_properties(${test} PROPERTIES TIMEOUT ${limit})
endfunction()

function(b12x_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS;LABELS;ENVIRONMENT")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE b12x_doctest_main ${arg_LIBS})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  b12x_test_seconds(${name} 300)
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" ENVIRONMENT "${arg_ENVIRONMENT}")
endfunction()
