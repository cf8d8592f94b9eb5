#include "pickle/memo.h"

#include <string.h>
#include <xxhash.h>

#define ROOM_MIN 64

void pickle_memo_init(struct pickle_memo *memo, struct pickle_arena *arena, uint64_t seed)
{
	*memo = (struct pickle_memo){.arena = arena, .seed = seed};
}

/* The slot of `index`, or a free one. No pickle can choose its collisions, because the seed is not
 * known. */
static struct pickle_memo_slot *find(const struct pickle_memo *memo, uint64_t index)
{
	size_t mask = memo->table_room - 1;
	size_t at = XXH3_64bits_withSeed(&index, sizeof(index), memo->seed) & mask;

	while (memo->table[at].node && memo->table[at].index != index)
		at = (at + 1) & mask;
	return &memo->table[at];
}

static bool make_room_in_table(struct pickle_memo *memo)
{
	if (memo->table_room && memo->table_count < memo->table_room / 2)
		return true;

	struct pickle_memo old = *memo;
	size_t room = old.table_room ? old.table_room * 2 : ROOM_MIN;
	struct pickle_memo_slot *table = pickle_arena_alloc(memo->arena, room * sizeof(*table));
	if (!table)
		return false;
	memset(table, 0, room * sizeof(*table));
	memo->table = table;
	memo->table_room = room;
	for (size_t i = 0; i < old.table_room; i++)
		if (old.table[i].node)
			*find(memo, old.table[i].index) = old.table[i];
	return true;
}

static bool make_room_in_dense(struct pickle_memo *memo, uint64_t index)
{
	size_t room = memo->dense_room ? memo->dense_room * 2 : ROOM_MIN;

	while (room <= index)
		room *= 2;
	struct pickle_node **grown = pickle_arena_grow(
		memo->arena, memo->dense, memo->dense_room * sizeof(*grown), room * sizeof(*grown));
	if (!grown)
		return false;
	memset(&grown[memo->dense_room], 0, (room - memo->dense_room) * sizeof(*grown));
	memo->dense = grown;
	memo->dense_room = room;
	return true;
}

bool pickle_memo_put(struct pickle_memo *memo, uint64_t index, struct pickle_node *node)
{
	bool is_new = !pickle_memo_get(memo, index);

	if (index >= memo->dense_room && index < 2 * memo->count + ROOM_MIN &&
	    !make_room_in_dense(memo, index))
		return false;
	if (index < memo->dense_room) {
		memo->dense[index] = node; /* is found before what the table may have */
	} else {
		if (!make_room_in_table(memo))
			return false;
		struct pickle_memo_slot *slot = find(memo, index);
		memo->table_count += !slot->node;
		*slot = (struct pickle_memo_slot){.index = index, .node = node};
	}
	memo->count += is_new;
	return true;
}

struct pickle_node *pickle_memo_get(const struct pickle_memo *memo, uint64_t index)
{
	if (index < memo->dense_room && memo->dense[index])
		return memo->dense[index];
	return memo->table_room ? find(memo, index)->node : NULL;
}
