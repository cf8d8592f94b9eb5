#include "backends/large/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void candidates_deinit(struct candidates *candidates)
{
	free(candidates->all);
	*candidates = (struct candidates){0};
}

bool candidates_add(struct candidates *candidates, const struct object_info *info)
{
	struct candidate *grown = array_with_room(candidates->all, candidates->count,
						  &candidates->capacity, sizeof(*grown));

	if (!grown)
		return false;
	candidates->all = grown;
	struct candidate *added = &grown[candidates->count++];
	*added = (struct candidate){.len_bytes = info->len_bytes};
	memcpy(added->sha256, info->sha256, sizeof(added->sha256));
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	return memcmp(left->sha256, right->sha256, SHA256_BYTES);
}

void candidates_sort(struct candidates *candidates)
{
	if (candidates->count > 0)
		qsort(candidates->all, candidates->count, sizeof(candidates->all[0]), compare);
}

void candidates_name(struct candidates *candidates, const struct etag *etag)
{
	size_t low = 0, high = candidates->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(candidates->all[middle].sha256, etag->bytes, sizeof(etag->bytes)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < candidates->count &&
	       memcmp(candidates->all[low].sha256, etag->bytes, sizeof(etag->bytes)) == 0;
	     low++)
		candidates->all[low].is_named = true;
}
