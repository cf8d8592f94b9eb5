#include "steadytext/candidates.h"

#include <nettle/sha2.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "steadytext/spelling.h"

void steadytext_candidate_digest(struct slice key, uint8_t ret[STEADYTEXT_DIGEST_BYTES])
{
	struct sha256_ctx context;

	sha256_init(&context);
	sha256_update(&context, key.len, (const uint8_t *)key.data);
	sha256_digest(&context, STEADYTEXT_DIGEST_BYTES, ret);
}

bool steadytext_candidate_has_key(const struct steadytext_candidate *candidate, struct slice key)
{
	uint8_t of_key[sizeof(candidate->digest)];

	steadytext_candidate_digest(key, of_key);
	return memcmp(of_key, candidate->digest, sizeof(of_key)) == 0;
}

/* For what has no key: it is like no other. */
static struct slice bytes_of(const int64_t *id)
{
	return (struct slice){.data = (const char *)id, .len = sizeof(*id)};
}

static bool add(struct steadytext_candidates *candidates,
		const struct steadytext_candidate *candidate)
{
	struct steadytext_candidate *list = NULL;

	if (candidates->count < STEADYTEXT_CANDIDATES_MAX)
		list = array_with_room(candidates->list, candidates->count, &candidates->room,
				       sizeof(*candidates->list));
	if (!list)
		return false;
	candidates->list = list;
	list[candidates->count++] = *candidate;
	return true;
}

bool steadytext_candidates_add(struct steadytext_candidates *candidates,
			       const struct steadytext_candidate *candidate,
			       steadytext_candidates_print *print, void *user,
			       struct buffer *scratch)
{
	struct steadytext_candidate one = *candidate;
	bool is_same = false;

	/* From the last to the first; a second look at the first saves those between. */
	for (unsigned spelling = STEADYTEXT_SPELLINGS; spelling-- > 0 && !is_same;) {
		scratch->len = 0;
		bool has_text = print(user, spelling, scratch);
		if (scratch->failed)
			return false;
		uint8_t before[sizeof(one.digest)];
		memcpy(before, one.digest, sizeof(before));
		if (has_text)
			steadytext_candidate_digest(buffer_bytes(scratch), one.digest);
		else
			steadytext_candidate_digest(bytes_of(&one.id), one.digest);
		bool is_first = spelling + 1 == STEADYTEXT_SPELLINGS;
		one.spelling = (uint8_t)spelling;
		if ((is_first || memcmp(before, one.digest, sizeof(before)) != 0) &&
		    !add(candidates, &one))
			return false;
		if (is_first && spelling > 0) {
			scratch->len = 0;
			is_same = !print(user, 0, scratch) ||
				  steadytext_candidate_has_key(&one, buffer_bytes(scratch));
			if (scratch->failed)
				return false;
		}
	}
	return true;
}

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_id(const void *left, const void *right)
{
	const struct steadytext_candidate *a = left;
	const struct steadytext_candidate *b = right;
	int order = compare(a->id, b->id);

	return order != 0 ? order : compare(a->spelling, b->spelling);
}

void steadytext_candidates_drop_repeated(struct steadytext_candidates *candidates)
{
	size_t kept = 0;

	if (candidates->count == 0)
		return;
	qsort(candidates->list, candidates->count, sizeof(*candidates->list), by_id);
	for (size_t i = 0; i < candidates->count; i++)
		if (kept == 0 || by_id(&candidates->list[kept - 1], &candidates->list[i]) != 0)
			candidates->list[kept++] = candidates->list[i];
	candidates->count = kept;
}

/* Those of one key together, the last used last. */
static int by_key(const void *left, const void *right)
{
	const struct steadytext_candidate *a = left;
	const struct steadytext_candidate *b = right;
	int order = memcmp(a->digest, b->digest, sizeof(a->digest));

	if (order == 0)
		order = compare(a->last_access_us, b->last_access_us);
	return order != 0 ? order : by_id(left, right);
}

/* As the policy "frecency" (store/namespace.h). */
static double score(const struct steadytext_candidate *candidate, int64_t now_us)
{
	int64_t idle_us = now_us - candidate->last_access_us;

	return (double)candidate->frequency /
	       (1 + (double)(idle_us > 0 ? idle_us : 0) / (double)US_PER_S);
}

static int by_worth(const void *left, const void *right, void *user)
{
	const struct steadytext_candidate *a = left;
	const struct steadytext_candidate *b = right;
	const int64_t *now_us = user;
	double of_a = score(a, *now_us);
	double of_b = score(b, *now_us);
	int order = (of_a > of_b) - (of_a < of_b);

	if (order == 0)
		order = compare(a->last_access_us, b->last_access_us);
	return order != 0 ? order : by_id(left, right);
}

void steadytext_candidates_sort(struct steadytext_candidates *candidates, int64_t now_us)
{
	struct steadytext_candidate *list = candidates->list;
	size_t count = candidates->count;

	if (count == 0)
		return;
	qsort(list, count, sizeof(*list), by_key);
	for (size_t i = 0; i + 1 < count; i++)
		list[i].is_outdone =
			memcmp(list[i].digest, list[i + 1].digest, sizeof(list->digest)) == 0;
	qsort_r(list, count, sizeof(*list), by_worth, &now_us);
}

void steadytext_candidates_deinit(struct steadytext_candidates *candidates)
{
	free(candidates->list);
	*candidates = (struct steadytext_candidates){0};
}
