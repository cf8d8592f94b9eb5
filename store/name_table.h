/* A table of what somebody knows of namespaces, by name. A look-up takes no lock, and what was
 * found lives as long as the table. Any thread. */
#ifndef STEADYCACHE_STORE_NAME_TABLE_H
#define STEADYCACHE_STORE_NAME_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/namespace.h"

#define NAME_TABLE_BUCKETS 1024

/* The first member of what is known of a namespace. It never changes once it is in the table. */
struct name_node {
	struct name_node *next;
	char name[NAMESPACE_MAX_LEN + 1];
};

struct name_table {
	pthread_mutex_t lock; /* for adding one */
	struct name_node *_Atomic buckets[NAME_TABLE_BUCKETS];
	size_t count;                              /* lock */
	size_t max_count;                          /* of further namespaces nothing is known */
	size_t node_bytes;                         /* of the struct that begins with a name_node */
	void (*prepare)(struct name_node *zeroed); /* before others see it; NULL: it stays zeroed */
};

void name_table_init(struct name_table *table, size_t node_bytes, size_t max_count,
		     void (*prepare)(struct name_node *zeroed));
void name_table_deinit(struct name_table *table);

/* NULL: nothing is known of it. */
struct name_node *name_table_find(struct name_table *table, struct slice ns);
/* The same; adds it if it can. NULL: out of memory, or there are too many. */
struct name_node *name_table_find_or_add(struct name_table *table, struct slice ns);

#endif
