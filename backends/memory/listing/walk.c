/* Listings of many pages.
 *
 * A page of a listing takes a visit of all entries (listing.c). That is fine for one page, but a
 * listing of n entries has n / 1000 pages. So the visit for a page that continues another one
 * collects a run (run.c) of the keys after it: as many as fit into a 64th of the memory that the
 * entries of the namespace take. The following pages look up the keys of the run. So a listing of a
 * whole namespace causes a number of visits that does not grow with the namespace.
 *
 * A run has only keys: an entry that was deleted since is not listed, and one that was replaced is
 * listed as it is now. Keys that were added since are missing from it, which is allowed for keys
 * that did not exist when the listing began. So a listing that begins forbids all older runs of the
 * namespace. The remaining runs are newer than any listing that may ask: hence it does not matter
 * which listing made them, and listings may share them. They may also go back in a run.
 *
 * A run is used for ten seconds: a client that returns with an old cursor wants to see new entries.
 *
 * There are only a few runs at once, and one that a listing will soon need again is not taken for
 * another listing: they would take runs from each other, and each page would cost more than a
 * visit. A listing that finds none free gets a page by its own visit. */
#include "backends/memory/listing/walk.h"

#include <stdlib.h>

#include "backends/memory/listing/listing.h"
#include "backends/memory/listing/page.h"
#include "backends/memory/listing/run.h"
#include "backends/memory/visit.h"

/* A block has this part of the memory of its namespace's entries, ... */
#define BLOCK_PART 64
/* ... but at least this much, bytes, or this part of all memory if that is limited. */
#define BLOCK_LEAST  ((uint64_t)1 << 20)
#define LIMITED_PART 256

/* A run that nobody has read for this long is given up for another. */
#define IDLE_US (2 * US_PER_S)

struct walk {
	struct namespace *ns;
	unsigned listings; /* ns->listings when it was made */
	char *prefix;      /* malloc'ed */
	size_t prefix_len;
	int64_t used_at_us;
	int64_t ends_at_us;
	struct run run;
};

/* ---- The existing runs ---- */

static void drop(struct walks *walks, struct walk **slot)
{
	struct walk *walk = *slot;

	if (!walk)
		return;
	usage_subtract(&walks->namespaces->total.memory_bytes, walk->run.block_bytes);
	run_deinit(&walk->run);
	free(walk->prefix);
	free(walk);
	*slot = NULL;
}

void walks_deinit(struct walks *walks)
{
	for (size_t i = 0; i < WALKS_MAX; i++)
		drop(walks, &walks->walks[i]);
}

static bool is_usable(const struct walk *walk, int64_t now_us)
{
	/* A clock that was set back must not prolong it. */
	return now_us < walk->ends_at_us && now_us >= walk->ends_at_us - WALK_LIFE_US &&
	       walk->listings == atomic_load(&walk->ns->listings);
}

bool walks_tidy(struct walks *walks, int64_t now_us)
{
	bool is_any = false;

	for (size_t i = 0; i < WALKS_MAX; i++) {
		struct walk **slot = &walks->walks[i];

		if (*slot && !is_usable(*slot, now_us))
			drop(walks, slot);
		is_any |= *slot != NULL;
	}
	return is_any;
}

/* The run with the keys after `after`, or NULL. */
static struct walk **find(struct walks *walks, const struct namespace *ns,
			  const struct cache_op *op, struct slice after)
{
	for (size_t i = 0; i < WALKS_MAX; i++) {
		struct walk *walk = walks->walks[i];

		if (walk && walk->ns == ns &&
		    slice_equal((struct slice){.data = walk->prefix, .len = walk->prefix_len},
				op->prefix) &&
		    run_covers(&walk->run, after))
			return &walks->walks[i];
	}
	return NULL;
}

/* A free place for another run, or NULL. */
static struct walk **free_slot(struct walks *walks, int64_t now_us)
{
	struct walk **oldest = &walks->walks[0];

	for (size_t i = 0; i < WALKS_MAX; i++) {
		struct walk **slot = &walks->walks[i];

		if (!*slot)
			return slot;
		if ((*slot)->used_at_us < (*oldest)->used_at_us)
			oldest = slot;
	}
	if (now_us - (*oldest)->used_at_us < IDLE_US)
		return NULL;
	drop(walks, oldest);
	return oldest;
}

/* ---- Making one ---- */

struct collection {
	struct page page; /* says what is wanted; it stays empty */
	struct run *run;
	bool failed;
};

static bool collect(void *context, struct shard *shard, struct entry *entry, struct entry **trash)
{
	struct collection *collection = context;

	(void)shard;
	(void)trash;
	if (!page_may_list(&collection->page, entry))
		return true;
	collection->failed |= !run_add(collection->run, entry_key(entry));
	return !collection->failed;
}

static void make_room(void *context)
{
	struct collection *collection = context;

	collection->failed |= !run_make_room(collection->run);
}

static size_t block_bytes(const struct namespaces *all, const struct namespace *ns)
{
	uint64_t max = all->max_memory_bytes;
	uint64_t used = usage_read(&all->total.memory_bytes);
	uint64_t bytes = usage_read(&ns->usage.memory_bytes) / BLOCK_PART;
	uint64_t least = BLOCK_LEAST;

	if (bytes < least)
		bytes = least;
	if (max > 0) {
		/* Two blocks while one is copied to the other. */
		uint64_t room = max > used ? (max - used) / 2 : 0;

		if (max / LIMITED_PART < least)
			least = max / LIMITED_PART;
		if (room < least)
			room = least;
		if (bytes > room)
			bytes = room;
	}
	if (bytes < RUN_BLOCK_MIN)
		return RUN_BLOCK_MIN;
	return bytes < RUN_BLOCK_MAX ? (size_t)bytes : RUN_BLOCK_MAX;
}

static struct walk *create(struct namespace *ns, const struct cache_op *op, struct slice after,
			   size_t bytes)
{
	struct walk *walk = calloc(1, sizeof(*walk));

	if (!walk)
		return NULL;
	walk->ns = ns;
	walk->listings = atomic_load(&ns->listings);
	walk->prefix_len = op->prefix.len;
	walk->prefix = malloc(op->prefix.len ? op->prefix.len : 1);
	if (!walk->prefix || !run_init(&walk->run, bytes, after)) {
		free(walk->prefix);
		free(walk);
		return NULL;
	}
	if (op->prefix.len > 0)
		memcpy(walk->prefix, op->prefix.data, op->prefix.len);
	return walk;
}

/* Puts a run of the keys after `after` into the free `slot`. False: it cannot be made. */
static bool make(struct walks *walks, struct walk **slot, struct namespace *ns,
		 const struct page *page, struct slice after)
{
	struct namespaces *all = walks->namespaces;
	size_t bytes = block_bytes(all, ns);
	struct walk *walk = create(ns, page->op, after, bytes);

	if (!walk)
		return false;
	*slot = walk;
	(void)usage_add(&all->total.memory_bytes, walk->run.block_bytes);
	struct collection collection = {.page = *page, .run = &walk->run};
	struct visitor visitor = {.visit = collect, .between = make_room, .context = &collection};
	(void)usage_add(&all->total.memory_bytes, bytes);
	bool is_made = visit_entries(ns, &visitor) && !collection.failed;
	usage_subtract(&all->total.memory_bytes, bytes);
	if (!is_made) {
		drop(walks, slot);
		return false;
	}
	run_seal(&walk->run);
	/* Its life begins now and not at page->now_us, because the visit may have taken long. */
	walk->ends_at_us = cache_clock_now_us(all->config->clock) + WALK_LIFE_US;
	return true;
}

/* ---- A page ---- */

enum outcome { IS_DONE, IS_EXHAUSTED, NO_MEMORY };

struct reader {
	struct page page;
	struct namespace *ns;
	struct slice after; /* the last key of the page, or of the previous one */
};

/* Lists the entry of `key`, if it exists and the page is not full. If the page is full, marks it as
 * not the last. False: out of memory. */
static bool list_key(struct reader *reader, struct slice key)
{
	struct cache_op *op = reader->page.op;
	uint64_t hash = entry_hash(key);
	struct shard *shard = namespace_shard(reader->ns, hash);
	bool has_memory = true;

	(void)pthread_mutex_lock(&shard->lock);
	struct entry *entry = table_find(&shard->table, hash, key);
	if (!entry || entry_is_expired(entry, reader->page.now_us)) {
		/* Removed since the run was made. */
	} else if (page_is_full(&reader->page)) {
		op->complete = false;
	} else {
		has_memory = page_append(&reader->page, entry);
		if (has_memory)
			reader->after = op->entries[op->entry_count - 1].key;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	return has_memory;
}

static enum outcome read_run(struct reader *reader, struct run *run)
{
	struct cache_op *op = reader->page.op;

	for (size_t at = run_find(run, reader->after); at < run->count; at++) {
		if (!list_key(reader, run_key_at(run, at)))
			return NO_MEMORY;
		if (!op->complete)
			return IS_DONE;
	}
	op->complete = !run->is_cut;
	return op->complete ? IS_DONE : IS_EXHAUSTED;
}

/* The run for what follows the page so far, made if there is none. NULL: it cannot be made. */
static struct walk **run_for(struct walks *walks, struct reader *reader)
{
	struct walk **slot = find(walks, reader->ns, reader->page.op, reader->after);

	if (slot)
		return slot;
	slot = free_slot(walks, reader->page.now_us);
	if (!slot || !make(walks, slot, reader->ns, &reader->page, reader->after))
		return NULL;
	return slot;
}

static enum cache_status read_pages(struct walks *walks, struct namespace *ns, struct cache_op *op,
				    int64_t now_us)
{
	struct reader reader = {.page = page_of(ns, op, now_us), .ns = ns, .after = op->after};
	enum outcome outcome = IS_EXHAUSTED;

	while (outcome == IS_EXHAUSTED && !page_is_full(&reader.page)) {
		struct walk **slot = run_for(walks, &reader);

		if (!slot && op->entry_count == 0)
			return listing_page(ns, op, now_us);
		op->complete = slot != NULL;
		if (!slot) /* a short page */
			return CACHE_OK;
		(*slot)->used_at_us = now_us;
		outcome = read_run(&reader, &(*slot)->run);
		if (outcome == IS_EXHAUSTED)
			drop(walks, slot); /* the next one takes its place */
	}
	return outcome == NO_MEMORY ? CACHE_NO_MEMORY : CACHE_OK;
}

enum cache_status walk_page(struct walks *walks, struct namespace *ns, struct cache_op *op,
			    int64_t now_us)
{
	(void)walks_tidy(walks, now_us);
	if (op->has_after)
		return read_pages(walks, ns, op, now_us);
	return listing_page(ns, op, now_us);
}
