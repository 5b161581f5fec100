#!/bin/sh
# `make run`: a plugin that a kube-apiserver can use, its KEK sealed by a SoftHSM token, all in ./local. Made once and
# used again: the same token, keyring and key_id each time.
# BACKEND=tpm: by a TPM in software (swtpm). BACKEND=both: by either, and it is shown that with one of them stopped the
# other one opens the keyring.
set -eu
cd "$(dirname "$0")/.."
. scripts/plugin.sh

# Job control, where there is a terminal and it is ours: then its Ctrl-C reaches this script and not make, which would
# call it an error.
job_control=no
group=$(ps -o pgid= -p $$ | tr -d ' ')
terminal=$(ps -o tpgid= -p $$ | tr -d ' ')
if [ -t 0 ] && [ "$group" = "$terminal" ] && set -m 2>/dev/null; then job_control=yes; fi

server=
stopping=no
# The first signal ends the plugin after the calls in flight, the second one at once, as if it had come to it.
signalled() {
    stopping=yes
    [ -z "$server" ] || kill -TERM "$server" 2>/dev/null || :
}
trap signalled INT TERM HUP

# TROUSSEAU_LOCAL is for a second one on the same machine. Each choice has a keyring of its own.
backend=${BACKEND:-hsm}
local_folder=${TROUSSEAU_LOCAL:-$root/local}
[ "$backend" = hsm ] || local_folder=$local_folder/$backend
trap stop_tpm EXIT
prepare "$local_folder" "$backend"
[ "$stopping" = no ] || exit 0
echo '==> start'
start
if [ "$stopping" = no ]; then
    echo
    echo '==> one round trip, as kube-apiserver makes it'
    sealed=$folder/sealed.json
    text='thirty-two bytes, as a DEK seed.'
    printf '%s' "$text" | "$program" kms encrypt --socket "$socket" >"$sealed"
    echo "plaintext   $text"
    sed -n 's/.*"ciphertext": *"\([^"]*\)".*/ciphertext  \1/p; s/.*"keyID": *"\([^"]*\)".*/key_id      \1/p' "$sealed"
    opened=$("$program" kms decrypt --socket "$socket" --in "$sealed")
    echo "decrypted   $opened"
    [ "$opened" = "$text" ] || {
        stop
        fail 'the round trip failed'
    }
    if [ "$backend" = both ]; then
        . scripts/either.sh
        show_either
    fi
    echo
    echo '==> for kube-apiserver (--encryption-provider-config)'
    "$program" encryption-config --socket "$socket"
    cat <<TEXT

==> the plugin serves
socket         $socket
configuration  $config
in another shell, from this folder:
  .build/release/trousseau status --config $(word "$config")
  SOFTHSM2_CONF=$(word "$SOFTHSM2_CONF") .build/release/trousseau doctor --config $(word "$config")
  echo hello | .build/release/trousseau kms encrypt --socket $(word "$socket") >sealed.json
  .build/release/trousseau kms decrypt --socket $(word "$socket") --in sealed.json
Ctrl-C ends it.

TEXT
fi
# One command: with job control, dash prints before the next one how the job has ended.
{
    await
    if [ "$stopping" = yes ] && [ "$status" -eq 0 ]; then echo 'The plugin has ended.'; fi
    exit "$status"
}
