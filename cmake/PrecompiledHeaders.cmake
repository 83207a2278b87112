# A build spends most of its time in headers of other projects, so those that most files include are
# compiled once. clang-tidy reads each file without them: it reports a missing #include.
#
# A precompiled header has the compile options of the files that include it, so there is one set for
# each kind of target: precompiled_library, precompiled_test, and precompiled_fuzzed for the
# libraries that fuzzers instrument.
option(ASSETGATE_PRECOMPILE "Compile only once the headers that most files read" ON)
set(PRECOMPILED
  <algorithm> <atomic> <cstdint> <fstream> <functional> <map> <memory> <optional> <random> <set>
  <sstream> <string> <thread> <utility> <variant> <vector>
  <absl/container/flat_hash_map.h> <absl/functional/any_invocable.h> <absl/status/statusor.h>
  <absl/strings/ascii.h> <absl/strings/match.h> <absl/strings/numbers.h> <absl/strings/str_cat.h>
  <absl/strings/str_format.h> <absl/strings/str_join.h> <absl/strings/str_split.h>
  <absl/synchronization/mutex.h> <absl/synchronization/notification.h> <absl/time/clock.h>
  <absl/time/time.h>
  <google/protobuf/struct.pb.h> <google/protobuf/util/message_differencer.h>
  <assetgate/v1/asset_service.pb.h> <assetgate/v1/provider_service.pb.h>
  <assetgate/v1/video_service.pb.h>)

function(assetgate_precompiled name kind)
  set(nothing "${PROJECT_BINARY_DIR}/${name}.cc")
  file(CONFIGURE OUTPUT "${nothing}" CONTENT "int main() { return 0; }\n")
  if(kind STREQUAL "PROGRAM")
    add_executable(${name} EXCLUDE_FROM_ALL "${nothing}")
  else()
    add_library(${name} OBJECT EXCLUDE_FROM_ALL "${nothing}")
  endif()
  target_link_libraries(${name} PRIVATE
    assetgate::proto absl::flat_hash_map absl::statusor absl::str_format absl::synchronization)
  target_precompile_headers(${name} PRIVATE ${PRECOMPILED} ${ARGN})
  # A timestamp would make each compilation a different file, and ccache would miss all that include
  # it.
  target_compile_options(${name} PRIVATE
    "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endfunction()

if(ASSETGATE_PRECOMPILE)
  # Some targets get this option from the libraries that they link; then all must have it.
  add_compile_options(-pthread)
  assetgate_precompiled(precompiled_library LIBRARY)
  if(TARGET GTest::gmock)
    assetgate_precompiled(precompiled_test PROGRAM <gmock/gmock.h> <gtest/gtest.h>)
    target_link_libraries(precompiled_test PRIVATE GTest::gmock)
    target_compile_options(precompiled_test PRIVATE ${ASSETGATE_TEST_OPTIONS})
  endif()
  if(ASSETGATE_FUZZ)
    assetgate_precompiled(precompiled_fuzzed LIBRARY)
    target_compile_options(precompiled_fuzzed PRIVATE ${ASSETGATE_FUZZED})
  endif()
endif()

# assetgate_precompile(assetgate_base precompiled_library)
function(assetgate_precompile target headers)
  if(ASSETGATE_PRECOMPILE)
    set_property(TARGET ${target} PROPERTY PRECOMPILE_HEADERS_REUSE_FROM ${headers})
    add_dependencies(${target} ${headers})
  endif()
endfunction()
