#include "probe/norms/site.h"

#include <string.h>

#include "tests/runner.h"

static ns_site sites[] = {{1, "blocks.0.norm1", NS_ROLE_ATTENTION, 1, {0}, 0},
                          {2, "blocks.0.norm2", NS_ROLE_MLP, 1, {0}, 0},
                          {3, "blocks.1.norm1", NS_ROLE_ATTENTION, 1, {0}, 0},
                          {4, "blocks.10.norm1", NS_ROLE_ATTENTION, 1, {0}, 0},
                          {5, "norm", NS_ROLE_FINAL, 1, {0}, 0}};

static const ns_site *site_at(const void *user, int i) {
    (void)user;
    return &sites[i];
}

/* The chosen sites as digits, or the message. */
static int choose(const char *select, const char *exclude, const char *layers, char text[2048]) {
    bool wanted[5] = {0};
    ns_error err = {0};
    ns_selection selection = {&select, select != NULL, &exclude, exclude != NULL, layers};
    int status = ns_select_sites(&selection, 5, site_at, NULL, wanted, &err);
    char *to = text;
    for (int i = 0; i < 5; i++)
        if (wanted[i]) *to++ = (char)('1' + i);
    *to = 0;
    if (status) strcpy(text, err.message);
    return status;
}

static void selections(void **state) {
    (void)state;
    char text[2048];
    assert_int_equal(choose(NULL, NULL, NULL, text), 0);
    assert_string_equal(text, "12345");
    assert_int_equal(choose("blocks.1", NULL, NULL, text), 0);
    assert_string_equal(text, "3");
    assert_int_equal(choose("**.norm1", "blocks.0", NULL, text), 0);
    assert_string_equal(text, "34");
    assert_int_equal(choose(NULL, NULL, "2,4-5", text), 0);
    assert_string_equal(text, "245");
    assert_int_equal(choose("blocks.*", NULL, "1,5", text), 0);
    assert_string_equal(text, "1");
}

static void mistakes_are_explained(void **state) {
    (void)state;
    char text[2048];
    assert_int_equal(choose("blocks.0.norm3", NULL, NULL, text), NS_EINPUT);
    assert_non_null(strstr(text, "blocks.0.norm1"));
    assert_int_equal(choose(NULL, "head", NULL, text), NS_EINPUT);
    assert_non_null(strstr(text, "--exclude"));
    assert_int_equal(choose(NULL, NULL, "6", text), NS_EINPUT);
    assert_int_equal(choose("norm", NULL, "1", text), NS_EINPUT);
    assert_int_equal(choose(NULL, "**", NULL, text), NS_EINPUT);
}

static void roles_have_names(void **state) {
    (void)state;
    for (int r = 0; r < NS_ROLE_COUNT; r++)
        assert_int_equal(ns_role_find(ns_role_name((ns_role)r)), r);
    assert_int_equal(ns_role_find("nothing"), NS_ROLE_OTHER);
}

typedef struct counter {
    int index, delivered, batches, status;
    float place[1];
} counter;

static bool counter_wants(void *user, const ns_site *site) {
    return site->index == ((counter *)user)->index;
}
static int counter_deliver(void *user, const ns_site *site, const ns_rows *rows, ns_error *err) {
    (void)site, (void)rows, (void)err;
    ((counter *)user)->delivered++;
    return ((counter *)user)->status;
}
static float *counter_place(void *user, const ns_site *site, size_t rows) {
    (void)site, (void)rows;
    return ((counter *)user)->place;
}
static int counter_done(void *user, const int64_t *ids, size_t n, ns_error *err) {
    (void)ids, (void)n, (void)err;
    ((counter *)user)->batches++;
    return 0;
}

static void a_tee_serves_whoever_wants(void **state) {
    (void)state;
    counter a = {.index = 1}, b = {.index = 2};
    ns_observer two[] = {{.user = &a, .wants = counter_wants, .deliver = counter_deliver},
                         {.user = &b,
                          .wants = counter_wants,
                          .deliver = counter_deliver,
                          .place_output = counter_place,
                          .batch_done = counter_done}};
    ns_tee tee = {two, 2};
    ns_observer both = ns_tee_observer(&tee);
    ns_rows rows = {0};
    assert_true(both.wants(both.user, &sites[0]) && both.wants(both.user, &sites[1]));
    assert_false(both.wants(both.user, &sites[2]));
    assert_null(both.place_output(both.user, &sites[0], 1));
    assert_ptr_equal(both.place_output(both.user, &sites[1], 1), b.place);
    assert_int_equal(both.deliver(both.user, &sites[0], &rows, NULL), 0);
    assert_int_equal(a.delivered * 10 + b.delivered, 10);
    b.status = NS_ESTOP;
    assert_int_equal(both.deliver(both.user, &sites[1], &rows, NULL), NS_ESTOP);
    assert_int_equal(both.batch_done(both.user, NULL, 0, NULL), 0);
    assert_int_equal(a.batches * 10 + b.batches, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(selections), cmocka_unit_test(mistakes_are_explained),
    cmocka_unit_test(roles_have_names), cmocka_unit_test(a_tee_serves_whoever_wants)};
NS_TESTS("site", tests)
