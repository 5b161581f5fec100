#!/bin/sh
# `make bench [BENCH_SECONDS=5]`: what a plugin on a SoftHSM token does, with 1 and with 16 calls at the same time.
set -eu
cd "$(dirname "$0")/.."
. scripts/plugin.sh

seconds=${1:-5}
server=
place=$(mktemp -d)
ended() {
    stop
    rm -rf "$place"
    case ${sockets:-} in "" | "$place"/*) ;; *) rm -rf "$sockets" ;; esac
}
trap ended EXIT
trap 'exit 130' INT TERM HUP

prepare "$place/local"
start 2>"$place/serve.log"
for concurrency in 1 16; do
    echo
    echo "==> $concurrency at a time, $seconds s each"
    "$program" bench --socket "$socket" --concurrency "$concurrency" --duration "${seconds}s" --pid "$server"
done
