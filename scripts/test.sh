#!/bin/sh
# Every test, one stage after the other, and one summary at the end. The output of a stage goes to a file, and here
# only when it fails.
#
#   test.sh [STAGE]...      stages: tests address thread fuzz (default: all)
set -eu
cd "$(dirname "$0")/.."

swift=${SWIFT:-swift}
logs=.build/test-logs
[ $# -gt 0 ] || set -- tests address thread fuzz

# Runs of their own: what computes for seconds and what starts many processes would keep the tests that wait for events
# from them on two cores. Everything else is the last run.
computing='^(CryptoTests|RecoveryBackendTests)\.'
devices='^(EndToEndTests|PKCS11BackendTests)\.'
services='^(TPMBackendTests|VaultBackendTests)\.'
# Every combination of three backends' states: 625 services, beside real devices that are mostly waited for.
failures='^(KeyringTests\.FailureTests|EndToEndTests\.FailureTableTests)'

# What the sanitizers watch: the code that handles memory and threads by itself.
core='^(CryptoTests|KMSServerTests)\.'
keyring='^KeyringTests\.'
# Not there: memory locks, which the sanitizers turn off; a search through all memory, which they make terabytes of;
# the heap's size, to which they add; a million encryptions, which the first stage has made.
not_core='CryptoTests\.(ProcessHardeningTests|SecretBytesTests/(residue|leaks)|XAES256GCMTests/accumulated)'

leaks="suppressions='$(pwd -P)/scripts/leaks.supp':print_suppressions=0"

# Seconds after which a stage hangs rather than works, its build included.
limit=1200

child=
interrupted() {
    trap - INT TERM
    [ -z "$child" ] || kill -TERM "$child"
    exit 130
}
trap interrupted INT TERM

# timeout leads a process group, so that it can end everything below it; the terminal's Ctrl-C does not reach that.
run() {
    timeout --kill-after=30 "$limit" "$@" </dev/null &
    child=$!
    status=0
    wait "$child" || status=$?
    child=
    return "$status"
}

# The keyring in a run of its own: slowed down, its tests keep those that wait for events from the pool's two threads.
sanitized() {
    failed_runs=0
    run "$swift" test --sanitize="$1" --scratch-path ".build/$1" --disable-xctest \
        --filter "$core" --skip "$not_core" || failed_runs=1
    run "$swift" test --sanitize="$1" --scratch-path ".build/$1" --skip-build --disable-xctest \
        --filter "$keyring" --skip "$failures" || failed_runs=1
    return "$failed_runs"
}

stage() {
    case $1 in
    tests)
        run "$swift" build --build-tests || return
        failed_runs=0
        run "$swift" test --skip-build --disable-xctest --filter "$computing" || failed_runs=1
        run "$swift" test --skip-build --disable-xctest --filter "$devices" --skip "$failures" || failed_runs=1
        run "$swift" test --skip-build --disable-xctest --filter "$services" || failed_runs=1
        run "$swift" test --skip-build --disable-xctest --filter "$failures" || failed_runs=1
        run "$swift" test --skip-build --disable-xctest --skip "$computing" --skip "$devices" --skip "$services" \
            --skip "$failures" || failed_runs=1
        return "$failed_runs"
        ;;
    address)
        export ASAN_OPTIONS=detect_stack_use_after_return=1
        export LSAN_OPTIONS="$leaks"
        sound=0
        sanitized address || sound=1
        unset ASAN_OPTIONS LSAN_OPTIONS
        return "$sound"
        ;;
    thread) sanitized thread ;;
    fuzz)
        run scripts/fuzz.sh "${FUZZ_SECONDS:-10}"
        ;;
    esac
}

title() {
    case $1 in
    tests) echo 'all tests, the program and foreign clients included' ;;
    address) echo 'core tests under AddressSanitizer' ;;
    thread) echo 'core tests under ThreadSanitizer' ;;
    fuzz) echo 'fuzzers, a short while each' ;;
    *)
        echo "test.sh: unknown stage \"$1\"" >&2
        exit 2
        ;;
    esac
}

mkdir -p "$logs"
summary=
failed=0
for stage; do title "$stage" >/dev/null; done
for stage; do
    echo "==> $stage: $(title "$stage")"
    log=$logs/$stage.log
    started=$(date +%s)
    result=passed
    stage "$stage" >"$log" 2>&1 || result=FAILED
    seconds=$(($(date +%s) - started))
    if [ "$result" = passed ]; then
        counts=$(awk '/Test run with [0-9]+ tests? in .* passed/ {
                sub(/.*Test run with /, ""); tests += $1; suites += $4
            }
            /^fuzz: .*, no findings$/ { sub(/^fuzz: /, ""); print }
            END { if (tests) print tests " tests in " suites " suites" }' "$log")
    else
        failed=1
        counts="see $log"
        [ "$status" -ne 124 ] || counts="not done within $limit s; $counts"
        grep -aE '✘|error:|ERROR: |WARNING: ThreadSanitizer|SUMMARY: |^fuzz: ' "$log" | head -n 60 || :
        echo "--- the end of $log"
        tail -n 60 "$log"
        echo '---'
    fi
    line=$(printf '%-8s %-7s %4d s  %s' "$stage" "$result" "$seconds" "$counts")
    echo "    $result after $seconds s${counts:+: $counts}"
    summary="$summary$line
"
done

echo
echo 'Summary'
printf '%s' "$summary" | sed 's/^/  /'
exit "$failed"
