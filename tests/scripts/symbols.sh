#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a shared library gives and takes: symbols.sh core|io LIBRARY MAP.
# It exports the PEFT_API functions of its headers and nothing else; its map is what the headers say; and the core
# imports nothing that prints, ends the process, or changes what belongs to the whole process.
set -eu
export LC_ALL=C
part=$1 library=$2 map=$3
scripts=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

"$scripts/exports.sh" "$part" > "$work/map"
diff -u "$map" "$work/map" || { echo "symbols.sh: $map differs from the headers (lines with + are right)"; failed=1; }

"$scripts/exports.sh" --names "$part" > "$work/declared"
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort > "$work/exported"
diff -u "$work/declared" "$work/exported" || { echo "symbols.sh: $library exports other symbols than declared"; failed=1; }

# In the core: no output, no end of the process, no process-wide state. snprintf and vsnprintf are fine.
if [ "$part" = core ]; then
    nm -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u > "$work/imported"
    [ -s "$work/imported" ] || { echo "symbols.sh: nothing imported, which cannot be"; failed=1; }
    refused='_?exit|_Exit|quick_exit|abort|__assert.*|v?[fd]?printf|(__)?v?[fd]?printf_chk|f?puts|f?putc|putchar|perror'
    refused="$refused|stdout|stderr|rand|srand|random|srandom|drand48|setlocale|signal|sigaction|s?longjmp|strtok"
    refused="$refused|getenv_s|setenv|putenv|unsetenv|fesetround|fesetenv|openblas_set_num_threads|system|popen"
    if grep -xE "$refused" "$work/imported"; then
        echo "symbols.sh: $library imports the names above"
        failed=1
    fi
fi
[ $failed -eq 0 ] && echo "symbols.sh: $library exports $(wc -l < "$work/exported") functions"
exit $failed
