#!/bin/sh
# Makes an isolated SoftHSM token in a folder of its own: nothing outside the folder is touched, any user may run it.
#
#   new-token.sh DIR [LABEL]        a store in DIR with one token (default label: trousseau)
#   new-token.sh DIR ANOTHER-LABEL  one more token in the same store
#
# Prints lines for `eval` or a file to source; see README.md. PINs are random, in files of mode 0600; they reach
# pkcs11-tool through its environment and never stand on a command line, where every user of the machine could read
# them (softhsm2-util takes them only there, or from a terminal).
set -eu
umask 077

usage='usage: new-token.sh DIR [LABEL]'
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "$usage" >&2
    exit 2
fi
label=${2:-trousseau}
case $label in
'' | *[!A-Za-z0-9._-]*) echo "new-token.sh: label \"$label\": use letters, digits, '.', '_' and '-'" >&2; exit 2 ;;
esac
[ ${#label} -le 32 ] || { echo "new-token.sh: label \"$label\" is longer than 32 bytes" >&2; exit 2; }
command -v pkcs11-tool >/dev/null || { echo 'new-token.sh: pkcs11-tool is missing: install opensc' >&2; exit 1; }

# The module's place differs between distributions and architectures.
module=${SOFTHSM2_MODULE:-}
for candidate in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
    /usr/lib64/pkcs11/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so; do
    [ -n "$module" ] || { [ -f "$candidate" ] && module=$candidate; } || :
done
[ -f "$module" ] || { echo 'new-token.sh: libsofthsm2.so not found: set SOFTHSM2_MODULE' >&2; exit 1; }

mkdir -p "$1"
dir=$(cd "$1" && pwd -P)
here=$(cd "$(dirname "$0")" && pwd -P)
mkdir -p "$dir/tokens"
chmod 700 "$dir" "$dir/tokens"

export SOFTHSM2_CONF="$dir/softhsm2.conf"
# A folder may hold any character but a line break; sed's replacement needs three of them escaped.
escaped=$(printf '%s' "$dir" | sed 's/[\\&|]/\\&/g')
conf=$(sed "s|@DIR@|$escaped|g" "$here/softhsm2.conf.in")
# Anew only when the store was moved: a running process may read it at any time.
if [ ! -e "$SOFTHSM2_CONF" ] || [ "$conf" != "$(cat "$SOFTHSM2_CONF")" ]; then
    printf '%s\n' "$conf" >"$SOFTHSM2_CONF.new"
    mv "$SOFTHSM2_CONF.new" "$SOFTHSM2_CONF"
fi

random_pin() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

pin_file=$dir/$label.pin
so_pin_file=$dir/$label.so-pin
if [ ! -e "$dir/$label.made" ]; then
    random_pin >"$pin_file"
    random_pin >"$so_pin_file"
    TROUSSEAU_PIN=$(cat "$pin_file")
    TROUSSEAU_SO_PIN=$(cat "$so_pin_file")
    export TROUSSEAU_PIN TROUSSEAU_SO_PIN
    # What an interrupted run left would be a second token of this label.
    softhsm2-util --module "$module" --delete-token --token "$label" >/dev/null 2>&1 || :
    # SoftHSM always shows one token that is not initialized, as the last one.
    slot=$(pkcs11-tool --module "$module" --list-slots 2>/dev/null | sed -n 's/^Slot \([0-9]*\) .*/\1/p' | tail -n 1)
    if ! {
        pkcs11-tool --module "$module" --init-token --slot-index "${slot:-0}" --label "$label" \
            --so-pin env:TROUSSEAU_SO_PIN &&
            pkcs11-tool --module "$module" --token-label "$label" --init-pin --login --login-type so \
                --so-pin env:TROUSSEAU_SO_PIN --new-pin env:TROUSSEAU_PIN
    } >"$dir/$label.log" 2>&1; then
        cat "$dir/$label.log" >&2
        echo 'new-token.sh: the token could not be made' >&2
        exit 1
    fi
    unset TROUSSEAU_PIN TROUSSEAU_SO_PIN
    rm -f "$dir/$label.log"
    : >"$dir/$label.made"
fi

quote() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }
cat <<LINES
export SOFTHSM2_CONF=$(quote "$SOFTHSM2_CONF")
export TROUSSEAU_TEST_MODULE=$(quote "$module")
export TROUSSEAU_TEST_TOKEN=$(quote "$label")
export TROUSSEAU_TEST_PIN_FILE=$(quote "$pin_file")
LINES
