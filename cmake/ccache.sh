#!/usr/bin/env bash
# The compiler's launcher: ccache, with paths of this tree relative to the build directory, so that copies of
# the tree share what they compile alike. Precompiled headers would differ otherwise, and all that read them.
#
#   cmake/ccache.sh ROOT COMPILER ARGUMENTS…
root=$1
shift
arguments=("$@")
if [[ $PWD == "$root"/* ]]; then
  below=${PWD#"$root"/}
  up=..
  while [[ $below == */* ]]; do below=${below#*/} up=../$up; done
  for i in "${!arguments[@]}"; do
    # A definition is text for the program.
    [[ ${arguments[i]} == -D* ]] || arguments[i]=${arguments[i]//"$root"\//$up/}
  done
fi
# What ccache's manual asks for where headers are precompiled.
export CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_NOHASHDIR=true
exec ccache "${arguments[@]}"
