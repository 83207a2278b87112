# Run by every build (cmake -P): writes OUT from IN with the commit that is checked out in SOURCE, unless it
# says so already. COMMIT, where it is given, is taken for it: a build from an archive may know better.
if(NOT COMMIT)
  set(COMMIT unknown)
  find_program(GIT git)
  # A repository around ours is not ours.
  if(GIT AND EXISTS "${SOURCE}/.git")
    execute_process(COMMAND "${GIT}" -C "${SOURCE}" describe --always --abbrev=12 --dirty --exclude=*
      OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      set(COMMIT "${described}")
    endif()
  endif()
endif()
configure_file("${IN}" "${OUT}" @ONLY)
