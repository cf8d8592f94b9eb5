#include "backends/remote/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "store/rules.h"
#include "store/tell.h"

/* Members, quotes and braces of an item or op in JSON, roughly. */
#define ITEM_OVERHEAD_BYTES 160

static uint64_t hash_key(uint64_t ns_hash, struct slice key)
{
	return XXH3_64bits_withSeed(key.data, key.len, ns_hash);
}

static bool hash_keys(struct remote_job *job, const struct cache_op *op)
{
	if (op->item_count == 1) {
		job->key_hash = hash_key(job->ns_hash, op->items[0].key);
		return true;
	}
	if (!job->is_write)
		return true;
	job->key_hashes = malloc(op->item_count * sizeof(*job->key_hashes));
	if (!job->key_hashes)
		return false;
	for (size_t i = 0; i < op->item_count; i++)
		job->key_hashes[i] = hash_key(job->ns_hash, op->items[i].key);
	return true;
}

static size_t measure(const struct cache_op *op)
{
	size_t bytes = ITEM_OVERHEAD_BYTES;

	for (size_t i = 0; i < op->item_count; i++) {
		bytes += ITEM_OVERHEAD_BYTES + op->items[i].key.len;
		if (op->type == CACHE_OP_SET)
			bytes += op->items[i].value->len_bytes;
	}
	return bytes;
}

struct remote_job *remote_job_create(struct cache_op *op, int64_t now_us, int64_t timeout_us)
{
	bool has_items = cache_op_has_items(op->type);
	bool is_lease = op->type == CACHE_OP_LEASE_TAKE || op->type == CACHE_OP_LEASE_END;
	struct remote_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->op = op;
	job->submitted_us = now_us;
	if (op->patience_us > 0 && op->patience_us < timeout_us)
		timeout_us = op->patience_us;
	job->deadline_us = job->submitted_us + timeout_us;
	job->item_count = has_items ? op->item_count : 1;
	job->size_bytes = has_items ? measure(op) : ITEM_OVERHEAD_BYTES;
	job->is_single_read =
		op->item_count == 1 && (op->type == CACHE_OP_GET || op->type == CACHE_OP_EXISTS);
	job->covers_namespace = op->type == CACHE_OP_CLEAR || op->type == CACHE_OP_CONFIGURE;
	/* What is asked about the lease on a key keeps its order, and goes behind a set. */
	job->is_write = op->type == CACHE_OP_SET || op->type == CACHE_OP_DELETE ||
			op->type == CACHE_OP_EXPIRE || job->covers_namespace || is_lease;
	/* A condition may hold only once: a repeated write would be refused because of its own
	 * first try. */
	job->is_idempotent = !(has_items && op->item_count == 1 &&
			       op->items[0].condition.kind != CONDITION_NONE);
	job->ns_hash = XXH3_64bits_withSeed(op->ns.data, op->ns.len, op->part);
	if ((has_items || is_lease) && !hash_keys(job, op)) {
		free(job);
		return NULL;
	}
	return job;
}

/* Tells of what `op` has done. Of a part of a namespace nobody can be told that it was cleared. */
static void tell_done(const struct backend_config *config, const struct cache_op *op)
{
	bool is_clear = op->type == CACHE_OP_CLEAR;
	enum cache_change_kind kind = op->type == CACHE_OP_DELETE ? CHANGE_DELETE : CHANGE_SET;

	if (!tell_is_wanted(config))
		return;
	if (is_clear)
		tell_change(config, op->part == 0 ? CHANGE_CLEAR : CHANGE_MISSED, op->ns,
			    op->prefix);
	for (size_t i = 0; cache_op_has_items(op->type) && i < op->item_count; i++)
		if (op->items[i].status == CACHE_OK)
			tell_change(config, kind, op->ns, op->items[i].key);
}

/* Whether a write that failed so has surely changed nothing. */
static bool is_refusal(enum cache_status status)
{
	return status == CACHE_PRECONDITION_FAILED || status == CACHE_NOT_FOUND ||
	       status == CACHE_INVALID || status == CACHE_TOO_LARGE ||
	       status == CACHE_UNSUPPORTED || status == CACHE_READ_ONLY ||
	       status == CACHE_NO_SPACE || status == CACHE_TOO_MANY_NAMESPACES;
}

static void note_failure(struct remote_job *job, enum cache_status status)
{
	if (!job->is_write || !job->is_sent || !job->config || !tell_is_wanted(job->config) ||
	    is_refusal(status) || job->is_uncertain)
		return;
	job->is_uncertain = true;
	job->uncertain_ns = strndup(job->op->ns.data, job->op->ns.len);
}

/* Once nothing of it is in flight any more. */
static void tell_uncertain(const struct remote_job *job)
{
	if (job->is_uncertain)
		tell_change(job->config, CHANGE_MISSED, slice_of(job->uncertain_ns),
			    (struct slice){0});
}

void remote_job_free(struct remote_job *job)
{
	while (job) {
		struct remote_job *twin = job->twins;

		tell_uncertain(job);
		free(job->uncertain_ns);
		free(job->key_hashes);
		free(job);
		job = twin;
	}
}

void remote_job_succeed(struct remote_job *job)
{
	struct cache_op *op = job->op;

	/* The twins first, because an op belongs to its caller again once it is done. */
	for (struct remote_job *twin = op ? job->twins : NULL; twin; twin = twin->twins) {
		struct cache_op *twin_op = twin->op;
		struct cache_value *value = op->items[0].value;

		if (!twin_op)
			continue;
		twin->op = NULL;
		twin_op->items[0].status = op->items[0].status;
		twin_op->items[0].stale = op->items[0].stale;
		if (twin_op->type == CACHE_OP_GET && value)
			twin_op->items[0].value = cache_value_acquire(value);
		rules_complete_items(twin_op);
	}
	job->op = NULL;
	if (op && job->is_write && job->config)
		tell_done(job->config, op);
	if (op)
		rules_complete_items(op);
}

/* A check that finds the upstream ill has succeeded. */
static void fail_check(struct cache_op *op, enum cache_status status, const char *detail)
{
	struct cache_health_check *check = &op->checks[0];

	*check = (struct cache_health_check){.name = "upstream"};
	(void)snprintf(check->detail, sizeof(check->detail), "%s",
		       detail ? detail : cache_status_text(status));
	op->check_count = 1;
	cache_op_complete(op, CACHE_OK);
}

static void fail_one(struct remote_job *job, enum cache_status status, const char *detail,
		     unsigned retry_after_s)
{
	struct cache_op *op = job->op;

	if (!op)
		return;
	note_failure(job, status);
	job->op = NULL;
	if (op->type == CACHE_OP_CHECK) {
		fail_check(op, status, detail);
		return;
	}
	op->detail = detail;
	op->retry_after_s = retry_after_s;
	cache_op_complete(op, status);
}

void remote_job_fail(struct remote_job *job, enum cache_status status, const char *detail,
		     unsigned retry_after_s)
{
	for (struct remote_job *each = job; each; each = each->twins)
		fail_one(each, status, detail, retry_after_s);
}

int64_t remote_job_expire(struct remote_job *job, int64_t now_us, const char *sentence,
			  uint64_t *expired)
{
	int64_t next_us = INT64_MAX;
	struct remote_job *heir = NULL;

	for (struct remote_job *each = job; each; each = each->twins) {
		if (each->op && each->deadline_us <= now_us) {
			fail_one(each, CACHE_TIMEOUT, sentence, 0);
			*expired += 1;
		}
		if (each->op && !heir)
			heir = each;
		if (each->op && each->deadline_us < next_us)
			next_us = each->deadline_us;
	}
	if (heir && heir != job) {
		job->op = heir->op;
		job->deadline_us = heir->deadline_us;
		heir->op = NULL;
	}
	return next_us;
}

void remote_job_hurry(struct remote_job *job, int64_t limit_us)
{
	for (struct remote_job *each = job; each; each = each->twins)
		if (each->deadline_us > limit_us)
			each->deadline_us = limit_us;
}

void remote_job_list_init(struct remote_job_list *list)
{
	list->first = NULL;
	list->last = &list->first;
	list->count = 0;
}

void remote_job_list_push(struct remote_job_list *list, struct remote_job *job)
{
	job->next = NULL;
	*list->last = job;
	list->last = &job->next;
	list->count++;
}

struct remote_job *remote_job_list_pop(struct remote_job_list *list)
{
	struct remote_job *job = list->first;

	if (job) {
		list->first = job->next;
		list->count--;
		if (!list->first)
			list->last = &list->first;
	}
	return job;
}
