# The program's own manners: help, unknown words, exit statuses, a stdout that cannot be written.
set -u
fail() { echo "$*"; exit 1; }
"$NORMSCOPE" >/dev/null 2>"$TMP/err"; [ $? = 2 ] || fail "no command: expected status 2"
grep -q 'Usage: normscope' "$TMP/err" || fail "no command: expected the usage on stderr"
"$NORMSCOPE" help | grep -q version || fail "help does not list the commands"
"$NORMSCOPE" version | grep -Eq '^normscope [0-9]' || fail "version"
"$NORMSCOPE" nothing 2>"$TMP/err"; [ $? = 2 ] || fail "unknown command: expected status 2"
"$NORMSCOPE" versoin 2>&1 | grep -q 'near: version' || fail "a near name is not offered"
"$NORMSCOPE" version --nothing 2>/dev/null; [ $? = 2 ] || fail "unknown option: expected status 2"
"$NORMSCOPE" help >/dev/full 2>"$TMP/err"; [ $? = 1 ] || fail "full stdout: expected status 1"
narrow() { # file, what it is: no line is wider than a terminal
    awk -v c="$2" 'length($0) > 80 {print c ": help is wider than 80 columns: " $0; bad = 1} END {exit bad}' "$1"
}
kinds=$("$NORMSCOPE" plot --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
[ "$(echo "$kinds" | wc -w)" -ge 11 ] || fail "plot --help: expected a line for each kind, found: $kinds"
for kind in $kinds; do
    "$NORMSCOPE" plot "$kind" --help >"$TMP/help" || fail "plot $kind --help: expected status 0"
    narrow "$TMP/help" "plot $kind" || exit 1
done
for command in $("$NORMSCOPE" help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
    "$NORMSCOPE" "$command" --help >"$TMP/help" || fail "$command --help: expected status 0"
    narrow "$TMP/help" "$command" || exit 1
    "$NORMSCOPE" "$command" --no-such-option 2>/dev/null; [ $? = 2 ] || fail "$command: unknown option: expected status 2"
done
