# SPDX-License-Identifier: MIT
# Sourced by the scripts that build: finds out what a machine lacks and installs it
# with apt-get. Packages are named as in Debian.

# Is what the package brings there already, from wherever?
package_is_there() {
  case $1 in
    g++) command -v c++ > /dev/null && command -v cc > /dev/null ;;
    ninja-build) command -v ninja > /dev/null ;;
    qemu-utils) command -v qemu-img > /dev/null ;;
    libvmdk-utils) command -v vmdkinfo > /dev/null ;;
    zlib1g-dev) pkg-config --exists zlib 2> /dev/null ;;
    libdeflate-dev) pkg-config --exists libdeflate 2> /dev/null ;;
    libcmocka-dev) pkg-config --exists cmocka 2> /dev/null ;;
    nettle-dev) pkg-config --exists nettle 2> /dev/null ;;
    libcli11-dev) pkg-config --exists CLI11 2> /dev/null ;;
    nlohmann-json3-dev) pkg-config --exists nlohmann_json 2> /dev/null ;;
    *) command -v "$1" > /dev/null ;;
  esac
}

# Prints those of the named packages that are missing.
missing_packages() {
  missing=
  for package in "$@"; do
    package_is_there "$package" || missing="$missing $package"
  done
  echo $missing
}

# Runs apt-get as root. Output goes to a file that is shown only if it fails.
run_apt_get() {
  if [ "$(id -u)" -eq 0 ]; then
    DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@"
  elif command -v sudo > /dev/null; then
    sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@"
  else
    echo "neither root nor sudo"
    return 1
  fi
}

apt_lists_are_fresh=
apt_install() {
  command -v apt-get > /dev/null || return 1
  apt_log=$(mktemp)
  if [ -z "$apt_lists_are_fresh" ]; then
    run_apt_get update > "$apt_log" 2>&1 || true
    apt_lists_are_fresh=yes
  fi
  if run_apt_get install --no-install-recommends "$@" >> "$apt_log" 2>&1; then
    rm -f "$apt_log"
    return 0
  fi
  tail -n 5 "$apt_log" >&2
  rm -f "$apt_log"
  return 1
}

# Installs what is missing of packages that must be there; fails if that cannot be done.
require_packages() {
  wanted=$(missing_packages "$@")
  [ -n "$wanted" ] || return 0
  echo "installing: $wanted"
  # shellcheck disable=SC2086
  apt_install $wanted || true
  wanted=$(missing_packages "$@")
  [ -n "$wanted" ] || return 0
  echo "These are needed and could not be installed (names as in Debian): $wanted" >&2
  return 1
}

# The same for packages that are of use only: what cannot be had is named.
want_packages() {
  wanted=$(missing_packages "$@")
  [ -n "$wanted" ] || return 0
  echo "installing: $wanted"
  # shellcheck disable=SC2086
  apt_install $wanted || true
  wanted=$(missing_packages "$@")
  [ -z "$wanted" ] || echo "not there, so what needs it is skipped: $wanted"
}
