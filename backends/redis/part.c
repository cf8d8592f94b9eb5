#include "backends/redis/part.h"

#include <stdio.h>
#include <stdlib.h>

#include "backends/redis/command.h"
#include "backends/redis/slot.h"
#include "backends/redis/space.h"

#define TAG_MAX_LEN (NAMESPACE_MAX_LEN + 32)

/* Writes the hash tag, and finds the route of what has it. */
static void tag(struct redis_part *part, bool is_cluster, char ret[static TAG_MAX_LEN])
{
	const struct redis_space *space = part->space;
	unsigned slot = 0;

	if (!is_cluster) {
		(void)snprintf(ret, TAG_MAX_LEN, "%s:0", space->name);
		return;
	}
	unsigned number =
		redis_slot_pick(slice_of(space->name), part->index, space->part_count, &slot);
	(void)snprintf(ret, TAG_MAX_LEN, "%s:%u.%u", space->name, part->index, number);
	part->route = slot + 1;
}

/* Writes the keys in the order in which every call of the script wants them. */
static bool write_keys(struct redis_part *part, const char *prefix, bool is_cluster)
{
	static const char letters[REDIS_KEYS + 1] = "mvhnfgxliwtj";
	char hash_tag[TAG_MAX_LEN];
	size_t ends[REDIS_KEYS];
	struct buffer key = {0};

	tag(part, is_cluster, hash_tag);
	for (size_t i = 0; i < REDIS_KEYS; i++) {
		key.len = 0;
		buffer_printf(&key, "%s:{%s}:%c", prefix, hash_tag, letters[i]);
		redis_command_encode(&part->keys, buffer_bytes(&key));
		ends[i] = part->keys.len;
	}
	bool is_whole = !key.failed && !part->keys.failed;
	buffer_deinit(&key);
	if (!is_whole)
		return false;
	part->key_first = (struct slice){.data = part->keys.data, .len = ends[0]};
	part->key_values = (struct slice){.data = part->keys.data + ends[KEY_VALUES - 1],
					  .len = ends[KEY_VALUES] - ends[KEY_VALUES - 1]};
	part->key_heads = (struct slice){.data = part->keys.data + ends[KEY_HEADS - 1],
					 .len = ends[KEY_HEADS] - ends[KEY_HEADS - 1]};
	return true;
}

struct redis_part *redis_part_create(struct redis_space *space, const char *prefix, unsigned index,
				     bool is_cluster, struct redis_clock *shared)
{
	struct redis_part *part = calloc(1, sizeof(*part));

	if (!part)
		return NULL;
	part->space = space;
	part->index = index;
	part->clock = is_cluster ? &part->own_clock : shared;
	if (write_keys(part, prefix, is_cluster))
		return part;
	redis_part_free(part);
	return NULL;
}

void redis_part_free(struct redis_part *part)
{
	if (!part)
		return;
	redis_uses_deinit(&part->uses);
	buffer_deinit(&part->keys);
	free(part->op);
	free(part);
}
