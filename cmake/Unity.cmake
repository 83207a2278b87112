# Compiles several sources of a target at once. A build from a cold cache takes about half the time;
# a rebuild after a change takes longer. For builds of everything, such as those of tests/run.sh.
# unity.py chooses the groups so that no source changes its meaning.
option(ASSETGATE_UNITY "Compile several sources of a target at once" OFF)

# assetgate_unity(target a.cc b.cc …)
#
# The sources of a target that may be grouped. Those with compile options of their own stay alone.
function(assetgate_unity target)
  if(NOT ASSETGATE_UNITY)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY ASSETGATE_UNITY_TARGETS ${target})
  foreach(source ${ARGN})
    get_filename_component(source "${source}" ABSOLUTE)
    # Not what is generated later.
    if(EXISTS "${source}" AND NOT source MATCHES "^${PROJECT_BINARY_DIR}/")
      set_property(GLOBAL APPEND PROPERTY ASSETGATE_UNITY_SOURCES_${target} "${source}")
    endif()
  endforeach()
endfunction()

# Groups the sources of all targets; called once, after the last of them.
#
# CMake's own unity builds include sources by their absolute paths, so that no other tree finds them
# in the cache (see ccache.sh).
function(assetgate_group_sources)
  if(NOT ASSETGATE_UNITY)
    return()
  endif()
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(lines)
  get_property(targets GLOBAL PROPERTY ASSETGATE_UNITY_TARGETS)
  foreach(target ${targets})
    string(APPEND lines "${target}")
    get_property(sources GLOBAL PROPERTY ASSETGATE_UNITY_SOURCES_${target})
    foreach(source ${sources})
      get_source_file_property(options "${source}" TARGET_DIRECTORY ${target} COMPILE_OPTIONS)
      if(NOT options)
        string(APPEND lines "\t${source}")
      endif()
    endforeach()
    string(APPEND lines "\n")
  endforeach()
  set(list "${PROJECT_BINARY_DIR}/unity_sources.txt")
  file(WRITE "${list}" "${lines}")
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/cmake/unity.py"
            "${PROJECT_SOURCE_DIR}" "${list}" "${PROJECT_BINARY_DIR}/unity"
    OUTPUT_VARIABLE grouped COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" grouped "${grouped}")
  foreach(line ${grouped})
    if(line MATCHES "^(.*)\t(.*)\t(.*)$")
      set(target ${CMAKE_MATCH_1})
      set(file "${CMAKE_MATCH_2}")
      set(source "${CMAKE_MATCH_3}")
      set_source_files_properties("${source}" TARGET_DIRECTORY ${target}
        PROPERTIES HEADER_FILE_ONLY ON)
      target_sources(${target} PRIVATE "${file}")
    endif()
  endforeach()
endfunction()
