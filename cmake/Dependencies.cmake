# The libraries that assetgate uses. All come from the distribution (see deploy/setup.sh); a build
# downloads nothing.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(CURL REQUIRED)
find_package(RapidJSON QUIET)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_path(RAPIDJSON_INCLUDE rapidjson/document.h REQUIRED)
find_path(CLI11_INCLUDE CLI/CLI.hpp REQUIRED)
# The simulator's web server; the gateway does not link it.
find_path(CIVETWEB_INCLUDE civetweb.h REQUIRED)
find_library(CIVETWEB_LIBRARY civetweb REQUIRED)
find_library(JEMALLOC_LIBRARY jemalloc REQUIRED)
find_path(LIBJWT_INCLUDE jwt.h REQUIRED)
find_library(LIBJWT_LIBRARY jwt REQUIRED)
if(ASSETGATE_BUILD_TESTS OR NOT DEFINED ASSETGATE_BUILD_TESTS)
  find_package(GTest CONFIG REQUIRED)
endif()

# google/rpc and google/api: Debian's copies are too old for google/api/field_behavior.proto.
set(GOOGLEAPIS_DIR "${PROJECT_SOURCE_DIR}/third_party/googleapis")

# SYSTEM: the compiler does not warn about headers of other projects.
add_library(assetgate_rapidjson INTERFACE)
target_include_directories(assetgate_rapidjson SYSTEM INTERFACE "${RAPIDJSON_INCLUDE}")
target_compile_definitions(assetgate_rapidjson INTERFACE RAPIDJSON_HAS_STDSTRING=1)
add_library(assetgate::rapidjson ALIAS assetgate_rapidjson)

add_library(assetgate_civetweb INTERFACE)
target_include_directories(assetgate_civetweb SYSTEM INTERFACE "${CIVETWEB_INCLUDE}")
target_link_libraries(assetgate_civetweb INTERFACE "${CIVETWEB_LIBRARY}" Threads::Threads)
add_library(assetgate::civetweb ALIAS assetgate_civetweb)

add_library(assetgate_libjwt INTERFACE)
target_include_directories(assetgate_libjwt SYSTEM INTERFACE "${LIBJWT_INCLUDE}")
target_link_libraries(assetgate_libjwt INTERFACE "${LIBJWT_LIBRARY}")
add_library(assetgate::libjwt ALIAS assetgate_libjwt)

add_library(assetgate_cli11 INTERFACE)
target_include_directories(assetgate_cli11 SYSTEM INTERFACE "${CLI11_INCLUDE}")
add_library(assetgate::cli11 ALIAS assetgate_cli11)

# Replaces the C library's allocator, which keeps freed memory, in a program that serves. Sanitizers
# bring an allocator of their own.
add_library(assetgate_allocator INTERFACE)
if(NOT ASSETGATE_SANITIZE)
  # No code refers to it, so --as-needed would drop it.
  target_link_libraries(assetgate_allocator INTERFACE
    -Wl,--push-state,--no-as-needed "${JEMALLOC_LIBRARY}" -Wl,--pop-state)
endif()
add_library(assetgate::allocator ALIAS assetgate_allocator)
