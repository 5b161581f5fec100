#!/bin/sh
# Everything about the sources that can be said without building them. Warnings of the compiler are errors by
# Package.swift; which module may import what is a test (Tests/LayeringTests).
set -eu
cd "$(dirname "$0")/.."

echo 'lint: swift format'
"${SWIFT:-swift}" format lint --strict --parallel --recursive Package.swift Sources Tests
echo 'lint: shellcheck'
# SC2317: functions that only a trap calls.
shellcheck -x -e SC2317 .ci/run scripts/*.sh softhsm-fixtures/*.sh
echo 'lint: generated code'
scripts/generate.sh --check
