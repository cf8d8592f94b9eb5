#include "store/keeper/entry.h"

#include <stdlib.h>

/* Each fourth entry has one more level: the usual fan-out of skip lists (Pugh, 1990). */
static uint8_t draw_levels(void)
{
	static _Thread_local uint64_t state = 88172645463325252U;
	uint8_t levels = 1;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	for (uint64_t bits = state >> 16; (bits & 3) == 0 && levels < ENTRY_LEVELS_MAX; bits >>= 2)
		levels++;
	return levels;
}

struct keeper_entry *keeper_entry_create(struct slice key, const struct keeper_record *record,
					 const struct keeper_entry *old)
{
	uint8_t levels = old ? old->levels : draw_levels();
	struct slice type = record->entry.type;
	struct keeper_entry *entry =
		key.len <= UINT32_MAX ? malloc(sizeof(*entry) + levels * sizeof(entry->next[0]) +
					       key.len + type.len)
				      : NULL;

	if (!entry)
		return NULL;
	*entry = (struct keeper_entry){
		.node =
			{
				.last_access_us = record->entry.last_access_us,
				.stamp = record->entry.stamp,
				.frequency = record->entry.frequency,
			},
		.len_bytes = record->entry.len_bytes,
		.type_len = (uint16_t)type.len,
		.body_type_len = record->entry.body_type_len,
		.flags = record->entry.flags,
		.levels = levels,
		.size_bytes = record->entry.size_bytes,
		.body_check = record->entry.body_check,
		.modified_at_us = record->entry.modified_at_us,
		.expires_at_us = record->entry.expires_at_us,
		.etag = record->entry.etag,
		.key_len = (uint32_t)key.len,
	};
	char *bytes = (char *)&entry->next[levels];
	if (key.len > 0)
		memcpy(bytes, key.data, key.len);
	if (type.len > 0)
		memcpy(bytes + key.len, type.data, type.len);
	return entry;
}

void keeper_entry_record(const struct keeper_entry *entry, struct keeper_record *ret)
{
	*ret = (struct keeper_record){
		.kind = RECORD_ENTRY,
		.entry =
			{
				.size_bytes = entry->size_bytes,
				.stamp = entry->node.stamp,
				.last_access_us = entry->node.last_access_us,
				.modified_at_us = entry->modified_at_us,
				.expires_at_us = entry->expires_at_us,
				.body_check = entry->body_check,
				.frequency = entry->node.frequency,
				.len_bytes = entry->len_bytes,
				.etag = entry->etag,
				.flags = entry->flags,
				.type = keeper_entry_type(entry),
				.body_type_len = entry->body_type_len,
			},
	};
}
