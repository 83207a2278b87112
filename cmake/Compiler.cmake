# The language, the warnings (as errors) and the sanitizers of all targets.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_CURRENT_LIST_DIR}/ccache.sh" "${PROJECT_SOURCE_DIR}")
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# A program names only the libraries that it uses itself, whichever compiler and linker made it; the
# libraries load their own.
add_link_options(-Wl,--as-needed)

set(ASSETGATE_SANITIZE "" CACHE STRING "Sanitizers for everything, for instance address,undefined")
if(ASSETGATE_SANITIZE)
  add_compile_options(-fsanitize=${ASSETGATE_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${ASSETGATE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    add_compile_options("-fsanitize-ignorelist=${CMAKE_CURRENT_LIST_DIR}/sanitizers.ignore")
  endif()
endif()

# Compile options that tests have in addition. ThreadSanitizer checks the gateway's code, which stays
# optimised; tests are the larger half of what is compiled, and optimising them takes most of it.
set(ASSETGATE_TEST_OPTIONS)
if(ASSETGATE_SANITIZE STREQUAL "thread")
  set(ASSETGATE_TEST_OPTIONS -O0)
endif()

option(ASSETGATE_FUZZ "Build assetgate-fuzz (clang's libFuzzer)" OFF)
# Compile options of the files that fuzzers instrument. Optimised: more inputs a second find more.
set(ASSETGATE_FUZZED -O1 -fsanitize=fuzzer-no-link)

# Linked by our own code only, not by generated code.
add_library(assetgate_warnings INTERFACE)
target_compile_options(assetgate_warnings INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wunused -Wcast-qual
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(assetgate_warnings INTERFACE -Wthread-safety -Wthread-safety-beta)
  # RapidJSON's headers define a comparison of member iterators that C++20 calls ambiguous; clang
  # warns where it is used.
  target_compile_options(assetgate_warnings INTERFACE -Wno-ambiguous-reversed-operator)
elseif(ASSETGATE_UNITY)
  # GCC takes each source of a group for a header, in which it warns about unnamed namespaces.
  target_compile_options(assetgate_warnings INTERFACE -Wno-subobject-linkage)
endif()
