#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes the parsers with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer. Installs clang and its runtime
# libraries by apt.
#   run.sh FOLDER RUNS [PARSER..]   FOLDER: for the build and what the fuzzer finds; inputs that it keeps in
#                                   FOLDER/found/<parser> are used again by the next run. RUNS: inputs for each parser.
#                                   PARSER: a file of targets/ without .c; default: all, two at a time
# An input that makes a parser crash, leak, hang (10 s) or take 1 GiB lies in FOLDER/faults; copy it to
# corpus/<parser> once it is mended, so that the test replay_<parser> runs it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: run.sh FOLDER RUNS [PARSER..]}
runs=${2:?usage: run.sh FOLDER RUNS [PARSER..]}
shift 2
"$here/../../scripts/deps.sh" fuzz
mkdir -p "$folder/faults" "$folder/logs"
folder=$(cd "$folder" && pwd)
cmake -G Ninja -S "$here/../.." -B "$folder/build" -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release \
    -DPEFT_SANITIZE=address,undefined,fuzzer-no-link -DPEFT_EXAMPLES=OFF -DPEFT_DOUBLE_TESTS=OFF > "$folder/logs/cmake"
[ $# -gt 0 ] || set -- $(cd "$here/targets" && ls | sed 's/\.c$//')
for parser in "$@"; do targets="${targets-} fuzz_$parser"; done
# shellcheck disable=SC2086  # targets is a list
cmake --build "$folder/build" --target $targets > "$folder/logs/build" || { cat "$folder/logs/build"; exit 1; }

# Inputs have at most 2048 bytes, or those of the largest file of the corpus: smaller inputs run faster.
one() {
    mkdir -p "$folder/found/$1"
    longest=$(find "$here/corpus/$1" -type f -printf '%s\n' | sort -n | tail -1)
    [ "$longest" -gt 2048 ] || longest=2048
    "$folder/build/tests/fuzz_$1" -runs="$runs" -timeout=10 -rss_limit_mb=1024 -max_len="$longest" -print_funcs=0 \
        -print_final_stats=1 -artifact_prefix="$folder/faults/$1-" "$folder/found/$1" "$here/corpus/$1" \
        > "$folder/logs/$1" 2>&1 && rc=0 || rc=$?
    awk -v parser="$1" -v rc="$rc" '
        /^stat::number_of_executed_units/ { n = $2 } /^stat::average_exec_per_sec/ { rate = $2 }
        /^stat::peak_rss_mb/ { rss = $2 } /^Done/ { seconds = $(NF - 1) }
        END { printf "%-12s %9d inputs, %6d a second, peak %4d MiB%s\n", parser, n, rate, rss, rc ? ": FAULT" : "" }
    ' "$folder/logs/$1"
    return "$rc"
}

failed=0 first=
for parser in "$@"; do                                  # two at a time
    one "$parser" & now=$!
    [ -z "$first" ] || wait "$first" || failed=1
    first=$now
done
wait "$first" || failed=1
exit "$failed"
