# SPDX-License-Identifier: Apache-2.0
# setup.sh -- what the scripts of this folder begin with; they source it, with FOLDER as their first argument. It sets
# bin (FOLDER, of the programs), root (of the sources) and vit (the example network), goes to an empty folder that is
# removed at the end, and defines fail and refused.
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../../.." && pwd)
vit=$root/examples/data/vit_cifar10.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Ends the script with the message $1 and what the last command printed to the file log.
fail() {
    echo "segment/$(basename "$0"): $1"
    cat log
    exit 1
}

# The command $2.. must fail with a message that contains $1.
refused() {
    words=$1
    shift
    if "$@" > log 2>&1; then fail "accepted: $*"; fi
    grep -qF -- "$words" log || fail "no '$words'"
}
