#!/bin/sh
# `make bench [BENCH_SECONDS=5] [WITH=tpm|vault]`: what a plugin on a SoftHSM token does, with 1 and with 16 calls at the
# same time. WITH compares two plugins, both running, one of them with that backend beside the token: asked in turns by
# one client, medians of five turns each.
set -eu
cd "$(dirname "$0")/.."
. scripts/plugin.sh

seconds=${1:-5}
with=${2:-}
case $with in
'' | tpm | vault) ;;
*) fail "WITH=$with is not known" 'it is tpm or vault' ;;
esac
server=
first_server=
place=$(mktemp -d)
elsewhere=
ended() {
    stop
    server=$first_server
    stop
    release_devices
    rm -rf "$place"
    [ -z "$elsewhere" ] || printf '%s' "$elsewhere" | while read -r path; do rm -rf "$path"; done
}
trap ended EXIT
trap 'exit 130' INT TERM HUP

# begin NAME KIND...: a plugin in a folder of that name.
begin() {
    log=$place/$1.log
    name=$1
    shift
    prepare "$place/$name" "$@"
    # Where the path of a socket would be too long.
    case $sockets in
    "$place"/*) ;;
    *) elsewhere="$elsewhere$sockets
" ;;
    esac
    start 2>"$log"
}

if [ -z "$with" ]; then
    begin local hsm
    for concurrency in 1 16; do
        echo
        echo "==> $concurrency at a time, $seconds s each"
        "$program" bench --socket "$socket" --concurrency "$concurrency" --duration "${seconds}s" --pid "$server"
    done
    exit
fi

begin without hsm >/dev/null
first_server=$server
first_socket=$socket
begin with hsm "$with" >/dev/null
# No backend is idle from its first probe on, which loads its library.
tries=0
while "$program" status --config "$config" --output json | grep -q '"state": *"unknown"'; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail 'a backend was not asked within a minute'
    sleep 0.2
done

# How often the device of WITH was asked.
asked() {
    "$program" status --config "$config" --output json | awk -v RS='[{}]' -v kind="\"$with\"" '
        index($0, "\"kind\"") && index($0, kind) && match($0, /"calls": *[0-9]+/) {
            number = substr($0, RSTART, RLENGTH)
            sub(/.*: */, "", number)
            print number
            exit
        }'
}

before=$(asked)
measured=$place/measured
for turn in 1 2 3 4 5; do
    echo "turn $turn of 5, $seconds s for each of five operations, twice" >&2
    "$program" bench --socket "$first_socket" --concurrency 16 --duration "${seconds}s" --pid "$first_server" |
        sed 's/^/without /' >>"$measured"
    "$program" bench --socket "$socket" --concurrency 16 --duration "${seconds}s" --pid "$server" |
        sed 's/^/with /' >>"$measured"
done
after=$(asked)

# median WHICH OPERATION COLUMN
median() {
    awk -v which="$1" -v operation="$2" -v column="$3" '$1 == which && $2 == operation { print $column }' "$measured" |
        sort -n | sed -n 3p
}

echo
printf '%-12s %12s %12s %7s %12s %12s %7s\n' OPERATION 'CPU µs/op' "with $with" ratio 'calls/s' "with $with" ratio
for operation in status encrypt decrypt v1-encrypt v1-decrypt; do
    awk -v operation="$operation" -v a="$(median without "$operation" 9)" -v b="$(median with "$operation" 9)" \
        -v c="$(median without "$operation" 3)" -v d="$(median with "$operation" 3)" 'BEGIN {
            printf "%-12s %11s %12s %7.2f %12s %12s %7.2f\n", operation, a, b, b / a, c, d, d / c
        }'
done
awk -v a="$(median without v1-decrypt 10)" -v b="$(median with v1-decrypt 10)" \
    'BEGIN { printf "resident     %8.1f MB without, %.1f MB with: %+.1f MB\n", a, b, b - a }'
awk -v calls="$((after - before))" \
    '$1 == "with" && $3 ~ /^[0-9]+$/ { served += $3 * '"$seconds"' }
    END { printf "requests     %d, and %d calls to the backend in the same time\n", served, calls }' "$measured"
