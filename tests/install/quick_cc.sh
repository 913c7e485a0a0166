#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A compiler that takes little time, for tests of how libpeft is built and linked, not of the speed of the result: -O0,
# and -Og for the kernels, whose inlined functions grow at -O0.
#   quick_cc.sh CC ARGUMENT...
case $* in *" -mavx"*) level=-Og ;; *) level=-O0 ;; esac
exec "$@" $level -g0
