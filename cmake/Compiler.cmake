# The language, the warnings (as errors) and the sanitizers: in one place.
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

# Libraries that our libraries were linked with are loaded by those, and not by us as well: a program
# names what it uses, whichever compiler and linker made it.
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

option(ASSETGATE_FUZZ "Build assetgate-fuzz (clang's libFuzzer)" OFF)
# How that is compiled which fuzzers look into. Optimised: the more inputs a second, the more they find.
set(ASSETGATE_FUZZED -O1 -fsanitize=fuzzer-no-link)

# Our own code only: generated code does not link this.
add_library(assetgate_warnings INTERFACE)
target_compile_options(assetgate_warnings INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wunused -Wcast-qual
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(assetgate_warnings INTERFACE -Wthread-safety -Wthread-safety-beta)
  # RapidJSON's iterators of members compare themselves in a way that C++20 calls ambiguous; the
  # comparison stands in its headers, the warning where they are used.
  target_compile_options(assetgate_warnings INTERFACE -Wno-ambiguous-reversed-operator)
endif()
