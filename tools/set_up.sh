# Sourced by tools/tarn, tools/test, .ci/run and the benchmarks: installs what tools/packages.txt and, for those two,
# tools/packages_tests.txt and tools/packages_benchmarks.txt list; configures and builds.
# `root` is the top of the checkout.
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)

# install_packages [tests|benchmarks|order]: installs the packages that are missing, or prints the one line to type.
# Without dpkg (another system) CMake finds out what is missing.
install_packages() {
  command -v dpkg-query >/dev/null || return 0
  local wanted missing
  wanted=$(sed 's/#.*//' "$root/tools/packages.txt" ${1:+"$root/tools/packages_$1.txt"} | xargs)
  missing=$(comm -23 <(tr ' ' '\n' <<<"$wanted" | sort) \
    <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null | awk '$1 == "ii" {print $2}' | sort) | xargs)
  [[ -n $missing ]] || return 0
  local install="apt-get update && apt-get install -y --no-install-recommends $missing"
  if [[ $(id -u) == 0 ]]; then
    echo "tarn: installing $missing" >&2
    bash -c "export DEBIAN_FRONTEND=noninteractive; $install" >&2
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    echo "tarn: installing $missing" >&2
    sudo -n bash -c "export DEBIAN_FRONTEND=noninteractive; $install" >&2
  else
    echo "tarn: some packages are missing; please type:" >&2
    echo "  sudo sh -c '$install'" >&2
    return 1
  fi
}

# build PRESET [TARGET…]: configures where that has not happened, and builds.
build() {
  local preset=$1
  shift
  if [[ ! -f $root/build/$preset/build.ninja ]]; then
    install_packages || return 1
    (cd "$root" && cmake --preset "$preset") >&2 || return 1
  fi
  cmake --build "$root/build/$preset" --target "${@:-all}" >&2
}
