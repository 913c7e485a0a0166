#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything a change has to pass: installs what is missing, then builds with gcc and with clang (warnings are errors)
# and with the address and undefined-behaviour sanitizers, runs the tests in each, and the small suites under valgrind.
# Builds lie in build-test/ (PEFT_BUILD), kept between runs. PEFT_SHARED: a folder of reference data, by default
# shared/ beside the checkout; without one the tests that need it skip.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
builds=${PEFT_BUILD:-$root/build-test}
jobs=$(nproc)
if [ -z "${PEFT_SHARED-}" ] && [ -d "$root/../shared" ]; then
    PEFT_SHARED=$(cd "$root/../shared" && pwd)
fi
[ -z "${PEFT_SHARED-}" ] || export PEFT_SHARED

"$root/scripts/deps.sh" test

# $1 name of the build, $2 compiler, then CMake settings
build() {
    name=$1 compiler=$2
    shift 2
    echo "== $name: $compiler $*"
    cmake -G Ninja -S "$root" -B "$builds/$name" -DCMAKE_C_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release \
        "$@" > "$builds/$name.log" || { cat "$builds/$name.log"; exit 1; }
    cmake --build "$builds/$name" -j "$jobs" > "$builds/$name.log" || { cat "$builds/$name.log"; exit 1; }
}

# $1 name of the build, then what ctest is to choose by. Each test may use all cores, so as many run at a time.
run() {
    name=$1
    shift
    echo "== $name: tests"
    (cd "$builds/$name" && ctest -j "$jobs" --output-on-failure "$@" 2>&1) > "$builds/$name.log" ||
        { cat "$builds/$name.log"; echo "== $name: FAILED"; exit 1; }
    grep -E 'Skipped|tests passed|Total Test time' "$builds/$name.log"
}

mkdir -p "$builds"
build release gcc -DPEFT_WERROR=ON -DPEFT_VALGRIND=ON
run release -LE valgrind
# Tests of sources, pages and installed files take both compilers themselves; those of programs do not depend on one,
# nor do the derivatives that the library in double precision checks.
build clang clang -DPEFT_WERROR=ON -DPEFT_DOUBLE_TESTS=OFF
run clang -L 'small|suite'
# Not with -Werror: under the sanitizers gcc warns of what cannot happen. No test runs a program under them.
build sanitize gcc -DPEFT_SANITIZE=address,undefined -DPEFT_EXAMPLES=OFF
run sanitize
run release -L valgrind
