#include "backends/sqlite/write/hints.h"

#include <stdlib.h>

/* 8 MiB if all are used. */
#define PLACES (UINT64_C(1) << 18)

static struct hint *place_of(const struct hints *hints, int64_t hash)
{
	return &hints->places[(uint64_t)hash % PLACES];
}

const struct hint *hints_find(const struct hints *hints, int64_t hash)
{
	const struct hint *hint = hints->places ? place_of(hints, hash) : NULL;

	return hint && hint->id != 0 && hint->hash == hash ? hint : NULL;
}

void hints_note(struct hints *hints, const struct hint *hint)
{
	if (!hints->places)
		hints->places = calloc(PLACES, sizeof(*hints->places));
	if (hints->places)
		*place_of(hints, hint->hash) = *hint;
}

void hints_deinit(struct hints *hints)
{
	free(hints->places);
	hints->places = NULL;
}
