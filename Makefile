# normscope: build, test, install. `make help` lists the targets.
#
# Everything that is made lies below $(BUILD). Sources are found, not listed: a new file needs no line here.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
PYTHON  ?= /usr/bin/python3
CC      ?= cc
CFLAGS  ?= -O3 -g
VERSION := $(shell sed -n 's/^.define NS_VERSION "\(.*\)"/\1/p' probe/base/version.h)

ifeq ($(origin CC),default)
CC := gcc
endif

PACKAGES := hdf5 cairo pangocairo libpng openblas jansson zlib libjpeg libcrypto libpcre2-8 libutf8proc libzip
# Used where it is there.
WEBP     := $(shell pkg-config --exists libwebp 2>/dev/null && echo libwebp)
PACKAGES += $(WEBP)
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wpointer-arith -Wformat=2 -Wno-format-nonliteral -Wvla
ifdef CI
WARNINGS += -Werror
endif

# No -ffast-math: NaN and Inf are counted here, so the compiler must believe in them. Errno and traps are not used.
NS_CFLAGS := -std=gnu11 -fPIC -fopenmp -fno-math-errno -fno-trapping-math -ffp-contract=fast \
             -fvisibility=hidden $(WARNINGS) -I. $(patsubst -I%,-isystem %,$(PKG_CFLAGS)) $(EXTRA_CFLAGS)
NS_LIBS   := $(PKG_LIBS) -lpthread -lm

LIB_SOURCES  := $(sort $(wildcard probe/*/*.c probe/*/*/*.c datasets/*.c datasets/tokenizers/*.c datasets/tokenizers/*/*.c \
                  analysis/*.c analysis/*/*.c plots/*.c plots/*/*.c))
TEST_SOURCES := $(sort $(wildcard tests/*.c tests/base/*.c tests/probe/*/*.c tests/datasets/*.c \
                  tests/analysis/*.c tests/plots/*.c tests/cli/*.c tests/fuzz/*.c))
ALL_HEADERS  := $(sort normscope.h $(wildcard probe/*/*.h probe/*/*/*.h datasets/*.h datasets/*/*.h datasets/*/*/*.h analysis/*.h plots/*.h plots/*/*.h))
# Installed: what normscope.h leads to. Their functions are marked NS_API (probe/base/api.h), which the shared library shows alone.
HEADERS      := $(sort $(filter %.h,$(shell $(CC) -MM -I. normscope.h 2>/dev/null)))
LIB_OBJECTS  := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
LIB_OBJECTS  += $(BUILD)/plots/report_assets.o
TEST_OBJECTS := $(TEST_SOURCES:%.c=$(BUILD)/%.o)
GRAD_SOURCES := $(sort $(wildcard tests/gradients/*.c))
REAL_SOURCES := $(sort $(wildcard probe/norms/norm.c probe/norms/site.c probe/norms/kinds/*.c probe/kernels/*.c \
                probe/models/families/*_build.c probe/models/families/vit_probe.c) \
                $(patsubst %,probe/models/%.c,blocks build network operations plan run) \
                $(patsubst %,probe/train/%.c,parameters start team trainee)) \
                probe/base/cli.c probe/base/error.c probe/base/mem.c probe/base/near.c datasets/resize.c
FUZZ_SOURCES := $(filter-out tests/fuzz/drive.c,$(sort $(wildcard tests/fuzz/*.c)))
TOOL_SOURCES := $(sort $(wildcard tests/tools/*.c))

.PHONY: all help check check-sanitize check-oracle check-tokens check-valgrind check-kill check-attack check-large check-errors demo demo-pretrained bench gallery runs ablations setup install uninstall format lint fuzz fuzz-nightly clean
.DELETE_ON_ERROR:

all: $(BUILD)/normscope $(BUILD)/libnormscope.a $(BUILD)/libnormscope.so $(BUILD)/normscope.pc

help:
	@sed -n 's/^## \?//p' Makefile

## all             the program and the library, in build/
## check           install what the tests need, build, run every test
## check-sanitize  the same tests under AddressSanitizer and UBSan
## check-oracle    the large comparisons with PyTorch (long)
## check-tokens    tokens of 10,000 lines against Hugging Face's package (long)
## check-valgrind  the main commands under valgrind (some minutes)
## check-kill      interruptions at every write and at 100 random moments (long)
## check-attack    mutated inputs, kills, full disks, two writers, links and signals, with sanitizers (hours)
## check-large     a fit to more points than 32 bits count
## check-errors    standard errors against their spread and a bootstrap (long)
## demo            from the bundled checkpoint to the figure, in out/demo
## demo-pretrained the same on three networks of 22 to 135 M parameters, which are fetched (270 MB)
## bench           speed, as ratios to peers and physical limits
## gallery         the pictures of plots/gallery, from what is bundled
## runs            train the bundled runs again (hours); ablations: the table of ablations
## setup           install the packages that are missing
## install         into $(DESTDIR)$(PREFIX); uninstall takes it away
## format, lint    clang-format; clang-tidy and the checks of style
## fuzz            libFuzzer, FUZZ_SECONDS (60) for each reader, or for FUZZ_TARGETS="idx npy" alone
## fuzz-nightly    the same for 1800 s each, with corpora that are kept and thinned out in fuzz-corpora/
## clean           remove build/

# One line a step; V=1 shows the commands.
ifdef V
Q    :=
say   = @:
else
Q    := @
say   = @printf '  %-4s %s\n'
endif

# The compiler's command is a prerequisite of every object: other flags, another build.
FLAGS_NOW := $(CC) $(NS_CFLAGS) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@test -n "$(strip $(PKG_LIBS))" || { echo "make: these development packages are needed: $(PACKAGES)" >&2; \
	  pkg-config --print-errors --exists $(PACKAGES); echo "make setup installs them on Debian" >&2; exit 1; }
	@printf '%s\n' '$(FLAGS_NOW)' | cmp -s - $@ || printf '%s\n' '$(FLAGS_NOW)' > $@
.PHONY: FORCE

# The one file that knows where the bundled data are installed.
$(BUILD)/prefix: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(PREFIX)' | cmp -s - $@ || printf '%s\n' '$(PREFIX)' > $@
$(BUILD)/datasets/dataset.o: FILE_FLAGS := -DNS_DATADIR=\"$(PREFIX)/share/normscope\"
$(BUILD)/datasets/dataset.o $(BUILD)/normscope.pc: $(BUILD)/prefix

# Whether libwebp was there, for the one file that calls it.
$(BUILD)/webp: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(WEBP)' | cmp -s - $@ || printf '%s\n' '$(WEBP)' > $@
$(BUILD)/datasets/webp.o: FILE_FLAGS := $(if $(WEBP),-DNS_HAVE_WEBP)
$(BUILD)/datasets/webp.o: $(BUILD)/webp

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(NS_CFLAGS) $(FILE_FLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The style and script of a report's page, as strings of C.
ASSETS := $(sort $(wildcard plots/report/*.css plots/report/*.js))
$(BUILD)/plots/report_assets.c: $(ASSETS)
	@mkdir -p $(@D)
	$(say) TEXT $@
	$(Q){ echo '#include "plots/report/report_internal.h"'; for f in $(ASSETS); do \
	  echo "const char ns_report_$$(basename $$f | tr . _)[] ="; \
	  sed -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' $$f; echo '    ;'; done; } > $@
$(BUILD)/plots/report_assets.o: $(BUILD)/plots/report_assets.c $(BUILD)/flags
	$(Q)$(CC) $(NS_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libnormscope.a: $(LIB_OBJECTS)
	$(say) AR $@
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/libnormscope.so: $(LIB_OBJECTS)
	$(say) LINK $@
	$(Q)$(CC) -shared -fopenmp -Wl,-soname,libnormscope.so.0 $(CFLAGS) $(LDFLAGS) -o $@ $^ $(NS_LIBS)

$(BUILD)/normscope: $(BUILD)/normscope.o $(BUILD)/libnormscope.a
	$(say) LINK $@
	$(Q)$(CC) -fopenmp $(CFLAGS) $(LDFLAGS) -o $@ $^ $(NS_LIBS)

$(BUILD)/normscope.pc: Makefile probe/base/version.h
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	  'Name: normscope' 'Description: what normalization layers do in trained networks' \
	  'Version: $(VERSION)' 'Requires.private: $(PACKAGES)' 'Libs: -L$${libdir} -lnormscope' \
	  'Libs.private: -fopenmp -lpthread -lm' 'Cflags: -I$${includedir}/normscope' > $@

$(BUILD)/run-tests: $(TEST_OBJECTS) $(BUILD)/libnormscope.a
	$(say) LINK $@
	$(Q)$(CC) -fopenmp $(CFLAGS) $(LDFLAGS) -o $@ $(TEST_OBJECTS) $(BUILD)/libnormscope.a -lcmocka $(NS_LIBS)

# What is trained, compiled for double: differences of floats have too few digits to judge a gradient by.
GRAD_OBJECTS := $(patsubst %.c,$(BUILD)/double/%.o,$(GRAD_SOURCES) $(REAL_SOURCES))
$(BUILD)/double/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC "$< (double)"
	$(Q)$(CC) $(NS_CFLAGS) -DNS_REAL_DOUBLE $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/gradients: $(GRAD_OBJECTS)
	$(say) LINK $@
	$(Q)$(CC) -fopenmp $(CFLAGS) $(LDFLAGS) -o $@ $^ $(NS_LIBS)

ORACLE_SOURCES := $(sort $(wildcard tests/oracle/*.c))
.PRECIOUS: $(BUILD)/tests/oracle/%.o
# GSL is an oracle alone: nothing but that program is linked with it.
$(BUILD)/oracle-gsl: NS_LIBS += -lgsl
$(BUILD)/oracle-%: $(BUILD)/tests/oracle/%.o $(BUILD)/libnormscope.a
	$(say) LINK $@
	$(Q)$(CC) -fopenmp $(CFLAGS) $(LDFLAGS) -o $@ $^ $(NS_LIBS)

$(BUILD)/tools/%.so: tests/tools/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)gcc -std=gnu11 -O2 -fPIC -shared -Wall -Wextra -o $@ $< -ldl

TEST_TOOLS := $(TOOL_SOURCES:tests/tools/%.c=$(BUILD)/tools/%.so)

setup:
	scripts/setup.sh demo

check:
	scripts/setup.sh check
	$(MAKE) all $(BUILD)/run-tests $(BUILD)/gradients $(TEST_TOOLS)
	BUILD=$(BUILD) PYTHON=$(PYTHON) $(BUILD)/run-tests

# Memory that OpenMP's runtime and Pango's caches keep until the end is no leak of ours: tests/leaks.txt names it.
SANITIZE := -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined,float-cast-overflow \
            -fno-omit-frame-pointer
# Freed memory is kept for 16 MB, since a process of many hundred MB takes long to fork, and the guard before HDF5 forks for every file.
# Tests that install the library run make again: without the same flags it would build the program anew, without the sanitizers.
check-sanitize:
	scripts/setup.sh check
	$(MAKE) BUILD=$(BUILD)/san CFLAGS="-O1 -g $(SANITIZE)" EXTRA_CFLAGS=-DNS_NO_CLONES \
	  all $(BUILD)/san/run-tests $(BUILD)/san/gradients
	BUILD=$(BUILD)/san PYTHON=$(PYTHON) NS_SANITIZED=1 CFLAGS="-O1 -g $(SANITIZE)" EXTRA_CFLAGS=-DNS_NO_CLONES \
	  LSAN_OPTIONS=suppressions=$(CURDIR)/tests/leaks.txt:print_suppressions=0 \
	  ASAN_OPTIONS=detect_stack_use_after_return=1:quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(BUILD)/san/run-tests

# NS_SHARED: the folder with data/*/taps.h5, which records whole runs of PyTorch.
NS_SHARED ?= ../shared
check-oracle:
	scripts/setup.sh oracle
	$(MAKE) all $(BUILD)/oracle-forward
	$(PYTHON) scripts/oracle_vit.py check $(BUILD) $(NS_SHARED)

# With a Python that has the packages tokenizers, sentencepiece and gguf; MINILM and SMOLLM2 say where the real ones lie.
check-tokens: $(BUILD)/oracle-tokens
	$(PYTHON) scripts/oracle_tokens.py check $(BUILD)

# Sizes beyond 32 bits, and standard errors against what they stand for.
check-large:
	scripts/setup.sh check
	$(MAKE) $(BUILD)/oracle-large
	$(BUILD)/oracle-large

check-errors:
	scripts/setup.sh check
	$(MAKE) all $(BUILD)/oracle-errors
	tmp=$$(mktemp -d) && $(BUILD)/normscope dump datasets/vit-fmnist-layernorm fashion-mnist -o $$tmp/run.h5 \
	  --layers 3,8,15 >/dev/null && $(BUILD)/oracle-errors $$tmp/run.h5; status=$$?; rm -rf $$tmp; exit $$status

check-valgrind: all
	scripts/setup.sh check
	scripts/valgrind.sh $(BUILD)/normscope

check-kill:
	scripts/setup.sh check
	$(MAKE) all $(TEST_TOOLS)
	tmp=$$(mktemp -d) && NORMSCOPE=$$(realpath $(BUILD)/normscope) BUILD=$(BUILD) TMP=$$tmp \
	  $(PYTHON) tests/cli/test_interruptions.py long && \
	  NORMSCOPE=$$(realpath $(BUILD)/normscope) TMP=$$tmp $(PYTHON) tests/cli/test_train_kills.py long; \
	  status=$$?; rm -rf $$tmp; exit $$status

# ATTACK: options of tests/attack/attack.py, as in ATTACK="--part mutations --only 'run file' --count 200".
check-attack:
	scripts/setup.sh check
	$(MAKE) BUILD=$(BUILD)/san CFLAGS="-O1 -g $(SANITIZE)" EXTRA_CFLAGS=-DNS_NO_CLONES $(BUILD)/san/normscope
	$(MAKE) $(TEST_TOOLS)
	NORMSCOPE=$(BUILD)/san/normscope BUILD=$(BUILD) ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=8 \
	  $(PYTHON) tests/attack/attack.py $(ATTACK)

demo:
	scripts/setup.sh demo
	$(MAKE) all
	scripts/demo.sh $(BUILD)/normscope out/demo

demo-pretrained:
	scripts/setup.sh pretrained
	$(MAKE) all
	PYTHON=$(PYTHON) scripts/demo_pretrained.sh $(BUILD)/normscope out/pretrained $(PHOTOGRAPHS)

bench: all
	$(BUILD)/normscope bench forward
	$(BUILD)/normscope bench fit
	$(BUILD)/normscope bench norms
	$(BUILD)/normscope bench train
	scripts/setup.sh check
	$(MAKE) $(BUILD)/oracle-gsl
	$(PYTHON) scripts/bench_fit_peers.py $(BUILD)/oracle-gsl
	scripts/setup.sh oracle
	NORMSCOPE=$(BUILD)/normscope $(PYTHON) scripts/bench_train_peers.py

gallery: all
	scripts/gallery.sh $(BUILD)/normscope

# Hours of training, whose results are committed: docs/RUNS.md.
runs: all
	NORMSCOPE=$(BUILD)/normscope scripts/runs.sh
ablations: all
	NORMSCOPE=$(BUILD)/normscope $(PYTHON) scripts/ablations.py

install: all
	install -d $(DESTDIR)$(PREFIX)/share/normscope
	cp -R datasets/fashion-mnist-1000 datasets/vit-fmnist-layernorm datasets/shakespeare datasets/minilm-l6 datasets/runs $(DESTDIR)$(PREFIX)/share/normscope/
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(BUILD)/normscope $(DESTDIR)$(PREFIX)/bin/normscope
	install -m 644 $(BUILD)/libnormscope.a $(DESTDIR)$(PREFIX)/lib/libnormscope.a
	install -m 755 $(BUILD)/libnormscope.so $(DESTDIR)$(PREFIX)/lib/libnormscope.so.0
	ln -sf libnormscope.so.0 $(DESTDIR)$(PREFIX)/lib/libnormscope.so
	install -m 644 $(BUILD)/normscope.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/normscope.pc
	for h in $(HEADERS); do \
	  install -D -m 644 $$h $(DESTDIR)$(PREFIX)/include/normscope/$$h || exit 1; done

uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/include/normscope $(DESTDIR)$(PREFIX)/share/normscope
	rm -f $(DESTDIR)$(PREFIX)/bin/normscope $(DESTDIR)$(PREFIX)/lib/libnormscope.* \
	  $(DESTDIR)$(PREFIX)/lib/pkgconfig/normscope.pc

OWN_SOURCES := normscope.c $(LIB_SOURCES) $(TEST_SOURCES) $(GRAD_SOURCES) $(FUZZ_SOURCES) $(TOOL_SOURCES) \
               $(ORACLE_SOURCES) $(ALL_HEADERS) $(wildcard examples/*.c) \
               $(sort $(wildcard tests/*.h tests/*/*.h tests/*/*/*.h))
format:
	clang-format -i $(OWN_SOURCES)

lint:
	scripts/setup.sh check
	@scripts/lint.sh "$(filter-out -W%,$(NS_CFLAGS))" $(OWN_SOURCES)

# Fuzz targets run without libFuzzer too: `make check` puts their seeds and changed copies of them through them.
FUZZ_SECONDS ?= 60
FUZZ_CORPORA ?= $(BUILD)/fuzz/corpora
FUZZ_TARGETS ?= $(FUZZ_SOURCES:tests/fuzz/%.c=%)
FUZZ_FLAGS := -O1 -g $(SANITIZE)
# Comparisons of numbers in loops over values say nothing of a format, and to trace them takes most of the time.
ifdef FUZZING
$(addprefix $(BUILD)/,$(patsubst %.c,%.o,$(wildcard analysis/*.c analysis/*/*.c plots/*.c plots/*/*.c probe/sketch/*.c \
  probe/kernels/*.c probe/norms/*.c probe/norms/kinds/*.c datasets/text.c tests/fuzz/*.c))): FILE_FLAGS := -fno-sanitize-coverage=trace-cmp
endif
$(BUILD)/fuzz/%: $(BUILD)/fuzz-lib/tests/fuzz/%.o $(BUILD)/fuzz-lib/tests/fuzz/drive.o $(BUILD)/fuzz-lib/libnormscope.a
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)clang -fopenmp $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(NS_LIBS)

fuzz:
	scripts/setup.sh check
	$(MAKE) BUILD=$(BUILD)/fuzz-lib CC=clang CFLAGS="$(FUZZ_FLAGS) -Wno-pass-failed -fsanitize=fuzzer-no-link" \
	  EXTRA_CFLAGS="-DNS_NO_CLONES -DNS_LIBFUZZER" FUZZING=1 $(BUILD)/fuzz-lib/libnormscope.a $(FUZZ_SOURCES:%.c=$(BUILD)/fuzz-lib/%.o) \
	  $(BUILD)/fuzz-lib/tests/fuzz/drive.o
	$(MAKE) $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)
	for f in $(FUZZ_TARGETS); do mkdir -p $(FUZZ_CORPORA)/$$f; echo "fuzz $$f"; \
	  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 LSAN_OPTIONS=suppressions=tests/leaks.txt:print_suppressions=0 \
	  ASAN_OPTIONS=quarantine_size_mb=1:malloc_context_size=2 $(BUILD)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
	  -rss_limit_mb=4096 -artifact_prefix=$(BUILD)/fuzz/$$f- $(FUZZ_CORPORA)/$$f tests/fuzz/$$f || exit 1; done

# What each night found is where the next one begins: a folder that outlives build/, without what adds nothing.
FUZZ_NIGHTLY ?= fuzz-corpora
fuzz-nightly:
	$(MAKE) fuzz FUZZ_SECONDS=$(or $(FUZZ_NIGHTLY_SECONDS),1800) FUZZ_CORPORA=$(FUZZ_NIGHTLY)
	for f in $(FUZZ_TARGETS); do rm -rf $(FUZZ_NIGHTLY)/$$f.whole; mkdir $(FUZZ_NIGHTLY)/$$f.whole; \
	  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 ASAN_OPTIONS=detect_leaks=0 $(BUILD)/fuzz/$$f -merge=1 $(FUZZ_NIGHTLY)/$$f.whole $(FUZZ_NIGHTLY)/$$f && \
	  rm -rf $(FUZZ_NIGHTLY)/$$f && mv $(FUZZ_NIGHTLY)/$$f.whole $(FUZZ_NIGHTLY)/$$f || exit 1; done

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d) $(GRAD_OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d) $(BUILD)/normscope.d \
         $(ORACLE_SOURCES:%.c=$(BUILD)/%.d)
