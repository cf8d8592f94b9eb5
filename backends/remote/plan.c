#include "backends/remote/plan.h"

void remote_plan_init(struct remote_plan *plan, const struct remote_plan_limits *limits)
{
	*plan = (struct remote_plan){.limits = *limits, .next_limit_us = INT64_MAX};
	remote_job_list_init(&plan->waiting);
}

void remote_plan_deinit(struct remote_plan *plan)
{
	remote_locks_deinit(&plan->writes);
	remote_locks_deinit(&plan->reads);
	remote_locks_deinit(&plan->wishes);
}

/* ---- Twins ---- */

static struct remote_job **bucket_of(struct remote_plan *plan, const struct remote_job *job)
{
	return &plan->singles[job->key_hash % PLAN_BUCKETS];
}

static bool are_twins(const struct remote_job *a, const struct remote_job *b)
{
	return a->key_hash == b->key_hash && a->op->type == b->op->type &&
	       a->op->no_touch == b->op->no_touch && a->op->serve_stale == b->op->serve_stale &&
	       slice_equal(a->op->ns, b->op->ns) &&
	       slice_equal(a->op->items[0].key, b->op->items[0].key);
}

static struct remote_job *find_twin(struct remote_plan *plan, const struct remote_job *job)
{
	struct remote_job *found = *bucket_of(plan, job);

	while (found && !are_twins(found, job))
		found = found->in_bucket;
	return found;
}

/* ---- Adding and removing ---- */

void remote_plan_add(struct remote_plan *plan, struct remote_job *job)
{
	if (job->deadline_us < plan->next_limit_us)
		plan->next_limit_us = job->deadline_us;
	if (job->is_single_read) {
		struct remote_job *twin = find_twin(plan, job);
		struct remote_job **bucket = bucket_of(plan, job);

		if (twin) {
			job->twins = twin->twins;
			twin->twins = job;
			return;
		}
		job->in_bucket = *bucket;
		*bucket = job;
	}
	remote_job_list_push(&plan->waiting, job);
	plan->waiting_items += job->item_count;
}

/* `job` is about to leave the list of waiting jobs. */
static void forget(struct remote_plan *plan, struct remote_job *job)
{
	plan->waiting_items -= job->item_count;
	if (!job->is_single_read)
		return;
	for (struct remote_job **at = bucket_of(plan, job); *at; at = &(*at)->in_bucket)
		if (*at == job) {
			*at = job->in_bucket;
			return;
		}
}

struct remote_job *remote_plan_pop(struct remote_plan *plan)
{
	struct remote_job *job = remote_job_list_pop(&plan->waiting);

	if (job)
		forget(plan, job);
	return job;
}

int64_t remote_plan_expire(struct remote_plan *plan, int64_t now_us, const char *sentence,
			   uint64_t *expired)
{
	struct remote_job_list kept;
	struct remote_job *job;

	if (now_us < plan->next_limit_us)
		return plan->next_limit_us;
	remote_job_list_init(&kept);
	plan->next_limit_us = INT64_MAX;
	while ((job = remote_job_list_pop(&plan->waiting))) {
		int64_t limit_us = remote_job_expire(job, now_us, sentence, expired);

		if (limit_us == INT64_MAX) {
			forget(plan, job);
			remote_job_free(job);
			continue;
		}
		if (limit_us < plan->next_limit_us)
			plan->next_limit_us = limit_us;
		remote_job_list_push(&kept, job);
	}
	plan->waiting = kept;
	if (!kept.first)
		plan->waiting.last = &plan->waiting.first;
	else if (plan->next_limit_us < now_us + PLAN_EXPIRE_STEP_US)
		plan->next_limit_us = now_us + PLAN_EXPIRE_STEP_US;
	return plan->next_limit_us;
}

void remote_plan_hurry(struct remote_plan *plan, int64_t limit_us)
{
	for (struct remote_job *job = plan->waiting.first; job; job = job->next)
		remote_job_hurry(job, limit_us);
	if (plan->waiting.first && plan->next_limit_us > limit_us)
		plan->next_limit_us = limit_us;
}

/* ---- Forming calls ---- */

bool remote_plan_is_due(const struct remote_plan *plan, unsigned in_flight, unsigned max_in_flight,
			int64_t now_us, int64_t *ret_when_us)
{
	*ret_when_us = INT64_MAX;
	if (!plan->waiting.first || in_flight >= max_in_flight)
		return false;
	const struct remote_plan_limits *limits = &plan->limits;
	int64_t window_us = limits->window_us > 0 ? limits->window_us : MERGE_WINDOW_US;
	int64_t window_ends_us = plan->waiting.first->submitted_us + window_us;
	unsigned merges_from = limits->merges_from > 0 ? limits->merges_from : 1;
	if (in_flight < merges_from || plan->waiting_items >= limits->items ||
	    window_ends_us <= now_us)
		return true;
	*ret_when_us = window_ends_us;
	return false;
}

static bool fits(const struct remote_plan *plan, const struct remote_call *call,
		 const struct remote_job *job)
{
	return call->is_idempotent == job->is_idempotent && call->jobs.count < plan->limits.ops &&
	       call->item_count + job->item_count <= plan->limits.items &&
	       call->size_bytes + job->size_bytes <= plan->limits.bytes;
}

static void add_to_call(struct remote_plan *plan, struct remote_call *call, struct remote_job *job)
{
	if (call->jobs.count == 0)
		call->is_idempotent = job->is_idempotent;
	else
		plan->merged++;
	forget(plan, job);
	remote_job_list_push(&call->jobs, job);
	call->item_count += job->item_count;
	call->size_bytes += job->size_bytes;
	for (const struct remote_job *each = job; each; each = each->twins) {
		if (each != job)
			plan->merged++;
		if (each->deadline_us > call->deadline_us)
			call->deadline_us = each->deadline_us;
		if (each->deadline_us < call->next_limit_us)
			call->next_limit_us = each->deadline_us;
	}
}

/* Takes the locks that `job` needs to go now. False if a write of the same keys is in flight or
 * waits before it, or an equal get is in flight. */
static bool take_locks(struct remote_plan *plan, const struct remote_job *job)
{
	if (job->is_single_read)
		return remote_locks_allow(&plan->reads, job) &&
		       remote_locks_take(&plan->reads, job);
	return !job->is_write ||
	       (remote_locks_allow(&plan->writes, job) && remote_locks_allow(&plan->wishes, job) &&
		remote_locks_take(&plan->writes, job));
}

struct remote_call *remote_plan_form_call(struct remote_plan *plan,
					  bool (*joins)(const struct remote_call *call,
							const struct remote_job *job))
{
	struct remote_call *call = remote_call_create(CALL_WORK);
	struct remote_job_list passed_over;
	struct remote_job *job;
	bool is_full = false;

	if (!call)
		return NULL;
	remote_job_list_init(&passed_over);
	remote_locks_clear(&plan->wishes);
	while (!is_full && (job = remote_job_list_pop(&plan->waiting))) {
		bool is_first = call->jobs.count == 0;

		if ((is_first || (fits(plan, call, job) && joins(call, job))) &&
		    take_locks(plan, job)) {
			add_to_call(plan, call, job);
			is_full = call->item_count >= plan->limits.items;
			continue;
		}
		remote_job_list_push(&passed_over, job);
		/* Without memory for the wish nothing may overtake it. */
		if (job->is_write && !remote_locks_take(&plan->wishes, job))
			is_full = true;
	}
	/* The rest follows those passed over, in the old order. */
	if (plan->waiting.first) {
		*passed_over.last = plan->waiting.first;
		passed_over.last = plan->waiting.last;
		passed_over.count += plan->waiting.count;
	}
	plan->waiting = passed_over;
	if (!passed_over.first)
		plan->waiting.last = &plan->waiting.first;
	if (call->jobs.count > 0)
		return call;
	remote_call_free(call);
	return NULL;
}

void remote_plan_release(struct remote_plan *plan, const struct remote_call *call)
{
	for (const struct remote_job *job = call->jobs.first; job; job = job->next)
		if (job->is_write)
			remote_locks_release(&plan->writes, job);
		else if (job->is_single_read)
			remote_locks_release(&plan->reads, job);
}

void remote_plan_put_back(struct remote_plan *plan, struct remote_call *call)
{
	struct remote_job_list jobs;
	struct remote_job *job;

	remote_plan_release(plan, call);
	remote_job_list_init(&jobs);
	while ((job = remote_job_list_pop(&call->jobs))) {
		if (!job->op) {
			remote_job_free(job);
			continue;
		}
		plan->waiting_items += job->item_count;
		remote_job_list_push(&jobs, job);
	}
	if (call->next_limit_us < plan->next_limit_us)
		plan->next_limit_us = call->next_limit_us;
	if (jobs.first) {
		*jobs.last = plan->waiting.first;
		if (!plan->waiting.first)
			plan->waiting.last = jobs.last;
		plan->waiting.first = jobs.first;
		plan->waiting.count += jobs.count;
	}
	remote_call_free(call);
}
