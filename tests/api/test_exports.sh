# The shared library shows what the installed headers declare, every name with ns_ before it, and nothing besides: tests/api/exported.txt.
# To renew the list after a change that is meant: RENEW=1 bash tests/api/test_exports.sh
set -eu
list=tests/api/exported.txt
shown() {
    nm -D --defined-only "$BUILD/libnormscope.so" | awk '{print $3}' | grep -v '^\.gomp_critical' | LC_ALL=C sort
}
# Sanitizers add symbols of their own.
[ -z "${NS_SANITIZED:-}" ] || { echo "a sanitizer's library shows more"; exit 77; }
[ -z "${RENEW:-}" ] || shown >"$list"
if shown | grep -v '^ns_'; then
    echo "these names do not begin with ns_"
    exit 1
fi
shown | diff "$list" - || { echo "the library shows other names than $list (<: missing, >: new)"; exit 1; }
