#include "backends/redis/scatter_all.h"

#include <stdio.h>
#include <string.h>

#include "backends/redis/batch.h"
#include "backends/redis/scatter.h"
#include "backends/redis/share.h"

/* Requests of a CHECK, over all slots. */
#define CHECKS_MAX 64U

static void finish_all(struct redis_scatter *scatter)
{
	redis_scatter_end(scatter, CACHE_OK, redis_scatter_failed(scatter));
}

/* ---- CLEAR, CONFIGURE ---- */

void redis_scatter_clear(struct backend *backend, struct cache_op *op, unsigned part_count)
{
	struct redis_scatter *scatter =
		redis_scatter_create(backend, op, part_count, 0, finish_all);

	if (!scatter)
		return;
	for (unsigned p = 0; p < part_count; p++)
		redis_scatter_add(scatter, p)->prefix = op->prefix;
	redis_scatter_send(scatter);
}

/* What a drop has found. */
struct dropping {
	bool was_there; /* a partition */
	bool is_named;  /* whether the name was there is being asked */
};

/* First the partitions, then the name: where one of them fails the namespace is still told of, and
 * can be dropped once more. */
static void finish_drop(struct redis_scatter *scatter)
{
	struct dropping *dropping = scatter->more;

	for (size_t i = 0; i < scatter->count; i++) {
		enum cache_status status = scatter->children[i].status;

		dropping->was_there |= status == CACHE_OK;
		if (status == CACHE_OK || status == CACHE_NOT_FOUND)
			continue;
		redis_scatter_end(scatter, status, &scatter->children[i]);
		return;
	}
	if (dropping->is_named) {
		redis_scatter_end(scatter, dropping->was_there ? CACHE_OK : CACHE_NOT_FOUND, NULL);
		return;
	}
	redis_scatter_reset(scatter);
	dropping->is_named = true;
	struct cache_op *child = redis_scatter_add(scatter, 0);
	child->drop = true;
	child->progress = PHASE_UNNAME;
	redis_scatter_send(scatter);
}

void redis_scatter_drop(struct backend *backend, struct cache_op *op, unsigned part_count)
{
	struct redis_scatter *scatter =
		redis_scatter_create(backend, op, part_count, sizeof(struct dropping), finish_drop);

	if (!scatter)
		return;
	for (unsigned p = 0; p < part_count; p++)
		redis_scatter_add(scatter, p)->drop = true;
	redis_scatter_send(scatter);
}

void redis_scatter_configure(struct backend *backend, struct cache_op *op,
			     const struct redis_refusals *refusals)
{
	unsigned part_count = refusals->part_count;
	const char *refusal = redis_refusal_of(refusals, &op->settings, op->settings_mask);

	if (refusal) {
		op->detail = refusal;
		cache_op_complete(op, CACHE_INVALID);
		return;
	}
	struct redis_scatter *scatter =
		redis_scatter_create(backend, op, part_count, 0, finish_all);
	if (!scatter)
		return;
	for (unsigned p = 0; p < part_count; p++) {
		struct cache_op *child = redis_scatter_add(scatter, p);

		child->settings = op->settings;
		child->settings_mask = op->settings_mask;
		redis_share_out(&child->settings, p, part_count);
	}
	redis_scatter_send(scatter);
}

/* ---- CHECK ---- */

static void finish_check(struct redis_scatter *scatter)
{
	struct cache_health_check *check = &scatter->op->checks[0];
	const struct cache_health_check *ill = NULL;
	size_t count = 0;

	for (size_t i = 0; i < scatter->count; i++) {
		if (scatter->children[i].checks[0].ok)
			continue;
		ill = ill ? ill : &scatter->children[i].checks[0];
		count++;
	}
	*check = (struct cache_health_check){.name = "upstream", .ok = count < scatter->count};
	if (ill && check->ok)
		(void)snprintf(check->detail, sizeof(check->detail), "%u of %u parts: %.80s",
			       (unsigned)count, (unsigned)scatter->count, ill->detail);
	else if (ill)
		*check = *ill;
	scatter->op->check_count = 1;
	redis_scatter_end(scatter, CACHE_OK, redis_scatter_failed(scatter));
}

void redis_scatter_check(struct backend *backend, struct cache_op *op, unsigned part_count)
{
	unsigned count = part_count < CHECKS_MAX ? part_count : CHECKS_MAX;
	struct redis_scatter *scatter = redis_scatter_create(backend, op, count, 0, finish_check);

	if (!scatter)
		return;
	for (unsigned i = 0; i < count; i++)
		(void)redis_scatter_add(scatter, i * part_count / count);
	redis_scatter_send(scatter);
}

/* ---- SYNC ---- */

static bool has_to_tell(const struct redis_part *part)
{
	return part->op || !redis_uses_are_none(&part->uses);
}

void redis_scatter_sync(struct backend *backend, struct cache_op *op,
			const struct redis_spaces *spaces)
{
	struct redis_part *part = NULL;
	size_t count = 0;

	while ((part = redis_space_next_part(spaces, part)))
		count += has_to_tell(part);
	if (count == 0) {
		cache_op_complete(op, CACHE_OK);
		return;
	}
	struct redis_scatter *scatter = redis_scatter_create(
		backend, op, count, count * sizeof(part->space->name), finish_all);
	if (!scatter)
		return;
	char(*names)[sizeof(part->space->name)] = scatter->more;
	while ((part = redis_space_next_part(spaces, part))) {
		if (!has_to_tell(part))
			continue;
		char *name = names[scatter->count];
		memcpy(name, part->space->name, sizeof(part->space->name));
		redis_scatter_add(scatter, part->index)->ns = slice_of(name);
	}
	redis_scatter_send(scatter);
}
