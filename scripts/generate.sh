#!/bin/sh
# Generates Sources/CKMSProto from proto/; with --check, only compares, for CI.
set -eu
cd "$(dirname "$0")/.."

check=no
[ "${1:-}" != --check ] || check=yes

generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
# protobuf-c.proto, which the files import, is a package's.
protoc-c --proto_path=proto --proto_path=/usr/include --c_out="$generated" \
    control.proto keyring.proto kms_v1beta1.proto kms_v2.proto

different=
for file in "$generated"/*; do
    name=${file##*/}
    case $name in
    *.h) committed=Sources/CKMSProto/include/$name ;;
    *) committed=Sources/CKMSProto/$name ;;
    esac
    cmp -s "$file" "$committed" && continue
    different="$different $committed"
    [ "$check" = yes ] || cp "$file" "$committed"
done

if [ -z "$different" ]; then
    echo 'generate: Sources/CKMSProto is what proto/ says'
elif [ "$check" = no ]; then
    echo "generate: wrote$different"
else
    echo "generate: not what proto/ says:$different" >&2
    echo '  run make generate and commit the result' >&2
    exit 1
fi
