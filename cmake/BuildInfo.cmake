# Run by every build (cmake -P): writes OUT from IN with the commit that is checked out in SOURCE,
# if OUT does not have it yet. COMMIT overrides it: a build from an archive has no repository to
# ask.
if(NOT COMMIT)
  set(COMMIT unknown)
  find_program(GIT git)
  # A repository that contains SOURCE as a subfolder is another project's.
  if(GIT AND EXISTS "${SOURCE}/.git")
    execute_process(
      COMMAND "${GIT}" -C "${SOURCE}" describe --always --abbrev=12 --dirty --exclude=*
      OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      set(COMMIT "${described}")
    endif()
  endif()
endif()
configure_file("${IN}" "${OUT}" @ONLY)
