#include "backends/large/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void waiting_deinit(struct waiting *waiting)
{
	free(waiting->former);
	free(waiting->now);
	*waiting = (struct waiting){0};
}

static uint64_t mark_of(const uint8_t *sha256)
{
	uint64_t mark;

	memcpy(&mark, sha256, sizeof(mark));
	return mark;
}

static int compare(const void *a, const void *b)
{
	const struct waiting_object *left = a, *right = b;

	return (left->mark > right->mark) - (left->mark < right->mark);
}

static void note(struct waiting *waiting, uint64_t mark, int64_t since_us)
{
	struct waiting_object *grown;

	if (waiting->now_count >= WAITING_MAX)
		return;
	grown = array_with_room(waiting->now, waiting->now_count, &waiting->now_capacity,
				sizeof(*grown));
	if (!grown)
		return;
	waiting->now = grown;
	grown[waiting->now_count++] = (struct waiting_object){mark, since_us};
}

bool waiting_is_over(struct waiting *waiting, const uint8_t sha256[SHA256_BYTES], int64_t now_us,
		     int64_t before_us)
{
	const struct waiting_object wanted = {.mark = mark_of(sha256)};
	const struct waiting_object *known = NULL;

	if (waiting->former_count > 0)
		known = bsearch(&wanted, waiting->former, waiting->former_count, sizeof(wanted),
				compare);
	if (known && known->since_us < before_us)
		return true;
	note(waiting, wanted.mark, known ? known->since_us : now_us);
	return false;
}

void waiting_turn(struct waiting *waiting, bool failed)
{
	if (failed) {
		waiting->now_count = 0;
		return;
	}
	free(waiting->former);
	waiting->former = waiting->now;
	waiting->former_count = waiting->now_count;
	waiting->now = NULL;
	waiting->now_count = waiting->now_capacity = 0;
	if (waiting->former_count > 0)
		qsort(waiting->former, waiting->former_count, sizeof(waiting->former[0]), compare);
}
