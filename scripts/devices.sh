# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # names for and of plugin.sh
# For plugin.sh, to be sourced: the devices that seal, each of them started and stopped.

# await_device PROCESS LOG NAME COMMAND...: until COMMAND succeeds, for 15 seconds at most.
await_device() {
    device_process=$1 device_log=$2 device_name=$3
    shift 3
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 150 ] || ! kill -0 "$device_process" 2>/dev/null; then
            fail "$device_name does not start: $(cat "$device_log")"
        fi
        sleep 0.1
    done
}

# end_device PROCESS: ends it, if there is one.
end_device() {
    [ -n "$1" ] || return 0
    kill -TERM "$1" 2>/dev/null || :
    wait "$1" 2>/dev/null || :
}

# start_tpm FOLDER: a TPM in software with its state there; sets tpm and tpm_device. It ends with this script.
start_tpm() {
    command -v swtpm >/dev/null || fail 'swtpm is missing' 'make deps installs it'
    mkdir -p "$1/tpm-state"
    tpm_socket=$sockets/tpm.sock
    rm -f "$tpm_socket" "$tpm_socket.ctrl"
    setpriv --pdeathsig TERM -- swtpm socket --tpm2 --tpmstate dir="$1/tpm-state" \
        --server type=unixio,path="$tpm_socket" --ctrl type=unixio,path="$tpm_socket.ctrl" \
        --flags not-need-init,startup-clear >"$1/swtpm.log" 2>&1 &
    tpm=$!
    tpm_device="swtpm:path=$tpm_socket"
    await_device "$tpm" "$1/swtpm.log" swtpm test -S "$tpm_socket"
}

stop_tpm() {
    end_device "${tpm:-}"
    tpm=
}

# start_vault FOLDER: the stand-in of the tests for Vault, with TLS; its key, its certificates and its credentials are
# there. Sets vault and vault_port, which stays the same when it is started again. It ends with this script.
start_vault() {
    vault_folder=$1/vault
    mkdir -p "$vault_folder"
    if [ -z "${vault_port:-}" ]; then
        make_certificates "$vault_folder"
        # shellcheck disable=SC2016 # that is Markdown
        sed -n '/^```hcl$/,/^```$/p' docs/vault.md | sed '/^```/d' >"$vault_folder/policy.hcl"
        od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$vault_folder/root-token"
    fi
    setpriv --pdeathsig TERM -- python3 -B Tests/VaultStandIn/stand_in.py "$vault_folder" \
        --keep --port "${vault_port:-0}" >"$vault_folder/port" 2>"$vault_folder/log" &
    vault=$!
    await_device "$vault" "$vault_folder/log" "Vault's stand-in" vault_listens
}

# Sets vault_port, once it has said it.
vault_listens() {
    vault_port=$(sed -n 's/^listening \([0-9][0-9]*\)$/\1/p' "$vault_folder/port")
    [ -n "$vault_port" ]
}

stop_vault() {
    end_device "${vault:-}"
    vault=
}

# make_certificates FOLDER: an authority (ca.pem) and a server at 127.0.0.1 (server.pem, server.key), good for a month
# and made at each run. The authority's own key is not kept.
make_certificates() (
    cd "$1" || exit 1
    umask 077
    if ! {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 31 -subj '/CN=demo authority' \
            -keyout ca.key -out ca.pem -addext keyUsage=critical,keyCertSign,cRLSign &&
            openssl req -x509 -CA ca.pem -CAkey ca.key -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 31 \
                -subj /CN=server -keyout server.key -out server.pem -addext basicConstraints=critical,CA:false \
                -addext subjectAltName=IP:127.0.0.1 -addext extendedKeyUsage=serverAuth
    } >openssl.log 2>&1; then
        cat openssl.log >&2
        fail 'certificates for Vault could not be made' 'make deps installs openssl'
    fi
    rm ca.key
)

# The HSM away, and back. A run that ended in between has left it away: then prepare puts it back.
take_hsm() {
    mv "$folder/hsm/tokens" "$folder/hsm/tokens.away"
}

return_hsm() {
    [ -n "${folder:-}" ] && [ -d "$folder/hsm/tokens.away" ] || return 0
    # new-token.sh, or somebody, may have made an empty store in its place.
    if [ -e "$folder/hsm/tokens" ] && ! rmdir "$folder/hsm/tokens" 2>/dev/null; then
        fail "$folder/hsm has tokens and tokens.away" 'remove the one that is not wanted'
    fi
    mv "$folder/hsm/tokens.away" "$folder/hsm/tokens"
}

# Every device of prepare's as it was, or ended.
release_devices() {
    stop_tpm
    stop_vault
    return_hsm
}
