#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tests of bindings/python: builds the wheel, installs it into a fresh Python environment, and runs there the unit tests
# (among them: the same bits as finetune and predict), the measurement of a call's cost, and what auditwheel says of
# the wheel; before all, the check of types and of the format (python_format.sh).   python.sh [WHEEL-FOLDER]
# WHEEL-FOLDER: keeps the wheel there. PEFT_PROGRAMS: the folder of the C programs; without it they are built, in the
# build `release` of tests/run.sh, whose folder PEFT_BUILD names. Tools come from an environment outside of the build;
# without one, and without a package index, ends with status 77.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
package=$root/bindings/python
build=${PEFT_BUILD:-$root/build-test}/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "${1:-$work/wheel}"
wheels=$(cd "${1:-$work/wheel}" && pwd)
quietly() { "$@" > "$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }; }

"$root/tests/python_format.sh"
tools=$("$root/scripts/venv.sh" "$package/tests/requirements.txt" python)
export PATH="$tools/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
"$root/scripts/deps.sh" test
if [ -z "${PEFT_PROGRAMS-}" ]; then
    quietly cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release
    quietly cmake --build "$build" --target finetune predict phantom
    PEFT_PROGRAMS=$build/examples
fi
export PEFT_PROGRAMS

echo "== python: the wheel"
quietly pip wheel --no-deps --no-build-isolation -C build-dir="$(dirname "$build")/python" -w "$wheels" "$package"
wheel=$(ls "$wheels"/libpeft-*.whl)
echo "$(basename "$wheel"): $(wc -c < "$wheel") bytes"
quietly "${PYTHON:-python3}" -m venv "$work/venv"
quietly "$work/venv/bin/pip" install "$(grep '^numpy==' "$package/tests/requirements.txt")" "$wheel"

echo "== python: tests"
unset PEFT_LIBRARIES PYTHONPATH
cp -r "$package/tests" "$work/tests"            # the package is the installed one, not that of the checkout
(cd "$work" && PEFT_CHECKOUT="$root" venv/bin/python -W error::ResourceWarning -m unittest discover -s tests)
(cd "$work" && venv/bin/python tests/overhead.py)

echo "== python: what the wheel needs of the system"
auditwheel show "$wheel" || true
if auditwheel repair -w "$work/repaired" "$wheel" > "$work/log" 2>&1; then
    repaired=$(ls "$work"/repaired/*.whl)
    quietly "$work/venv/bin/pip" install --force-reinstall --no-deps "$repaired"
    (cd "$work" && PEFT_CHECKOUT="$root" venv/bin/python -m unittest discover -s tests -p 'test_p*.py')
    echo "$(basename "$repaired"): $(wc -c < "$repaired") bytes, with the libraries that it needs"
else
    echo "auditwheel repair fails:"
    tail -n 5 "$work/log"
    exit 1
fi
