#include "steadytext/pkl_meta.h"

#include <stdlib.h>

#include "steadytext/candidates.h"

/* A counter beyond is none: SteadyText counts uses. */
#define COUNTER_MAX (INT64_C(1) << 53)

struct use {
	uint8_t digest[STEADYTEXT_DIGEST_BYTES]; /* of the key */
	uint64_t frequency;
	int64_t counter;
};

struct steadytext_pkl_meta {
	int64_t last; /* the highest counter */
	size_t count;
	struct use uses[]; /* by digest */
};

static int compare(const void *left, const void *right)
{
	return memcmp(((const struct use *)left)->digest, ((const struct use *)right)->digest,
		      sizeof(((const struct use *)left)->digest));
}

static int64_t counter_of(const struct pickle_node *node)
{
	return node && node->kind == PICKLE_INT && node->integer >= 0 &&
			       node->integer <= COUNTER_MAX
		       ? node->integer
		       : 0;
}

/* False: it is no (frequency, counter). */
static bool read_use(const struct pickle_node *node, struct use *ret)
{
	bool is_pair = (node->kind == PICKLE_TUPLE || node->kind == PICKLE_LIST) &&
		       node->items.count == 2 && node->items.list[0]->kind == PICKLE_INT;

	if (!is_pair)
		return false;
	ret->frequency =
		node->items.list[0]->integer > 1 ? (uint64_t)node->items.list[0]->integer : 1;
	ret->counter = counter_of(node->items.list[1]);
	return true;
}

struct steadytext_pkl_meta *steadytext_pkl_meta_read(const struct pickle_node *meta,
						     const struct pickle_node *counter,
						     struct steadytext_pkl_budget *budget)
{
	struct steadytext_pkl_meta *ret =
		calloc(1, sizeof(*ret) + meta->items.count / 2 * sizeof(*ret->uses));
	struct buffer key = {0};
	struct pickle_error ignored;

	if (!ret)
		return NULL;
	ret->last = counter_of(counter);
	for (uint32_t i = 0; i + 1 < meta->items.count && !key.failed; i += 2) {
		struct use *use = &ret->uses[ret->count];

		key.len = 0;
		bool is_good =
			read_use(meta->items.list[i + 1], use) &&
			steadytext_pkl_key_print(meta->items.list[i], 0, budget, &key, &ignored);
		if (!is_good)
			continue;
		steadytext_candidate_digest(buffer_bytes(&key), use->digest);
		if (use->counter > ret->last)
			ret->last = use->counter;
		ret->count++;
	}
	bool failed = key.failed;
	buffer_deinit(&key);
	if (failed) {
		free(ret);
		return NULL;
	}
	qsort(ret->uses, ret->count, sizeof(*ret->uses), compare);
	return ret;
}

void steadytext_pkl_meta_find(const struct steadytext_pkl_meta *meta, struct slice key,
			      int64_t last_us, uint64_t *ret_frequency, int64_t *ret_last_access_us)
{
	struct use wanted = {0};

	steadytext_candidate_digest(key, wanted.digest);
	const struct use *use =
		bsearch(&wanted, meta->uses, meta->count, sizeof(*meta->uses), compare);
	int64_t before_us = use ? meta->last - use->counter : 0;
	*ret_frequency = use ? use->frequency : 1;
	*ret_last_access_us = before_us < last_us ? last_us - before_us : 1;
}

void steadytext_pkl_meta_free(struct steadytext_pkl_meta *meta)
{
	free(meta);
}
