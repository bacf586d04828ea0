/* Points in groups, each of a colour of its own: as marks where they are few, else as pixels. A pixel has the colour of the group that has
 * most discs over it, and is as opaque as all discs over it make it, so that it does not matter which group is drawn last. No point is
 * left out either way.
 *
 * Memory: 16 bytes for each of at most NS_GROUPS_MARKS marks of a panel; else, while a panel is painted, 9 bytes a pixel and grids of 4
 * bytes a pixel, as many at once as fit into NS_GROUPS_BYTES (one, where a panel is larger than that): the points are gone through once
 * for each such batch of groups. */
#ifndef NS_GROUPS_H
#define NS_GROUPS_H

#include "plots/figure/figure.h"
#include "plots/grid.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NS_GROUPS_MOST = 64, NS_GROUPS_MARKS = 4096, NS_GROUPS_BYTES = 64 << 20 };

/* n points of a group, finite or not. */
typedef int ns_group_take(void *to, int group, size_t n, const float *x, const float *y,
                          ns_error *err);

typedef struct ns_groups ns_groups;
struct ns_groups {
    int count;          /* at most NS_GROUPS_MOST */
    const char **names; /* [count] labels */
    ns_color *colors;   /* [count] */
    uint64_t points;    /* of all groups */
    /* Gives the points of groups [first, first + count) to `take`, those of one group always in the same order; on one thread. */
    int (*each)(const ns_groups *groups, int first, int count, ns_group_take *take, void *to,
                ns_error *err);
    void *user;
    int panel; /* from 1 */
};

/* Room for `count` groups, named and coloured by the caller: up to NS_STYLE_COLORS of them in the style's colours, more along the colour
 * map. Memory of the figure. */
int ns_groups_new(ns_groups *out, int count, const ns_style *style, ns_figure *figure,
                  ns_error *err);

/* Items that draw the points, at most 2 * count + 1 of them, into items; *used counts them. Where the groups are few enough to tell their
 * colours apart, they are in the legend. `groups` must live as long as the figure. */
int ns_groups_items(ns_groups *groups, ns_figure *figure, ns_item *items, int *used, ns_error *err);

#ifdef __cplusplus
}
#endif
#endif
