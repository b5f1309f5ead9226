# Shared by the scripts here. Sourced, never run. Callers have set -euo pipefail.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
note() { printf '  %s\n' "$*"; }
fail() { printf '\nerror: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo "$@"; else
        fail "these packages are missing and neither root nor sudo is at hand to install them: $*"
    fi
}

# install_packages DEBIAN_NAMES FEDORA_NAMES BREW_NAMES: from the system's own packages.
install_packages() {
    note "installing from the system's packages: $1"
    if have apt-get; then
        as_root apt-get update -qq >/dev/null || true
        # shellcheck disable=SC2086
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $1 >/dev/null
    elif have dnf; then
        # shellcheck disable=SC2086
        as_root dnf install -y -q $2
    elif have brew; then
        # shellcheck disable=SC2086
        brew install --quiet $3
    else
        fail "no apt-get, dnf or brew here; please install: $1"
    fi
}

# The major version of a java command, such as 17; 0 if it does not run.
java_major() {
    local text
    text=$("$1" -version 2>&1 | sed -n 's/.*version "\([0-9.]*\).*/\1/p' | head -n 1)
    case $text in
        '') echo 0 ;;
        1.*) echo "${text#1.}" | cut -d. -f1 ;;
        *) echo "${text%%.*}" ;;
    esac
}

need_java() {
    local java=java
    [ -n "${JAVA_HOME:-}" ] && java=$JAVA_HOME/bin/java
    if [ "$(java_major "$java")" -lt 17 ]; then
        install_packages openjdk-17-jre-headless java-17-openjdk-headless openjdk
    fi
}

need_maven() { have mvn || install_packages maven maven maven; }

need_rust() {
    if ! have cargo && [ -f "$HOME/.cargo/env" ]; then
        # shellcheck disable=SC1091
        . "$HOME/.cargo/env"
    fi
    have cargo || fail "Rust is missing: install it with rustup (https://rustup.rs), then run this again."
    have cc || install_packages build-essential "gcc make" gcc
}

# Sets $terraform to the command to use: MSK_TERRAFORM, terraform or tofu.
find_terraform() {
    terraform=${MSK_TERRAFORM:-}
    if [ -z "$terraform" ]; then
        if have terraform; then terraform=terraform; elif have tofu; then terraform=tofu; else
            fail "neither terraform (1.11 or newer) nor tofu (1.11 or newer) is on PATH: install one with its own installer (https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install), then run this again."
        fi
    fi
    have "$terraform" || fail "MSK_TERRAFORM names \`$terraform\`, which is not on PATH."
}

# The platform in Terraform's words, such as linux_amd64.
platform() {
    local os arch
    os=$(uname -s | tr '[:upper:]' '[:lower:]')
    case $(uname -m) in
        x86_64 | amd64) arch=amd64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) fail "no build for $(uname -m) yet" ;;
    esac
    echo "${os}_${arch}"
}

target_directory() { echo "${CARGO_TARGET_DIR:-$root/target}"; }

# A private Python environment with the real clients of the checks: $root/.tools/python.
need_python_clients() {
    have python3 || install_packages "python3 python3-venv" python3 python
    local python=$root/.tools/python
    if [ ! -x "$python/bin/python" ] || ! "$python/bin/python" -c 'import confluent_kafka' 2>/dev/null; then
        python3 -m venv "$python" 2>/dev/null || { install_packages python3-venv python3 python; python3 -m venv "$python"; }
        "$python/bin/pip" install --quiet confluent-kafka
    fi
}

# What the machines of the AWS stand are made with.
need_machines() {
    PATH=$PATH:/usr/sbin:/sbin
    if ! have nft || ! have mkfs.xfs || ! have ip || ! have losetup || ! have curl; then
        install_packages "nftables xfsprogs iproute2 mount curl" "nftables xfsprogs iproute util-linux curl" ""
    fi
}

# Checkers of what runs on an instance, which nobody wants on a computer of their own: in CI only.
need_checkers() {
    [ -n "${CI:-}" ] || return 0
    have systemd-analyze || install_packages systemd systemd ""
    have cloud-init || install_packages "--no-install-recommends cloud-init" cloud-init ""
}

need_kcat() { have kcat || install_packages kcat kcat kcat; }
need_openssl() { have openssl || install_packages openssl openssl openssl; }

# Where `terraform init` and `tofu init` look by themselves.
plugin_directory=${MSK_PLUGIN_DIRECTORY:-$HOME/.terraform.d/plugins}

# install_provider PROFILE_DIRECTORY MIRROR_ROOT: puts both programs where a plain `init` finds them,
# for Terraform and for OpenTofu (their implied local mirror, unpacked layout). The files are replaced by
# rename, because a running plugin's file cannot be written.
install_provider() {
    local built=$1 mirror=$2 host directory file
    for host in registry.terraform.io registry.opentofu.org; do
        directory=$mirror/$host/terraform-provider-msk/msk/$version/$(platform)
        mkdir -p "$directory"
        for file in terraform-provider-msk msk-node; do
            local name=$file
            [ "$file" = terraform-provider-msk ] && name=${file}_v$version
            if ! cmp -s "$built/$file" "$directory/$name"; then
                cp "$built/$file" "$directory/.$name.new"
                chmod 0755 "$directory/.$name.new"
                mv -f "$directory/.$name.new" "$directory/$name"
            fi
        done
    done
}

# A `provider_installation` block in the CLI configuration hides the implied mirrors: say what to add.
check_cli_configuration() {
    local mirror=$1 file
    for file in "${TF_CLI_CONFIG_FILE:-}" "$HOME/.terraformrc" "$HOME/.tofurc" "${XDG_CONFIG_HOME:-$HOME/.config}/opentofu/tofurc"; do
        [ -n "$file" ] && [ -f "$file" ] || continue
        if grep -q 'provider_installation' "$file" && ! grep -qF "$mirror" "$file"; then
            fail "$file has a provider_installation block, which hides the directory of local providers.
Add this line inside that block, then run this again:

    filesystem_mirror { path = \"$mirror\" }
"
        fi
    done
}

# Prints a Python with the packages of the AWS stand, made in a cache directory the first time.
stand_python() {
    if [ -n "${MSK_STAND_PYTHON:-}" ]; then echo "$MSK_STAND_PYTHON"; return; fi
    local wanted=$root/tests/stand/requirements.txt sum place
    sum=$(cksum <"$wanted" | cut -d ' ' -f 1)
    place=${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-msk/stand-$sum
    mkdir -p "$(dirname "$place")"
    (
        # Tests that start at once wait for the first one.
        if have flock; then flock 9; fi
        [ ! -e "$place/complete" ] || exit 0
        have python3 || fail "python3 (3.11 or newer) with venv is needed for the AWS stand"
        rm -rf "$place"
        python3 -m venv "$place" >&2
        "$place/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted" >&2
        touch "$place/complete"
    ) 9>"$place.lock"
    echo "$place/bin/python"
}
