/* A listing needs keys in byte order, of which a hash table knows nothing: each search for the next
 * thousand visits all entries. A run collects many more than a thousand by one such visit, so that
 * the following pages need none.
 *
 * Keys are added in any order. When the block is full, the larger half is dropped, and from then on
 * keys after the largest that was kept are not even added: the run is cut there. So a visit ends
 * with the smallest keys, at least a quarter of what fits, after few such cuts (each is half as
 * likely as the one before).
 *
 * The keys are sorted only as far as somebody reads, by a quicksort that sorts the left part first
 * and remembers the bounds of the parts on the right (Paredes and Navarro, 2006). So the first page
 * of a run of a million keys does not wait for all to be sorted.
 *
 * Keys have long common prefixes. The prefix that all share is skipped, and the eight bytes after
 * it are kept beside the position as a number, which decides most comparisons without reading the
 * keys. */
#include "backends/memory/listing/run.h"

#include <stdlib.h>

/* A key longer than this part of the block is too long. */
#define KEY_PART 8
/* Parts of up to this many keys are sorted by insertion. */
#define SMALL_PART 16

static struct slice key_of(const struct run *run, const struct run_key *key)
{
	return (struct slice){.data = run->block + key->offset, .len = key->len};
}

static size_t room_of(const struct run *run)
{
	return run->block_bytes - run->key_bytes - run->count * sizeof(struct run_key);
}

static bool open_block(struct run *run, size_t block_bytes)
{
	char *block = malloc(block_bytes);

	if (!block)
		return false;
	run->block = block;
	run->block_bytes = block_bytes;
	run->keys = (struct run_key *)(void *)(block + block_bytes);
	run->key_bytes = 0;
	run->count = 0;
	return true;
}

bool run_init(struct run *run, size_t block_bytes, struct slice start)
{
	*run = (struct run){.start_len = start.len};
	run->start = malloc(start.len ? start.len : 1);
	if (!run->start)
		return false;
	if (start.len > 0)
		memcpy(run->start, start.data, start.len);
	if (open_block(run, block_bytes / sizeof(struct run_key) * sizeof(struct run_key)))
		return true;
	free(run->start);
	return false;
}

void run_deinit(struct run *run)
{
	free(run->start);
	free(run->block);
	*run = (struct run){0};
}

/* ---- Comparisons ---- */

static size_t common_length(struct slice a, struct slice b)
{
	size_t len = 0;

	while (len < a.len && len < b.len && a.data[len] == b.data[len])
		len++;
	return len;
}

static uint64_t head_of(struct slice key, size_t skip)
{
	unsigned char bytes[sizeof(uint64_t)] = {0};
	uint64_t head;

	memcpy(bytes, key.data + skip,
	       key.len - skip < sizeof(bytes) ? key.len - skip : sizeof(bytes));
	memcpy(&head, bytes, sizeof(head));
	return __builtin_bswap64(head);
}

static void set_heads(struct run *run)
{
	if (run->count == 0)
		return;
	struct slice first = key_of(run, &run->keys[0]);

	for (size_t i = 1; i < run->count && first.len > 0; i++)
		first.len = common_length(first, key_of(run, &run->keys[i]));
	run->common_len = first.len;
	for (size_t i = 0; i < run->count; i++)
		run->keys[i].head = head_of(key_of(run, &run->keys[i]), run->common_len);
}

static bool is_less(const struct run *run, const struct run_key *a, const struct run_key *b)
{
	if (a->head != b->head)
		return a->head < b->head;
	return slice_compare(key_of(run, a), key_of(run, b)) < 0;
}

/* ---- Partitions ---- */

static void swap(struct run_key *a, struct run_key *b)
{
	struct run_key kept = *a;

	*a = *b;
	*b = kept;
}

static const struct run_key *middle_of(const struct run *run, const struct run_key *a,
				       const struct run_key *b, const struct run_key *c)
{
	if (is_less(run, b, a)) {
		const struct run_key *kept = a;

		a = b;
		b = kept;
	}
	if (!is_less(run, c, b))
		return b;
	return is_less(run, c, a) ? a : c;
}

/* Puts the smaller keys of [from, to), at least three, before the others, and returns where those
 * begin (Hoare). Neither part is empty: one of three keys is less than their median, one is not. */
static size_t partition(struct run *run, size_t from, size_t to)
{
	struct run_key *keys = run->keys;
	struct run_key pivot =
		*middle_of(run, &keys[from], &keys[from + (to - from) / 2], &keys[to - 1]);
	size_t low = from;
	size_t high = to - 1;

	for (;;) {
		while (is_less(run, &keys[low], &pivot))
			low++;
		while (is_less(run, &pivot, &keys[high]))
			high--;
		if (low >= high)
			return high + 1;
		swap(&keys[low++], &keys[high--]);
	}
}

/* ---- Adding ---- */

static void append(struct run *run, struct slice key)
{
	if (key.len > 0)
		memcpy(run->block + run->key_bytes, key.data, key.len);
	*--run->keys = (struct run_key){
		.offset = (uint32_t)run->key_bytes,
		.len = (uint32_t)key.len,
	};
	run->key_bytes += key.len;
	run->count++;
}

/* Puts the `count` smallest keys first. */
static void select_smallest(struct run *run, size_t count)
{
	size_t from = 0;
	size_t to = run->count;

	while (from < count && to - from > 2) {
		size_t middle = partition(run, from, to);

		if (middle <= count)
			from = middle;
		else
			to = middle;
	}
	if (to - from == 2 && is_less(run, &run->keys[from + 1], &run->keys[from]))
		swap(&run->keys[from], &run->keys[from + 1]);
}

static size_t bytes_of_first(const struct run *run, size_t count)
{
	size_t bytes = count * sizeof(struct run_key);

	for (size_t i = 0; i < count; i++)
		bytes += run->keys[i].len;
	return bytes;
}

/* Drops the larger keys, until at least half of the block is free. */
static bool cut(struct run *run)
{
	struct run old = *run;
	size_t kept = old.count;

	set_heads(&old);
	do {
		kept /= 2;
		select_smallest(&old, kept);
		old.count = kept;
	} while (bytes_of_first(&old, kept) > old.block_bytes / 2);
	if (!open_block(run, old.block_bytes))
		return false;
	run->is_cut = true;
	for (size_t i = 0; i < kept; i++) {
		append(run, key_of(&old, &old.keys[i]));
		struct slice key = key_of(run, run->keys);
		if (i == 0 || slice_compare(key, run->cut) > 0)
			run->cut = key;
	}
	free(old.block);
	return true;
}

bool run_make_room(struct run *run)
{
	return room_of(run) >= run->block_bytes / 4 || cut(run);
}

bool run_add(struct run *run, struct slice key)
{
	if (slice_compare(key, (struct slice){.data = run->start, .len = run->start_len}) <= 0 ||
	    (run->is_cut && slice_compare(key, run->cut) > 0))
		return true;
	if (key.len > run->block_bytes / KEY_PART)
		return false;
	if (room_of(run) < key.len + sizeof(struct run_key) && !cut(run))
		return false;
	/* The cut that was just made may be before it. */
	if (!run->is_cut || slice_compare(key, run->cut) <= 0)
		append(run, key);
	return true;
}

void run_seal(struct run *run)
{
	set_heads(run);
}

/* ---- Reading ---- */

static void sort_small(struct run *run, size_t from, size_t to)
{
	for (size_t i = from + 1; i < to; i++) {
		struct run_key key = run->keys[i];
		size_t at = i;

		for (; at > from && is_less(run, &key, &run->keys[at - 1]); at--)
			run->keys[at] = run->keys[at - 1];
		run->keys[at] = key;
	}
}

/* Sorts a few more keys. */
static void sort_on(struct run *run)
{
	size_t end = run->bound_count > 0 ? run->bounds[run->bound_count - 1] : run->count;

	while (end - run->sorted_count > SMALL_PART) {
		end = partition(run, run->sorted_count, end);
		/* A bound that is not remembered is searched again later. */
		if (run->bound_count < RUN_BOUNDS_MAX)
			run->bounds[run->bound_count++] = end;
	}
	sort_small(run, run->sorted_count, end);
	run->sorted_count = end;
	while (run->bound_count > 0 && run->bounds[run->bound_count - 1] <= end)
		run->bound_count--;
}

struct slice run_key_at(struct run *run, size_t position)
{
	while (run->sorted_count <= position)
		sort_on(run);
	return key_of(run, &run->keys[position]);
}

bool run_covers(const struct run *run, struct slice after)
{
	return slice_compare(after, (struct slice){.data = run->start, .len = run->start_len}) >=
		       0 &&
	       (!run->is_cut || slice_compare(after, run->cut) < 0);
}

size_t run_find(struct run *run, struct slice after)
{
	size_t low = 0;

	while (run->sorted_count < run->count &&
	       (run->sorted_count == 0 ||
		slice_compare(key_of(run, &run->keys[run->sorted_count - 1]), after) <= 0))
		sort_on(run);
	for (size_t high = run->sorted_count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(key_of(run, &run->keys[middle]), after) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
