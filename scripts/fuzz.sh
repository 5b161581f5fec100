#!/bin/sh
# Runs the fuzzers: fuzz.sh SECONDS [TARGET]... (default: all of them, each for SECONDS). See Tests/Fuzz/README.md.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:?usage: fuzz.sh SECONDS [TARGET]...}
shift
folder=.build/fuzz
program=$folder/release/Fuzz

echo 'fuzz: build'
# Optimized, or it would be too slow to find much; testable, since the formats' types are internal.
TROUSSEAU_FUZZ=1 "${SWIFT:-swift}" build -c release --product Fuzz --scratch-path "$folder" \
    --sanitize=fuzzer --sanitize=address -Xswiftc -enable-testing

# The sanitizer reads the inner quotes: the path may have spaces.
# shellcheck disable=SC2089
LSAN_OPTIONS="suppressions='$(pwd -P)/scripts/leaks.supp':print_suppressions=0"
# shellcheck disable=SC2090
export LSAN_OPTIONS
known=$("$program")
[ $# -gt 0 ] || eval "set -- $(echo "$known" | tr '\n' ' ')"

# One process a core. What libFuzzer says goes to a file, since only a finding is of interest.
workers=$(nproc)
mkdir -p "$folder/findings" "$folder/logs"

fuzz() {
    target=$1
    corpus=$folder/corpus/$target
    mkdir -p "$corpus"
    export TROUSSEAU_FUZZ_TARGET="$target"
    TROUSSEAU_FUZZ_SEEDS=$corpus "$program" || {
        echo "fuzz: $target: its seeds could not be made"
        return 1
    }
    set -- "$corpus"
    [ ! -d "Tests/Fuzz/Regressions/$target" ] || set -- "$@" "Tests/Fuzz/Regressions/$target"
    log=$folder/logs/$target.log
    # No input that any of these takes is longer.
    "$program" -max_total_time="$seconds" -max_len=40000 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$folder/findings/$target-" "$@" >"$log" 2>&1 || {
        echo "fuzz: $target: a finding, see $log"
        grep -aE 'Fatal error|ERROR: |SUMMARY: |Test unit written' "$log" | head -n 12 || :
        return 1
    }
    echo "fuzz: $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
}

total=$#
failed=0
running=
for target; do
    fuzz "$target" &
    running="$running $!"
    # shellcheck disable=SC2086 # a list
    set -- $running
    if [ $# -ge "$workers" ]; then
        wait "$1" || failed=1
        running=$(echo "$running" | sed 's/^ *[0-9]* *//')
    fi
done
for process in $running; do wait "$process" || failed=1; done
[ "$failed" -eq 1 ] || echo "fuzz: $total targets, $seconds s each, no findings"
exit "$failed"
