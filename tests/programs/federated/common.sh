# SPDX-License-Identifier: Apache-2.0
# What the tests of federate and aggregate share, in a folder of their own that is removed at the end. Set by the test:
# name, and programs, their folder.
bin=$(cd "$programs" && pwd)
vit=$here/../../../examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "$name: $1"
    exit 1
}
# The command after $1 must fail with a message that contains $1.
refused() {
    message=$1
    shift
    if "$@" > refused.log 2>&1; then fail "accepted: $*"; fi
    grep -q -e "$message" refused.log || fail "'$*' was refused with $(cat refused.log)"
}
