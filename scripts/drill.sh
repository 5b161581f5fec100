# shellcheck shell=sh
# shellcheck disable=SC2154 # names of run.sh and plugin.sh
# For run.sh, to be sourced: with either device stopped, a restarted plugin opens the keyring by the other one.

opened_by() {
    "$program" status --config "$config" --output json | sed -n 's/.*"openedBy": *"\([^"]*\)".*/\1/p' | head -n 1
}

# restart_with WHAT EXPECTED: restarts the plugin, and fails unless that backend opens what was sealed before.
restart_with() {
    stop
    start
    [ "$stopping" = no ] || return 0
    by=$(opened_by)
    opened=$("$program" kms decrypt --socket "$socket" --in "$sealed")
    echo "$1: opened by $by, decrypted: $opened"
    if [ "$by" != "$2" ] || [ "$opened" != "$text" ]; then
        stop
        fail "with $1, $2 should have opened it"
    fi
}

show_either() {
    echo
    echo '==> either one stopped, the plugin restarted'
    stop_tpm
    restart_with 'the TPM stopped' softhsm
    start_tpm "$folder"
    mv "$folder/hsm/tokens" "$folder/hsm/tokens.away"
    restart_with 'the HSM gone' swtpm
    mv "$folder/hsm/tokens.away" "$folder/hsm/tokens"
    restart_with 'both there' swtpm
}
