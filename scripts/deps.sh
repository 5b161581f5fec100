#!/bin/sh
# Installs what a build and the tests need, as root or with sudo. Does nothing, and asks nobody, when all is there.
set -eu

# Libraries that the program links, each with its headers.
packages='libgrpc-dev libp11-kit-dev libprotobuf-c-dev libssl-dev libtss2-dev libyaml-dev pkg-config'
# Loaded only when metrics, or a Vault backend, are wanted.
packages="$packages libcurl4-openssl-dev libmicrohttpd-dev"
# A token, and the tool that makes it: for the demo and the tests.
packages="$packages opensc softhsm2"
# Tests only: a module that logs PKCS#11 calls, a foreign gRPC client, the process list; systemd to check
# deploy/ and to sign PCR values (nothing of it is started).
packages="$packages opensc-pkcs11 procps python3-grpc-tools python3-grpcio python3-pkg-resources python3-yaml systemd"
# Tests only: other PKCS#11 modules than SoftHSM, and what they need (NSS, a TPM in software, p11-kit's remoting).
packages="$packages libnss3 libnss3-tools libtpm2-pkcs11-1 openssl p11-kit p11-kit-modules swtpm swtpm-tools"
# Tests only: TPM seals opened by other tools (libtss2-dev brings all of tpm2-tss's ways to a TPM, pcap among them).
packages="$packages tpm2-tools"
# Generated code and lint.
packages="$packages libprotobuf-dev protobuf-c-compiler shellcheck"

fail() {
    echo "deps: $1" >&2
    [ $# -eq 1 ] || echo "  $2" >&2
    exit 1
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    fail 'this is not a Debian: packages cannot be installed here' \
        "install the equivalents of: $packages; then use swift build and swift test"
fi

missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
    [ "$status" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "packages are missing:$missing" \
            "run as root: apt-get update && apt-get install --no-install-recommends$missing"
        as_root=sudo
    fi
    echo "deps: installing$missing"
    options='-qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0'
    # Old lists may still do.
    # shellcheck disable=SC2086 # lists of words
    $as_root apt-get $options update || echo 'deps: the package lists could not be renewed' >&2
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get $options install -y --no-install-recommends $missing >/dev/null ||
        fail "packages could not be installed:$missing" 'the lines above say why'
fi

command -v "${SWIFT:-swift}" >/dev/null || fail 'swift is not in PATH' 'install Swift 6.3 or later for Debian 12'
version=$("${SWIFT:-swift}" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)
# shellcheck disable=SC2086 # two words
set -- $version
if [ $# -eq 2 ] && { [ "$1" -lt 6 ] || { [ "$1" -eq 6 ] && [ "$2" -lt 3 ]; }; }; then
    fail "this is Swift $1.$2" 'install Swift 6.3 or later'
fi
