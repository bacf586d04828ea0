# normscope list: facts, the table of sites in three forms, selection, and what it says about other files.
set -u
fail() { echo "$*"; exit 1; }
model=datasets/vit-fmnist-layernorm
narrow() { awk 'length($0) > 80 {print "wider than 80 columns: " $0; bad = 1} END {exit bad}' "$1"; }

"$NORMSCOPE" list $model >"$TMP/list" || fail "status $?"
narrow "$TMP/list" || exit 1
grep -Eq '^width +96 ' "$TMP/list" || fail "the width is not among the facts: $(cat "$TMP/list")"
grep -Eq '^naming +timm ' "$TMP/list" || fail "the naming is not among the facts"
grep -Eq '^parameters +[1-9]' "$TMP/list" || fail "the number of parameters is not among the facts"
grep -Eq '^ +17  norm +final +layernorm +96 +17 +1e-06$' "$TMP/list" || fail "site 17: $(tail -2 "$TMP/list")"

# element types in the table's order, and bytes: 19,744 values, of which some take half a byte
"$NORMSCOPE" list tests/golden/gguf/mixed.gguf >"$TMP/list" || fail "GGUF: status $?"
grep -Eq '^types +F32, F16, BF16, Q8_0, Q4_0, Q5_0, Q5_1 ' "$TMP/list" || fail "types: $(cat "$TMP/list")"
grep -Eq '^size +[0-9.]+ KiB ' "$TMP/list" || fail "size: $(cat "$TMP/list")"

# tsv: units, names, then a line a site and nothing else
"$NORMSCOPE" list $model --format tsv >"$TMP/tsv" || fail "tsv: status $?"
[ "$(wc -l <"$TMP/tsv")" = 19 ] || fail "tsv: expected 2 + 17 lines, found $(wc -l <"$TMP/tsv")"
[ "$(sed -n 2p "$TMP/tsv" | tr '\t' ' ')" = "site name role kind channels positions eps" ] || fail "tsv: names"
"$PYTHON" - "$TMP/tsv" <<END || fail "tsv"
import csv, sys
rows = list(csv.DictReader(list(open(sys.argv[1]))[1:], delimiter="\t"))
assert [r["name"] for r in rows] == [f"blocks.{i}.norm{j}" for i in range(8) for j in (1, 2)] + ["norm"]
assert [int(r["site"]) for r in rows] == list(range(1, 18))
assert {r["role"] for r in rows[:16:2]} == {"attention"} and {r["role"] for r in rows[1::2]} == {"mlp"}
assert all(abs(float(r["eps"]) / 1e-6 - 1) < 1e-6 for r in rows)
END
"$NORMSCOPE" list $model --format json | "$PYTHON" -c '
import json, sys
rows = json.load(sys.stdin)["rows"]
assert len(rows) == 17 and rows[16]["name"] == "norm" and rows[16]["positions"] == 17, rows' || fail "json"

# selection: numbers stay those of the model
chosen() { "$NORMSCOPE" list $model --format tsv "$@" | sed 1,2d | cut -f1 | tr '\n' ' '; }
[ "$(chosen --select 'blocks.1')" = "3 4 " ] || fail "--select blocks.1: $(chosen --select 'blocks.1')"
[ "$(chosen -s 'blocks.*.norm1' -x blocks.0 -l 1-6)" = "3 5 " ] || fail "select, exclude and layers together"
"$NORMSCOPE" list $model -l 3 | grep -q '^1 of 17 sites$' || fail "the number of chosen sites"
"$NORMSCOPE" list $model --select blocks.8 2>"$TMP/err"; [ $? = 3 ] || fail "no match: expected status 3"
grep -q "$model: --select 'blocks.8' matches none of the 17 sites" "$TMP/err" || fail "no match: $(cat "$TMP/err")"
"$NORMSCOPE" list $model --layers 18 2>"$TMP/err"; [ $? = 3 ] || fail "no such layer: expected status 3"

# other files
printf '\211HDF\r\n\032\nrest' >"$TMP/run.h5"
"$NORMSCOPE" list "$TMP/run.h5" 2>"$TMP/err"; [ $? = 3 ] || fail "HDF5: expected status 3"
grep -q 'normscope info' "$TMP/err" || fail "HDF5: info is not named: $(cat "$TMP/err")"
"$NORMSCOPE" list "$TMP/nothing" 2>"$TMP/err"; [ $? = 3 ] || fail "no such file: expected status 3"
"$NORMSCOPE" list 2>/dev/null; [ $? = 2 ] || fail "no argument: expected status 2"
"$NORMSCOPE" list $model >/dev/full 2>/dev/null; [ $? = 1 ] || fail "full stdout: expected status 1"
