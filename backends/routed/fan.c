#include "backends/routed/fan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/routed/routed_state.h"
#include "backends/routed/rules.h"
#include "store/notice.h"
#include "store/rules.h"

/* For the answer of a CHECK: kubelet's own patience, if nobody changes it, is a second. */
#define CHECK_PATIENCE_US (US_PER_S * 4 / 5)
/* For statistics that may be without those of one. */
#define STATS_PATIENCE_US (US_PER_S * 2)

struct fan_part {
	struct fan *fan;
	struct branch *branch;
	struct cache_op op;
};

struct fan {
	struct routed *routed;
	struct cache_op *op; /* the caller's */
	atomic_size_t left;
	struct fan_part parts[];
};

/* ---- Answers ---- */

static bool is_well(const struct cache_branch *branch)
{
	bool ret = branch->status == CACHE_OK;

	for (size_t i = 0; i < branch->check_count; i++)
		ret &= branch->checks[i].ok;
	return ret;
}

/* A backend without statistics has none to tell. */
static enum cache_status status_of(const struct cache_op *op)
{
	if (op->type == CACHE_OP_STATS && op->status == CACHE_UNSUPPORTED)
		return CACHE_OK;
	return op->status;
}

static void take_answer(const struct fan_part *part, struct cache_branch *ret)
{
	const struct cache_op *op = &part->op;

	ret->name = part->branch->name;
	ret->url = part->branch->place->label;
	ret->status = status_of(op);
	if (ret->status != CACHE_OK)
		(void)snprintf(ret->detail, sizeof(ret->detail), "%s: %s", ret->name,
			       op->detail ? op->detail : cache_status_text(op->status));
	if (op->type != CACHE_OP_CHECK)
		return;
	ret->check_count = op->check_count;
	memcpy(ret->checks, op->checks, sizeof(ret->checks));
}

/* ---- Statistics ---- */

static void tell_of_hidden(struct routed *routed, struct branch *branch, const char *ns)
{
	if (!atomic_exchange(&branch->has_told, true))
		notice_send(&routed->config, NOTICE_WARN,
			    "%s has entries of the namespace \"%s\", which is not served from "
			    "there: its name leads to another backend (--route)",
			    branch->place->label, ns);
}

/* Appends those that are served from there. */
static void take_stats(struct fan_part *part, struct cache_op *op)
{
	struct routed *routed = part->fan->routed;

	for (size_t i = 0; i < part->op.stats_count; i++) {
		const struct namespace_stats *stats = &part->op.stats[i];
		size_t place = routed_place_of(routed_rules(routed), slice_of(stats->name));

		if (&routed->branches[place] != part->branch) {
			if (stats->entry_count > 0) {
				op->has_hidden = true;
				tell_of_hidden(routed, part->branch, stats->name);
			}
			continue;
		}
		op->stats[op->stats_count] = *stats;
		op->stats[op->stats_count++].backend = part->branch->name;
	}
}

/* False: out of memory. */
static bool merge_stats(struct fan *fan)
{
	struct cache_op *op = fan->op;
	size_t max = 1;

	for (size_t i = 0; i < fan->routed->count; i++)
		max += fan->parts[i].op.stats_count;
	op->stats = calloc(max, sizeof(*op->stats));
	if (!op->stats)
		return false;
	for (size_t i = 0; i < fan->routed->count; i++)
		take_stats(&fan->parts[i], op);
	rules_sort_stats(op);
	return true;
}

/* ---- The whole ---- */

/* One that is ill leaves the others of use. */
static void sum_up_checks(struct cache_op *op)
{
	struct cache_health_check *check = &op->checks[0];
	size_t well = 0;

	*check = (struct cache_health_check){.name = "backends"};
	for (size_t i = 0; i < op->branch_count; i++)
		well += is_well(&op->branches[i]);
	check->ok = well > 0;
	if (well < op->branch_count)
		(void)snprintf(check->detail, sizeof(check->detail), "%zu of %zu can be used", well,
			       op->branch_count);
	op->check_count = 1;
}

static enum cache_status sum_up(struct fan *fan)
{
	struct cache_op *op = fan->op;
	const struct cache_branch *failed = NULL;
	size_t answered = 0;

	op->branches = calloc(fan->routed->count, sizeof(*op->branches));
	if (!op->branches)
		return CACHE_NO_MEMORY;
	op->branch_count = fan->routed->count;
	for (size_t i = 0; i < op->branch_count; i++) {
		take_answer(&fan->parts[i], &op->branches[i]);
		if (op->branches[i].status == CACHE_OK) {
			answered++;
		} else if (!failed) {
			failed = &op->branches[i];
			op->retry_after_s = fan->parts[i].op.retry_after_s;
		}
	}
	if (op->type == CACHE_OP_CHECK) {
		sum_up_checks(op);
		return CACHE_OK;
	}
	if (failed && !(op->takes_branches && answered > 0)) {
		op->detail = failed->detail;
		return failed->status;
	}
	return op->type != CACHE_OP_STATS || merge_stats(fan) ? CACHE_OK : CACHE_NO_MEMORY;
}

static void part_done(struct cache_op *op)
{
	struct fan_part *part = op->user;
	struct fan *fan = part->fan;

	if (atomic_fetch_sub(&fan->left, 1) > 1)
		return;
	struct cache_op *whole = fan->op;
	enum cache_status status = sum_up(fan);
	for (size_t i = 0; i < fan->routed->count; i++)
		cache_op_deinit(&fan->parts[i].op);
	free(fan);
	cache_op_complete(whole, status);
}

static void fill(struct fan_part *part, const struct cache_op *op)
{
	cache_op_init(&part->op, op->type);
	part->op.trace = op->trace;
	part->op.patience_us = op->patience_us;
	if (op->type == CACHE_OP_CHECK && op->patience_us == 0)
		part->op.patience_us = CHECK_PATIENCE_US;
	if (op->takes_branches && op->patience_us == 0)
		part->op.patience_us = STATS_PATIENCE_US;
	part->op.done = part_done;
	part->op.user = part;
}

void fan_submit(struct backend *backend, struct cache_op *op)
{
	struct routed *routed = routed_of(backend);
	size_t count = routed->count;
	struct fan *fan = calloc(1, sizeof(*fan) + count * sizeof(fan->parts[0]));

	if (!fan) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	fan->routed = routed;
	fan->op = op;
	atomic_init(&fan->left, count);
	for (size_t i = 0; i < count; i++) {
		fan->parts[i].fan = fan;
		fan->parts[i].branch = &routed->branches[i];
		fill(&fan->parts[i], op);
	}
	/* The last answer frees it. */
	for (size_t i = 0; i < count; i++)
		backend_submit(routed->branches[i].backend, &fan->parts[i].op);
}
