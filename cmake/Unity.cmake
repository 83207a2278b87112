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
  set(line "${target}")
  foreach(source ${ARGN})
    get_filename_component(source "${source}" ABSOLUTE)
    # Not what is generated later.
    if(EXISTS "${source}" AND NOT source MATCHES "^${PROJECT_BINARY_DIR}/")
      string(APPEND line "\t${source}")
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY ASSETGATE_UNITY_TARGETS ${target})
  set_property(GLOBAL APPEND_STRING PROPERTY ASSETGATE_UNITY_SOURCES "${line}\n")
endfunction()

# Groups the sources of all targets; called once, after the last of them.
function(assetgate_group_sources)
  if(NOT ASSETGATE_UNITY)
    return()
  endif()
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  get_property(sources GLOBAL PROPERTY ASSETGATE_UNITY_SOURCES)
  set(list "${PROJECT_BINARY_DIR}/unity_sources.txt")
  file(WRITE "${list}" "${sources}")
  execute_process(COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/cmake/unity.py" "${list}"
    OUTPUT_VARIABLE groups COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" groups "${groups}")
  foreach(line ${groups})
    if(line MATCHES "^(.*)\t(.*)\t(.*)$")
      set_source_files_properties("${CMAKE_MATCH_2}" TARGET_DIRECTORY ${CMAKE_MATCH_1}
        PROPERTIES UNITY_GROUP "${CMAKE_MATCH_3}")
    endif()
  endforeach()
  get_property(targets GLOBAL PROPERTY ASSETGATE_UNITY_TARGETS)
  set_target_properties(${targets} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
