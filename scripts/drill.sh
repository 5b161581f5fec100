# shellcheck shell=sh
# shellcheck disable=SC2154 # names of run.sh and plugin.sh
# For run.sh, to be sourced: with each device stopped in turn, a restarted plugin opens the keyring by another one.

opened_by() {
    "$program" status --config "$config" --output json | sed -n 's/.*"openedBy": *"\([^"]*\)".*/\1/p' | head -n 1
}

# restart_with WHAT EXPECTED: restarts the plugin, and fails unless that backend opens what was sealed before.
restart_with() {
    [ "$stopping" = no ] || return 0
    stop
    [ "$stopping" = no ] || return 0
    start
    [ "$stopping" = no ] || return 0
    by=$(opened_by)
    opened=$("$program" kms decrypt --socket "$socket" --in "$sealed") || opened=
    # A signal may have ended the plugin in between.
    [ "$stopping" = no ] || return 0
    echo "$1: opened by $by, decrypted: $opened"
    if [ "$by" != "$2" ] || [ "$opened" != "$text" ]; then
        fail "with $1, $2 should have opened it"
    fi
}

# Backends are asked in the order swtpm, softhsm, vault.
show_drill() {
    echo
    echo '==> each device stopped in turn, the plugin restarted'
    stop_tpm
    restart_with 'the TPM stopped' softhsm
    if has vault; then
        take_hsm
        restart_with 'the TPM stopped and the HSM gone' vault
        return_hsm
    fi
    start_tpm "$folder"
    take_hsm
    restart_with 'the HSM gone' swtpm
    return_hsm
    if has vault; then
        stop_vault
        restart_with 'Vault stopped' swtpm
        start_vault "$folder"
        restart_with 'all three there' swtpm
    else
        restart_with 'both there' swtpm
    fi
}
