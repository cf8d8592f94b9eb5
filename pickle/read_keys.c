/* Each key has a print of 128 bits, which is the same for keys that are equal in Python and, but
 * for a chance of nearly nothing, for no others: it stands for comparing them. Prints of tuples and
 * frozensets are made of those of their items, whose numbers are smaller, so that a walk in the
 * order of the numbers needs no recursion:
 *
 *     1. mark the keys of all dicts and the elements of all sets
 *     2. downward: mark the items of marked tuples
 *     3. upward: make the prints of what is marked, and take repeated keys out */
#include "pickle/read_keys.h"

#include <math.h>
#include <xxhash.h>

/* Up to so many keys are compared in pairs. */
#define FEW 8

/* What is equal only within one of these. */
enum sort {
	SORT_IDENTITY,
	SORT_NONE,
	SORT_WHOLE,
	SORT_REAL,
	SORT_STR,
	SORT_BYTES,
	SORT_GLOBAL,
	SORT_TUPLE,
	SORT_FROZENSET
};

struct keys {
	struct pickle_machine *machine;
	uint64_t seed;
	uint32_t *marks; /* by number; 0: no key; else 1 + the index of its print */
	uint32_t mark_count;
	XXH128_hash_t *prints;
	uint32_t *table; /* scratch: 1 + the index of a key; room for the largest dict or set */
	size_t largest;  /* its keys */
};

static void mark(struct keys *keys, const struct pickle_node *node)
{
	if (!keys->marks[node->number])
		keys->marks[node->number] = ++keys->mark_count;
}

/* Items from a key to the next one; 0: a node without keys. */
static size_t key_stride(const struct pickle_node *node)
{
	switch (node->kind) {
	case PICKLE_DICT:
		return 2;
	case PICKLE_SET:
	case PICKLE_FROZENSET:
		return 1;
	default:
		return 0;
	}
}

static void mark_keys(struct keys *keys)
{
	struct pickle *pickle = keys->machine->pickle;

	for (struct pickle_slab *slab = pickle->first; slab; slab = slab->next)
		for (uint32_t n = 0; n < slab->count; n++) {
			const struct pickle_node *node = &slab->nodes[n];
			size_t stride = key_stride(node);

			if (stride == 0)
				continue;
			for (size_t i = 0; i < node->items.count; i += stride)
				mark(keys, node->items.list[i]);
			if (node->items.count / stride > keys->largest)
				keys->largest = node->items.count / stride;
		}
	for (struct pickle_slab *slab = pickle->last; slab; slab = slab->previous)
		for (uint32_t n = slab->count; n-- > 0;) {
			const struct pickle_node *node = &slab->nodes[n];

			if (node->kind == PICKLE_TUPLE && keys->marks[node->number])
				for (uint32_t i = 0; i < node->items.count; i++)
					mark(keys, node->items.list[i]);
		}
}

static XXH128_hash_t print_of(const struct keys *keys, enum sort sort, const void *data, size_t len)
{
	return XXH3_128bits_withSeed(data, len, keys->seed + (uint64_t)sort);
}

static XXH128_hash_t print_of_number(const struct keys *keys, enum sort sort, uint64_t number)
{
	return print_of(keys, sort, &number, sizeof(number));
}

/* A float that is whole is equal to an int. */
static XXH128_hash_t print_of_float(const struct keys *keys, const struct pickle_node *node)
{
	double real = node->real;
	uint8_t bytes[136] = {0}; /* 1024 bits and the sign */
	int exponent;

	if (isnan(real)) /* is equal to itself only because Python compares identities first */
		return print_of_number(keys, SORT_IDENTITY, node->number);
	if (isinf(real) || real != trunc(real))
		return print_of(keys, SORT_REAL, &real, sizeof(real));
	if (real >= -0x1p63 && real < 0x1p63)
		return print_of_number(keys, SORT_WHOLE, (uint64_t)(int64_t)real);

	/* The mantissa, shifted by whole bytes and the rest, then negated. */
	uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(real), &exponent), 53);
	unsigned shift = (unsigned)(exponent - 53);
	unsigned __int128 wide = (unsigned __int128)mantissa << shift % 8;
	for (size_t i = 0; i < 8; i++)
		bytes[shift / 8 + i] = (uint8_t)(wide >> (8 * i));
	unsigned carry = 1;
	for (size_t i = 0; real < 0 && i < sizeof(bytes); i++) {
		carry += (uint8_t)~bytes[i];
		bytes[i] = (uint8_t)carry;
		carry >>= 8;
	}
	size_t len = sizeof(bytes);
	while (bytes[len - 1] == (real < 0 ? 0xFF : 0) &&
	       (bytes[len - 1] & 0x80) == (bytes[len - 2] & 0x80))
		len--;
	return print_of(keys, SORT_WHOLE, bytes, len);
}

static XXH128_hash_t print_of_global(const struct keys *keys, const struct pickle_global *global)
{
	XXH128_hash_t parts[2] = {
		print_of(keys, SORT_GLOBAL, global->module.data, global->module.len),
		print_of(keys, SORT_GLOBAL, global->name.data, global->name.len),
	};

	return print_of(keys, SORT_GLOBAL, parts, sizeof(parts));
}

static XXH128_hash_t print_of_item(const struct keys *keys, const struct pickle_node *node)
{
	return keys->prints[keys->marks[node->number] - 1];
}

static XXH128_hash_t print_of_tuple(const struct keys *keys, const struct pickle_items *items)
{
	XXH128_hash_t parts[2] = {print_of_number(keys, SORT_TUPLE, items->count)};

	for (uint32_t i = 0; i < items->count; i++) {
		parts[1] = print_of_item(keys, items->list[i]);
		parts[0] = print_of(keys, SORT_TUPLE, parts, sizeof(parts));
	}
	return parts[0];
}

/* Its order does not matter. */
static XXH128_hash_t print_of_frozenset(const struct keys *keys, const struct pickle_items *items)
{
	XXH128_hash_t sum = {.low64 = items->count};

	for (uint32_t i = 0; i < items->count; i++) {
		XXH128_hash_t item = print_of_item(keys, items->list[i]);

		item = print_of(keys, SORT_FROZENSET, &item, sizeof(item));
		sum.low64 += item.low64;
		sum.high64 += item.high64;
	}
	return print_of(keys, SORT_FROZENSET, &sum, sizeof(sum));
}

static bool make_print(struct keys *keys, const struct pickle_node *node)
{
	XXH128_hash_t *ret = &keys->prints[keys->marks[node->number] - 1];

	switch (node->kind) {
	case PICKLE_NONE:
		*ret = print_of_number(keys, SORT_NONE, 0);
		return true;
	case PICKLE_BOOL:
	case PICKLE_INT:
		*ret = print_of_number(keys, SORT_WHOLE, (uint64_t)node->integer);
		return true;
	case PICKLE_FLOAT:
		*ret = print_of_float(keys, node);
		return true;
	case PICKLE_LONG:
		*ret = print_of(keys, SORT_WHOLE, node->bytes.data, node->bytes.len);
		return true;
	case PICKLE_STR:
		*ret = print_of(keys, SORT_STR, node->bytes.data, node->bytes.len);
		return true;
	case PICKLE_BYTES:
		*ret = print_of(keys, SORT_BYTES, node->bytes.data, node->bytes.len);
		return true;
	case PICKLE_GLOBAL:
		*ret = print_of_global(keys, node->global);
		return true;
	case PICKLE_TUPLE:
		*ret = print_of_tuple(keys, &node->items);
		return true;
	case PICKLE_FROZENSET:
		*ret = print_of_frozenset(keys, &node->items);
		return true;
	case PICKLE_CALL:
		*ret = print_of_number(keys, SORT_IDENTITY, node->number);
		return true;
	case PICKLE_BYTEARRAY:
	case PICKLE_LIST:
	case PICKLE_SET:
	case PICKLE_DICT:
		break;
	}
	keys->machine->offset = node->offset;
	return pickle_fail(keys->machine, "%s as a key of a dict or an element of a set",
			   pickle_kind_words(node->kind));
}

/* The index of the first of the `count` keys that is equal to `node`; `count` if there is none. */
static size_t find_few(const struct keys *keys, const struct pickle_items *items, size_t stride,
		       size_t count, const struct pickle_node *node)
{
	XXH128_hash_t wanted = print_of_item(keys, node);
	size_t i = 0;

	while (i < count && !XXH128_isEqual(print_of_item(keys, items->list[i * stride]), wanted))
		i++;
	return i;
}

/* The same by the table, which then has `node` as the key `count`. */
static size_t find_in_table(struct keys *keys, size_t mask, const struct pickle_items *items,
			    size_t stride, size_t count, const struct pickle_node *node)
{
	XXH128_hash_t wanted = print_of_item(keys, node);
	size_t at = wanted.low64 & mask;

	for (; keys->table[at]; at = (at + 1) & mask) {
		size_t i = keys->table[at] - 1;

		if (XXH128_isEqual(print_of_item(keys, items->list[i * stride]), wanted))
			return i;
	}
	keys->table[at] = (uint32_t)count + 1;
	return count;
}

/* More than twice the keys, so that it is never full. */
static size_t table_room(size_t count)
{
	size_t room = FEW;

	while (room < 2 * count + 1)
		room *= 2;
	return room;
}

static void settle(struct keys *keys, struct pickle_items *items, size_t stride)
{
	size_t all = items->count / stride, kept = 0, room = table_room(all);

	if (all > FEW)
		memset(keys->table, 0, room * sizeof(keys->table[0]));
	for (size_t i = 0; i < all; i++) {
		struct pickle_node **at = &items->list[i * stride];
		size_t same = all > FEW ? find_in_table(keys, room - 1, items, stride, kept, *at)
					: find_few(keys, items, stride, kept, *at);

		if (same == kept)
			items->list[kept++ * stride] = at[0];
		if (stride == 2)
			items->list[same * stride + 1] = at[1];
	}
	items->count = (uint32_t)(kept * stride);
}

static bool settle_all(struct keys *keys)
{
	struct pickle *pickle = keys->machine->pickle;

	for (struct pickle_slab *slab = pickle->first; slab; slab = slab->next)
		for (uint32_t n = 0; n < slab->count; n++) {
			struct pickle_node *node = &slab->nodes[n];

			/* Its items are smaller, and so is its print settled. */
			if (node->kind == PICKLE_FROZENSET)
				settle(keys, &node->items, 1);
			if (keys->marks[node->number] && !make_print(keys, node))
				return false;
		}
	for (struct pickle_slab *slab = pickle->first; slab; slab = slab->next)
		for (uint32_t n = 0; n < slab->count; n++) {
			struct pickle_node *node = &slab->nodes[n];

			if (node->kind == PICKLE_DICT || node->kind == PICKLE_SET)
				settle(keys, &node->items, key_stride(node));
		}
	return true;
}

bool pickle_settle_keys(struct pickle_machine *machine, uint64_t seed)
{
	struct keys keys = {.machine = machine, .seed = seed};
	size_t marks_size = machine->pickle->node_count * sizeof(keys.marks[0]);

	keys.marks = pickle_arena_alloc(&machine->work, marks_size);
	if (!keys.marks)
		return pickle_fail_memory(machine);
	memset(keys.marks, 0, marks_size);
	mark_keys(&keys);
	if (keys.mark_count == 0)
		return true;
	keys.prints = pickle_arena_alloc(&machine->work, keys.mark_count * sizeof(keys.prints[0]));
	if (!keys.prints)
		return pickle_fail_memory(machine);
	if (keys.largest > FEW) {
		keys.table = pickle_arena_alloc(&machine->work,
						table_room(keys.largest) * sizeof(keys.table[0]));
		if (!keys.table)
			return pickle_fail_memory(machine);
	}
	return settle_all(&keys);
}
