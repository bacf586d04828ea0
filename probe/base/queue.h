/* A bounded queue of pointers between threads: a full queue makes the sender wait, an empty one the receiver. */
#ifndef NS_QUEUE_H
#define NS_QUEUE_H

#include <stddef.h>

#include "probe/base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ns_queue ns_queue;

/* A queue that holds at most `capacity` pointers (at least 1); NULL on failure. */
ns_queue *ns_queue_new(size_t capacity, ns_error *err);
/* No thread may use the queue any more. What is still in it is not freed. */
void ns_queue_free(ns_queue *queue);

/* Waits for room. Returns 0, or -1 when the queue is closed. */
int ns_queue_put(ns_queue *queue, void *item);
/* Waits for an item. NULL when the queue is closed and empty. */
void *ns_queue_take(ns_queue *queue);
/* No more is put; what is in the queue can still be taken. */
void ns_queue_close(ns_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
