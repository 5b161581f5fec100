# shellcheck shell=sh
# Functions for run.sh and bench.sh, to be sourced: a plugin on a SoftHSM token, and on other devices, in a folder, with a
# configuration that fits whoever runs it. Needs the release build, or another one that TROUSSEAU_PROGRAM names.

# The caller has gone to the repository's root.
root=$(pwd -P)
program=${TROUSSEAU_PROGRAM:-$root/.build/release/trousseau}

fail() {
    echo "$1" >&2
    [ $# -eq 1 ] || echo "  $2" >&2
    exit 1
}

# A path as a word for the shell.
word() {
    case $1 in
    *[!A-Za-z0-9/._-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

# A path in YAML's double quotes.
quoted() {
    printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"
}

bytes() {
    printf '%s' "$1" | wc -c
}

# Whether the plugin may not lock its memory: a limit, and no CAP_IPC_LOCK (bit 14).
memory_lock_is_limited() {
    [ "$(awk '/^Max locked memory/ { print $5 }' /proc/self/limits)" != unlimited ] || return 1
    case $(awk '/^CapEff:/ { print $2 }' /proc/self/status) in
    *[4567cdef]???) return 1 ;;
    esac
}

# Sets sockets: where the two sockets' folders are. A socket's path has at most 107 bytes, so a clone that lies too deep
# gets a private folder elsewhere, the same one each time.
choose_sockets() {
    sockets=$1/sockets
    [ "$(bytes "$sockets/control/control.sock")" -gt 107 ] || return 0
    number=$(printf '%s' "$1" | cksum | cut -d ' ' -f 1)
    for place in "${XDG_RUNTIME_DIR:-/tmp}" /tmp; do
        sockets=$place/trousseau-$(id -u)-$number
        if [ -d "$place" ] && [ -w "$place" ] && [ "$(bytes "$sockets/control/control.sock")" -le 107 ]; then
            # In a folder that all may write to, another user could have been first.
            mkdir -m 700 "$sockets" 2>/dev/null || [ -d "$sockets" ] || continue
            [ -n "$(find "$sockets" -prune -type d -user "$(id -u)" -perm 700)" ] ||
                fail "$sockets is not a private folder of yours" 'remove it'
            return 0
        fi
    done
    fail "no place for a socket: $1 is too long a path, and /tmp is not writable"
}

. scripts/devices.sh

# Whether prepare was asked for this kind of backend.
has() {
    case " $kinds " in *" $1 "*) ;; *) return 1 ;; esac
}

# The items of the configuration's list, in their order.
backend_items() {
    for kind in $kinds; do
        case $kind in
        hsm)
            cat <<YAML
- name: softhsm
  pkcs11:
    module: $(quoted "${TROUSSEAU_TEST_MODULE:?}")
    key: "pkcs11:token=trousseau;object=kek-sealer"
    pinSource: $(quoted "${TROUSSEAU_TEST_PIN_FILE:?}")
YAML
            ;;
        tpm)
            cat <<YAML
- name: swtpm
  tpm: {device: $(quoted "$tpm_device")}
YAML
            ;;
        vault)
            cat <<YAML
- name: vault
  vault:
    address: "https://127.0.0.1:$vault_port"
    key: trousseau
    appRole: {roleIDFile: $(quoted "$vault_folder/role-id"), secretIDFile: $(quoted "$vault_folder/secret-id")}
    tls: {caFile: $(quoted "$vault_folder/ca.pem")}
YAML
            ;;
        esac
    done
}

# prepare FOLDER KIND...: devices, configuration and keyring, or those that are there already. KIND is hsm (SoftHSM), tpm
# (swtpm) or vault (its stand-in), in the order of unsealing. Sets config, socket and kinds; the caller releases the
# devices at its end.
prepare() {
    folder=$1
    shift
    kinds=$*
    case $folder in
    *"
"* | *"	"*) fail "$folder: a line break or tab in a path" 'move the clone to another folder' ;;
    esac
    # What it makes is its user's alone; so are the secrets in it.
    umask 077
    mkdir -p "$folder"
    [ -n "$(find "$folder" -prune -user "$(id -u)")" ] ||
        fail "$folder belongs to another user" 'remove it, or run as that user'
    return_hsm
    lines=$(softhsm-fixtures/new-token.sh "$folder/hsm" trousseau) || exit 1
    eval "$lines"

    choose_sockets "$folder"
    mkdir -p "$sockets/kms" "$sockets/control"
    if has tpm; then start_tpm "$folder"; fi
    if has vault; then start_vault "$folder"; fi
    socket=$sockets/kms/kms.sock
    config=$folder/config.yaml
    unlocked=false
    if memory_lock_is_limited; then
        unlocked=true
        echo 'The limit on locked memory (ulimit -l) is too low here: keys may reach swap. A real plugin would not start.'
    fi
    cat >"$config" <<YAML
# Made by scripts/plugin.sh, anew at each run.
apiVersion: trousseau/v1alpha1
kind: PluginConfiguration
keyring:
  name: demo
  directory: $(quoted "$folder/keyring")
server:
  socket: {path: $(quoted "$socket"), allowUsers: [$(id -u)]}
  control: {path: $(quoted "$sockets/control/control.sock"), allowUsers: [$(id -u)]}
  allowUnlockedMemory: $unlocked
backends:
$(backend_items)
YAML
    # init writes the roles, and takes its mark away at the very end.
    if [ ! -e "$folder/keyring/roles" ] || [ -e "$folder/keyring/init-in-progress" ]; then
        "$program" init --generate-keys --config "$config"
    fi
}

# Starts the plugin, and waits until it answers. Sets server. The plugin gets no signals of the terminal, which would
# come in addition to ours: the second one ends it at once. It ends when this script is killed.
start() {
    if [ "${job_control:-no}" = yes ]; then
        setpriv --pdeathsig TERM -- "$program" serve --config "$config" &
    else
        setpriv --pdeathsig TERM -- setsid "$program" serve --config "$config" &
    fi
    server=$!
    # A signal that came before there was anybody to pass it on to.
    [ "${stopping:-no}" = no ] || kill -TERM "$server" 2>/dev/null || :
    tries=0
    until answer=$("$program" kms status --socket "$socket" --timeout 1s 2>&1); do
        kill -0 "$server" 2>/dev/null || {
            status=0
            wait "$server" || status=$?
            server=
            exit "$status"
        }
        tries=$((tries + 1))
        if [ "$tries" -ge 150 ]; then
            stop
            fail "the plugin does not answer: $answer"
        fi
        sleep 0.2
    done
}

# Waits until the plugin has ended, signals notwithstanding. Sets status to its exit code.
await() {
    while :; do
        status=0
        wait "$server" || status=$?
        kill -0 "$server" 2>/dev/null || break
    done
    server=
}

stop() {
    [ -n "${server:-}" ] || return 0
    kill -TERM "$server" 2>/dev/null || :
    await
}
