#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs missing packages by apt, as root or by sudo: deps.sh build|test|fuzz
#   build: for the libraries and the examples
#   test: also for the tests
#   fuzz: for the tests and for tests/fuzz/run.sh
set -eu
packages="gcc libc6-dev cmake ninja-build pkg-config libopenblas-dev libjansson-dev librandom123-dev \
libspng-dev libjpeg62-turbo-dev libzip-dev zlib1g-dev libtiff-dev libwebp-dev libdcmtk-dev g++"
case ${1-} in
    build) ;;
    test) packages="$packages clang check libsubunit-dev valgrind doxygen meson abigail-tools musl-tools \
        libopenmpi-dev openmpi-bin libmpich-dev mpich" ;;
    fuzz) packages="$packages clang check libsubunit-dev libclang-rt-14-dev" ;;      # libFuzzer of Debian 12's clang
    *) echo "usage: deps.sh build|test|fuzz" >&2; exit 2 ;;
esac

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
    echo "deps.sh: not a Debian system; install the equivalents of these packages: $packages" >&2
    exit 0
fi
missing=
for package in $packages; do
    # Any CBLAS is enough, and pkgconf can replace pkg-config.
    case $package in
        libopenblas-dev) for any in libopenblas-pthread-dev libopenblas-openmp-dev libopenblas-serial-dev \
            libblis-pthread-dev libblis-openmp-dev libblis-serial-dev; do
                dpkg-query -W -f '${Status}' $any 2> /dev/null | grep -q 'ok installed' && continue 2
            done ;;
        pkg-config) command -v pkg-config > /dev/null && continue ;;
    esac
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
    as_root=sudo
else
    echo "deps.sh: these packages are missing and need root to install:$missing" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "deps.sh: installing$missing"
# shellcheck disable=SC2086  # lists are meant to be split
{
    $as_root apt-get -qq update
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing > /dev/null
}
