#!/usr/bin/env bash
# The compiler's launcher: ccache, with the paths of this tree relative to the build directory.
#
#   cmake/ccache.sh ROOT COMPILER ARGUMENTS…
#
# A precompiled header refers to files of the tree that it was made in, and is unusable once that
# tree is gone. So each tree has a namespace of its own in the cache. A copy that does not outlive
# its original, such as that of tests/fifth_dialect, sets CCACHE_NAMESPACE to the root of the
# original, and CCACHE_READONLY.
root=$1
shift
arguments=("$@")
if [[ $PWD == "$root"/* ]]; then
  below=${PWD#"$root"/}
  up=..
  while [[ $below == */* ]]; do below=${below#*/} up=../$up; done
  for i in "${!arguments[@]}"; do
    # A definition is text for the program.
    [[ ${arguments[i]} != -D* ]] || continue
    arguments[i]=${arguments[i]//"$root"\//$up/}
    arguments[i]=${arguments[i]/%"$root"/$up}
  done
fi
export CCACHE_NAMESPACE=${CCACHE_NAMESPACE:-$root}
# ccache's manual asks for these where headers are precompiled.
export CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_NOHASHDIR=true
exec ccache "${arguments[@]}"
