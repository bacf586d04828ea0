# Installed headers compile alone, as C11 and as C++17, and a program links by pkg-config, static and shared.
set -eu
make -s BUILD="$BUILD" PREFIX=/usr DESTDIR="$TMP/root" install >/dev/null
include="$TMP/root/usr/include/normscope"
cd "$include"
find . -name '*.h' | sed 's,^\./,,' | while read -r header; do
    printf '#include "%s"\nextern int some;\n' "$header" >"$TMP/one.c"
    cp "$TMP/one.c" "$TMP/one.cc"
    gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I. "$TMP/one.c" || { echo "C: $header"; exit 1; }
    g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I. "$TMP/one.cc" || { echo "C++: $header"; exit 1; }
done
