#include "backends/routed/routed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/routed/fan.h"
#include "backends/routed/routed_state.h"
#include "backends/routed/rules.h"
#include "base/thread.h"
#include "store/notice.h"

/* Bits that the whole has if one of its backends has them, and if all have. */
#define BITS_OF_ANY                                                                                \
	(BACKEND_REMOTE | BACKEND_WANTS_DIR | BACKEND_CONDITIONS | BACKEND_STALE |                 \
	 BACKEND_ORDERED_SCAN | BACKEND_PREFIX_CLEAR | BACKEND_STATS | BACKEND_LEASES |            \
	 BACKEND_BODIES | BACKEND_LIMITS | BACKEND_IDLE | BACKEND_NEWS)
#define BITS_OF_ALL (~(unsigned)BITS_OF_ANY)

static struct branch *branch_of(struct routed *routed, struct slice ns)
{
	return &routed->branches[routed_place_of(routed_rules(routed), ns)];
}

/* ---- Operations ---- */

static void routed_pass_on(struct backend *backend, struct cache_op *op)
{
	backend_submit(branch_of(routed_of(backend), op->ns)->backend, op);
}

/* A STATS of one namespace, on its way. */
struct survey {
	struct branch *branch;
	void (*done)(struct cache_op *op); /* the caller's */
	void *user;
};

static void survey_done(struct cache_op *op)
{
	struct survey *survey = op->user;

	for (size_t i = 0; i < op->stats_count; i++)
		op->stats[i].backend = survey->branch->name;
	op->done = survey->done;
	op->user = survey->user;
	free(survey);
	op->done(op);
}

static void routed_stats(struct backend *backend, struct cache_op *op)
{
	if (op->ns.len == 0) {
		fan_submit(backend, op);
		return;
	}
	struct survey *survey = malloc(sizeof(*survey));
	if (!survey) {
		cache_op_complete(op, CACHE_NO_MEMORY);
		return;
	}
	*survey = (struct survey){.branch = branch_of(routed_of(backend), op->ns),
				  .done = op->done,
				  .user = op->user};
	op->done = survey_done;
	op->user = survey;
	backend_submit(survey->branch->backend, op);
}

static void routed_traits(const struct backend *backend, struct slice ns,
			  struct backend_traits *ret)
{
	const struct routed *routed = (const struct routed *)backend;
	size_t place = routed_place_of(routed_rules(routed), ns);

	*ret = backend_traits_of(routed->branches[place].backend, ns);
	ret->branch = (unsigned)place + 1;
}

static size_t routed_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	struct routed *routed = routed_of(backend);
	size_t count = 0;

	for (size_t i = 0; i < routed->count; i++) {
		struct backend *inner = routed->branches[i].backend;
		size_t from = count;

		if (inner->ops->gauges)
			count += inner->ops->gauges(inner, ret + count, max - count);
		for (; from < count; from++)
			ret[from].backend = routed->branches[i].name;
	}
	return count;
}

static void routed_hurry(struct backend *backend)
{
	struct routed *routed = routed_of(backend);

	for (size_t i = 0; i < routed->count; i++) {
		struct backend *inner = routed->branches[i].backend;

		if (inner->ops->hurry)
			inner->ops->hurry(inner);
	}
}

/* ---- What a backend tells ---- */

/* Of a namespace that it has for others alone nobody here wants to know. */
static void branch_news(void *user, const struct cache_news *news)
{
	const struct branch *branch = user;
	struct routed *routed = branch->routed;

	if (news->ns.len == 0 || branch_of(routed, news->ns) == branch)
		routed->config.news(routed->config.news_user, news);
}

static void branch_changed(void *user, const struct cache_change *change)
{
	const struct branch *branch = user;
	struct routed *routed = branch->routed;

	if (change->ns.len == 0 || branch_of(routed, change->ns) == branch)
		routed->config.changed(routed->config.changed_user, change);
}

static void branch_notice(void *user, enum notice_level level, const char *sentence)
{
	const struct branch *branch = user;

	notice_send(&branch->routed->config, level, "%s: %s", branch->place->label, sentence);
}

/* ---- Opening ---- */

/* The names of config->default_names that lead to the place; NULL: out of memory. */
static const char **select_names(const struct backend_config *config, size_t place)
{
	const struct routed_config *rules = config->settings;
	const char *const *names = config->default_names;
	size_t count = 0, kept = 0;

	while (names && names[count])
		count++;
	const char **ret = calloc(count + 1, sizeof(*ret));
	for (size_t i = 0; ret && i < count; i++)
		if (routed_place_of(rules, slice_of(names[i])) == place)
			ret[kept++] = names[i];
	return ret;
}

/* What the place's backend is checked and opened with; nobody listens to it yet. */
static struct backend_config config_of(const struct backend_config *config, size_t place,
				       const char *const *default_names)
{
	const struct routed_config *rules = config->settings;
	const struct backend_config *own = &rules->places[place].config;
	struct backend_config ret = *config;

	ret.data_dir = own->data_dir;
	ret.url = own->url;
	ret.settings = own->settings;
	ret.default_names = default_names;
	ret.news = NULL;
	ret.changed = NULL;
	ret.notice = NULL;
	return ret;
}

/* Puts in front of the sentence whose it is. */
static void name_culprit(const struct backend_place *place, char *error, size_t error_size)
{
	char sentence[400];

	(void)snprintf(sentence, sizeof(sentence), "%s", error);
	(void)snprintf(error, error_size, "%s: %s", place->label, sentence);
}

static bool routed_check(const struct backend_config *config, char *error, size_t error_size)
{
	const struct routed_config *rules = config->settings;
	bool is_right = true;

	for (size_t i = 0; is_right && i < rules->place_count; i++) {
		const struct backend_ops *ops = rules->places[i].ops;
		const char **names = select_names(config, i);
		struct backend_config inner = config_of(config, i, names);

		if (!names)
			(void)snprintf(error, error_size, "out of memory");
		is_right = names != NULL;
		if (is_right && ops->check_config) {
			is_right = ops->check_config(&inner, error, error_size);
			if (!is_right)
				name_culprit(&rules->places[i], error, error_size);
		}
		free(names);
	}
	return is_right;
}

/* Of several of one kind all but the first have a number. */
static void name_branch(const struct routed *routed, struct branch *branch)
{
	const struct backend_ops *ops = branch->place->ops;
	size_t number = 1;

	for (size_t i = 0; i < routed->count; i++)
		number += routed->branches[i].place->ops == ops;
	if (number == 1)
		(void)snprintf(branch->name, sizeof(branch->name), "%s", ops->name);
	else
		(void)snprintf(branch->name, sizeof(branch->name), "%s#%zu", ops->name, number);
}

static bool open_branch(struct routed *routed, char *error, size_t error_size)
{
	size_t place = routed->count;
	struct branch *branch = &routed->branches[place];

	branch->routed = routed;
	branch->place = &routed_rules(routed)->places[place];
	name_branch(routed, branch);
	branch->default_names = select_names(&routed->config, place);
	if (!branch->default_names) {
		(void)snprintf(error, error_size, "out of memory");
		return false;
	}
	struct backend_config inner = config_of(&routed->config, place, branch->default_names);
	inner.news = routed->config.news ? branch_news : NULL;
	inner.news_user = branch;
	inner.changed = routed->config.changed ? branch_changed : NULL;
	inner.changed_user = branch;
	inner.notice = routed->config.notice ? branch_notice : NULL;
	inner.notice_user = branch;
	branch->backend = branch->place->ops->open(&inner, error, error_size);
	if (branch->backend)
		return true;
	name_culprit(branch->place, error, error_size);
	free(branch->default_names);
	return false;
}

static void *close_branch(void *user)
{
	struct branch *branch = user;

	branch->backend->ops->close(branch->backend);
	free(branch->default_names);
	return NULL;
}

/* At once: one that waits for another server does not hold up the rest. */
static void routed_close(struct backend *backend)
{
	struct routed *routed = routed_of(backend);
	pthread_t threads[BACKEND_BRANCHES_MAX];
	bool is_running[BACKEND_BRANCHES_MAX] = {false};

	for (size_t i = 1; i < routed->count; i++)
		is_running[i] =
			thread_start(&threads[i], "close", close_branch, &routed->branches[i]) == 0;
	for (size_t i = 0; i < routed->count; i++)
		if (!is_running[i])
			(void)close_branch(&routed->branches[i]);
	for (size_t i = 0; i < routed->count; i++)
		if (is_running[i])
			(void)pthread_join(threads[i], NULL);
	free(routed);
}

static void sum_up_bits(struct routed *routed)
{
	unsigned any = 0, all = ~0U;

	for (size_t i = 0; i < routed->count; i++) {
		any |= routed->branches[i].backend->ops->bits;
		all &= routed->branches[i].backend->ops->bits;
	}
	routed->ops.bits = (any & BITS_OF_ANY) | (all & BITS_OF_ALL);
}

/* The least of those that have a limit: what is longer may not be kept. */
static uint64_t lesser_limit(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a > b ? a : b;
	return a < b ? a : b;
}

static void sum_up_limits(struct routed *routed)
{
	struct backend_ops *ret = &routed->ops;

	for (size_t i = 0; i < routed->count; i++) {
		const struct backend_ops *ops = routed->branches[i].backend->ops;

		ret->value_max_bytes = lesser_limit(ret->value_max_bytes, ops->value_max_bytes);
		ret->set_max_items = (size_t)lesser_limit(ret->set_max_items, ops->set_max_items);
	}
}

static void tell_rules(const struct routed *routed)
{
	const struct routed_config *rules = routed_rules(routed);

	for (size_t i = 0; i < rules->rule_count; i++) {
		size_t place = rules->rules[i].place;

		notice_send(&routed->config, NOTICE_INFO, "namespaces %s are in %s: %s",
			    rules->rules[i].pattern, routed->branches[place].name,
			    rules->places[place].label);
	}
}

static struct backend *routed_open(const struct backend_config *config, char *error,
				   size_t error_size)
{
	const struct routed_config *rules = config->settings;
	struct routed *routed = calloc(1, sizeof(*routed));

	if (!routed) {
		(void)snprintf(error, error_size, "out of memory");
		return NULL;
	}
	routed->config = *config;
	for (; routed->count < rules->place_count; routed->count++) {
		if (open_branch(routed, error, error_size))
			continue;
		routed_close(&routed->backend);
		return NULL;
	}
	size_t rest = rules->rules[rules->rule_count - 1].place;
	routed->ops = routed_backend_ops;
	routed->ops.default_policy = rules->places[rest].ops->default_policy;
	routed->ops.branch_count = (unsigned)routed->count;
	sum_up_bits(routed);
	sum_up_limits(routed);
	routed->backend.ops = &routed->ops;
	tell_rules(routed);
	return &routed->backend;
}

const struct backend_ops routed_backend_ops = {
	.name = "routed",
	.check_config = routed_check,
	.open = routed_open,
	.traits = routed_traits,
	.get = routed_pass_on,
	.set = routed_pass_on,
	.remove = routed_pass_on,
	.exists = routed_pass_on,
	.expire = routed_pass_on,
	.clear = routed_pass_on,
	.scan = routed_pass_on,
	.stats = routed_stats,
	.configure = routed_pass_on,
	.sync = fan_submit,
	.check = fan_submit,
	.lease = routed_pass_on,
	.gauges = routed_gauges,
	.hurry = routed_hurry,
	.close = routed_close,
};
