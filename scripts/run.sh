#!/bin/sh
# `make run`: a plugin that a kube-apiserver can use, its KEK sealed by a SoftHSM token, all in ./local. Made once and
# used again: the same token, keyring and key_id each time.
# BACKEND=tpm: by a TPM in software (swtpm). BACKEND=both: by either. BACKEND=all: by either and by the tests' stand-in for
# Vault. With several it is shown that with each of them stopped another one opens the keyring.
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
case $backend in
hsm | tpm) kinds=$backend ;;
both) kinds='tpm hsm' ;;
all) kinds='tpm hsm vault' ;;
*) fail "BACKEND=$backend is not known" 'it is hsm, tpm, both or all' ;;
esac
[ "$backend" = hsm ] || local_folder=$local_folder/$backend
# A step that fails ends the plugin, too. One that Ctrl-C has ended has not failed.
ended() {
    code=$?
    stop
    release_devices
    if [ "$stopping" = yes ] && [ "$code" -ge 128 ]; then
        echo 'The plugin has ended.'
        exit 0
    fi
}
trap ended EXIT
# shellcheck disable=SC2086 # a list
prepare "$local_folder" $kinds
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
    [ "$opened" = "$text" ] || fail 'the round trip failed'
    case $backend in
    both | all)
        . scripts/drill.sh
        show_drill
        ;;
    esac
fi
if [ "$stopping" = no ]; then
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
    status=0
    [ -z "$server" ] || await
    if [ "$stopping" = yes ] && [ "$status" -eq 0 ]; then echo 'The plugin has ended.'; fi
    stopping='done'
    exit "$status"
}
