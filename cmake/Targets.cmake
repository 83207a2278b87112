# assetgate_library(base SOURCES a.cc … DEPS absl::status … [WHOLE])
#
# The library of one folder: target assetgate_base, alias assetgate::base. Headers are included by
# their path below service/ ("base/clock.h") or below the root ("tests/simulator/edge.h"). WHOLE:
# it has tests, which register themselves: all of it is linked, even what nothing refers to.
function(assetgate_library name)
  cmake_parse_arguments(ARG "WHOLE" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SOURCES)
    set(kind STATIC)
    if(ARG_WHOLE)
      set(kind OBJECT)
    endif()
    add_library(assetgate_${name} ${kind} ${ARG_SOURCES})
    target_link_libraries(assetgate_${name} PUBLIC ${ARG_DEPS} PRIVATE assetgate_warnings)
    if(ARG_WHOLE AND ASSETGATE_TEST_OPTIONS)
      target_compile_options(assetgate_${name} PRIVATE ${ASSETGATE_TEST_OPTIONS})
    else()
      assetgate_precompile(assetgate_${name} precompiled_library)
    endif()
    assetgate_unity(assetgate_${name} ${ARG_SOURCES})
    target_include_directories(assetgate_${name} PUBLIC
      "${PROJECT_SOURCE_DIR}/service" "${PROJECT_SOURCE_DIR}")
  else()
    add_library(assetgate_${name} INTERFACE)
    target_link_libraries(assetgate_${name} INTERFACE ${ARG_DEPS})
    target_include_directories(assetgate_${name} INTERFACE
      "${PROJECT_SOURCE_DIR}/service" "${PROJECT_SOURCE_DIR}")
  endif()
  add_library(assetgate::${name} ALIAS assetgate_${name})
endfunction()

# assetgate_program(assetctl SOURCES … DEPS …)
function(assetgate_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} assetgate_warnings)
  target_include_directories(${name} PRIVATE
    "${PROJECT_SOURCE_DIR}/service" "${PROJECT_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  assetgate_unity(${name} ${ARG_SOURCES})
endfunction()

# assetgate_test(clock_test SOURCES clock_test.cc DEPS assetgate::base
#                [LABELS …] [TIMEOUT s] [ENVIRONMENT A=b …] [THREADS] [OPTIMISED])
#
# One GoogleTest program, which is one test of CTest. It runs in its own empty directory. THREADS:
# it tests state that threads share, so the `tsan` preset builds and runs it as well (with
# thread_tests, its only target). Such a test uses no gRPC, which is not built for ThreadSanitizer.
# OPTIMISED: it has the compile options of the libraries, without ASSETGATE_TEST_OPTIONS.
add_custom_target(thread_tests)
function(assetgate_test name)
  if(NOT ASSETGATE_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "THREADS;OPTIMISED" "TIMEOUT" "SOURCES;DEPS;LABELS;ENVIRONMENT" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main
                                        assetgate_warnings)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/service" "${PROJECT_SOURCE_DIR}")
  if(NOT ARG_OPTIMISED)
    target_compile_options(${name} PRIVATE ${ASSETGATE_TEST_OPTIONS})
    assetgate_precompile(${name} precompiled_test)
  endif()
  assetgate_unity(${name} ${ARG_SOURCES})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(ARG_THREADS)
    list(APPEND ARG_LABELS threads)
    add_dependencies(thread_tests ${name})
    if(ASSETGATE_SANITIZE STREQUAL "thread")
      target_sources(${name} PRIVATE $<TARGET_OBJECTS:assetgate_tsan>)
    endif()
  endif()
  set(dir "${CMAKE_CURRENT_BINARY_DIR}/${name}.dir")
  file(MAKE_DIRECTORY "${dir}")
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${dir}")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}"
                                          ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()

# assetgate_proto_library(model_proto ROOT service PROTOS model/record.proto [DEPS …])
#
# Messages that are not part of the public API. Included by their path below ROOT
# ("model/record.pb.h").
function(assetgate_proto_library name)
  cmake_parse_arguments(ARG "" "ROOT" "PROTOS;DEPS" ${ARGN})
  set(root "${PROJECT_SOURCE_DIR}")
  if(ARG_ROOT)
    string(APPEND root "/${ARG_ROOT}")
  endif()
  set(out "${PROJECT_BINARY_DIR}/proto/internal")
  file(MAKE_DIRECTORY "${out}")
  set(sources)
  foreach(proto ${ARG_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem "${proto}")
    add_custom_command(
      OUTPUT "${out}/${stem}.pb.cc" "${out}/${stem}.pb.h"
      COMMAND protobuf::protoc -I "${root}" -I "${PROJECT_SOURCE_DIR}/proto" -I "${GOOGLEAPIS_DIR}"
              "--cpp_out=${out}" "${root}/${proto}"
      DEPENDS "${root}/${proto}" VERBATIM)
    list(APPEND sources "${out}/${stem}.pb.cc")
  endforeach()
  add_library(assetgate_${name} STATIC ${sources})
  target_include_directories(assetgate_${name} SYSTEM PUBLIC "${out}")
  target_link_libraries(assetgate_${name} PUBLIC assetgate::proto ${ARG_DEPS})
  add_library(assetgate::${name} ALIAS assetgate_${name})
endfunction()
