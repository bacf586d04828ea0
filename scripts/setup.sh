#!/bin/bash
# Installs the Debian packages that are missing; does nothing where all are there.
#
#     scripts/setup.sh demo        what `make` and `make demo` need
#     scripts/setup.sh check       that, and what `make check`, lint and the fuzz targets need
#     scripts/setup.sh pretrained  what `make demo` and scripts/fetch_model.sh need
#     scripts/setup.sh oracle      what check needs, and PyTorch for `make check-oracle`
set -euo pipefail

demo="build-essential pkg-config libhdf5-dev libcairo2-dev libpango1.0-dev libpng-dev gnuplot-nox
      libopenblas-openmp-dev libjansson-dev zlib1g-dev libjpeg62-turbo-dev libssl-dev libpcre2-dev libutf8proc-dev
      libzip-dev fonts-dejavu-core"
check="libcmocka-dev python3-matplotlib clang clang-format clang-tidy libclang-rt-14-dev libomp-14-dev valgrind
       curl dataset-fashion-mnist hdf5-tools poppler-utils qpdf librsvg2-bin libxml2-utils libgsl-dev
       python3 python3-h5py python3-numpy python3-scipy python3-pil python3-jsonschema"
# Where they can be had: the test of pages skips without the one, WebP images are read with the other.
optional="chromium libwebp-dev"
fetch="curl python3 python3-pip python3-numpy"
oracle="python3-torch python3-torchvision"

case "${1:-demo}" in
demo) wanted="$demo" optional="libwebp-dev" ;;
pretrained) wanted="$demo $fetch" optional="" ;;
check) wanted="$demo $check" ;;
oracle) wanted="$demo $check $oracle" ;;
*)
    echo "usage: scripts/setup.sh demo|pretrained|check|oracle" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "setup: not a Debian system; these packages, under your system's names, are needed:" >&2
    echo "$wanted" >&2
    exit 0
fi

missing_of() {
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || echo "$package"
    done
}
missing=$(missing_of $wanted)
lacking=$(missing_of $optional)
[ -n "$missing$lacking" ] || exit 0

run=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "setup: neither root nor sudo; install these packages first:" $missing $lacking >&2
        [ -z "$missing" ] && exit 0
        exit 1
    }
    run="sudo"
fi
export DEBIAN_FRONTEND=noninteractive
apt_options="-y --no-install-recommends -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300"
# The index may be absent on a new machine: try with what is there, then with a fresh one.
install() {
    echo "setup: installing" "$@"
    $run apt-get install $apt_options "$@" >/dev/null 2>&1 || {
        $run apt-get update -o Acquire::Retries=3 >/dev/null
        $run apt-get install $apt_options "$@" >/dev/null
    }
}
[ -z "$missing" ] || install $missing
[ -z "$lacking" ] || install $lacking || echo "setup: not to be had:" $lacking
