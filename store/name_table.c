#include "store/name_table.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void name_table_init(struct name_table *table, size_t node_bytes, size_t max_count,
		     void (*prepare)(struct name_node *zeroed))
{
	*table = (struct name_table){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.max_count = max_count,
		.node_bytes = node_bytes,
		.prepare = prepare,
	};
}

void name_table_deinit(struct name_table *table)
{
	for (size_t i = 0; i < NAME_TABLE_BUCKETS; i++) {
		struct name_node *node = atomic_load(&table->buckets[i]);

		while (node) {
			struct name_node *next = node->next;

			free(node);
			node = next;
		}
	}
	(void)pthread_mutex_destroy(&table->lock);
}

static struct name_node *_Atomic *bucket_of(struct name_table *table, struct slice ns)
{
	return &table->buckets[XXH3_64bits(ns.data, ns.len) % NAME_TABLE_BUCKETS];
}

struct name_node *name_table_find(struct name_table *table, struct slice ns)
{
	struct name_node *node = atomic_load_explicit(bucket_of(table, ns), memory_order_acquire);

	while (node && !slice_equal(slice_of(node->name), ns))
		node = node->next;
	return node;
}

struct name_node *name_table_find_or_add(struct name_table *table, struct slice ns)
{
	struct name_node *node = name_table_find(table, ns);

	if (node || ns.len > NAMESPACE_MAX_LEN)
		return node;
	(void)pthread_mutex_lock(&table->lock);
	node = name_table_find(table, ns);
	if (!node && table->count < table->max_count && (node = calloc(1, table->node_bytes))) {
		memcpy(node->name, ns.data, ns.len);
		if (table->prepare)
			table->prepare(node);
		node->next = atomic_load(bucket_of(table, ns));
		atomic_store_explicit(bucket_of(table, ns), node, memory_order_release);
		table->count++;
	}
	(void)pthread_mutex_unlock(&table->lock);
	return node;
}
