#include "probe/base/queue.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "probe/base/mem.h"

struct ns_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t capacity, first, held;
    bool closed;
    void *items[];
};

ns_queue *ns_queue_new(size_t capacity, ns_error *err) {
    if (capacity < 1) capacity = 1;
    ns_queue *queue = ns_calloc(1, sizeof *queue + capacity * sizeof(void *), err);
    if (!queue) return NULL;
    queue->capacity = capacity;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    return queue;
}

void ns_queue_free(ns_queue *queue) {
    if (!queue) return;
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

int ns_queue_put(ns_queue *queue, void *item) {
    pthread_mutex_lock(&queue->lock);
    while (queue->held == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->changed, &queue->lock);
    bool open = !queue->closed;
    if (open) queue->items[(queue->first + queue->held++) % queue->capacity] = item;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    return open ? 0 : -1;
}

void *ns_queue_take(ns_queue *queue) {
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    while (queue->held == 0 && !queue->closed) pthread_cond_wait(&queue->changed, &queue->lock);
    if (queue->held) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->held--;
    }
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void ns_queue_close(ns_queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}
