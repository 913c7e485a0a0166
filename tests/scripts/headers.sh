#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each public header, alone, compiles as C99, C11 and C++11 without a warning, with every compiler that is here.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
runs=0
strict='-Wall -Wextra -Werror -pedantic -fsyntax-only'

# $1 compiler, $2 language, $3 standard
compile_all() {
    command -v "$1" > /dev/null || { echo "SKIP: no $1"; return 0; }
    for header in $(cd "$root/include" && find peft -name '*.h' | sort); do
        # shellcheck disable=SC2086  # the warnings are words of their own
        echo "#include <$header>" | "$1" -x "$2" "-std=$3" $strict -I"$root/include" - ||
            { echo "headers.sh: $header fails with $1 -std=$3"; exit 1; }
        runs=$((runs + 1))
    done
}
for standard in c99 c11; do
    compile_all gcc c $standard
    compile_all clang c $standard
done
compile_all g++ c++ c++11
compile_all clang++ c++ c++11
echo "headers.sh: $runs compilations"
[ "$runs" -gt 0 ]
