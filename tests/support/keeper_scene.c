#include "tests/support/keeper_scene.h"

#include <inttypes.h>
#include <stdio.h>

struct backend *scene_backend;
_Atomic int64_t scene_now_us = INT64_C(1700000000000000);
char scene_error[256];
char scene_notice[256];

static int64_t read_clock(void *user)
{
	(void)user;
	return scene_now_us;
}

static const struct cache_clock scene_clock = {.now_us = read_clock};

static void take_notice(void *user, enum notice_level level, const char *sentence)
{
	(void)user;
	(void)level;
	(void)snprintf(scene_notice, sizeof(scene_notice), "%s", sentence);
}

struct backend *scene_open(const struct backend_ops *ops, const char *medium)
{
	struct backend_config config = {
		.data_dir = medium, .clock = &scene_clock, .notice = take_notice};

	scene_error[0] = '\0';
	scene_backend = ops->open(&config, scene_error, sizeof(scene_error));
	return scene_backend;
}

void scene_close(void)
{
	scene_backend->ops->close(scene_backend);
}

static enum cache_status call(struct cache_op *op, struct slice key)
{
	op->ns = SLICE("n");
	op->one.key = key;
	return backend_call(scene_backend, op);
}

static enum cache_status set(struct slice key, struct slice value, enum condition_kind condition)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.one.value = cache_value_copy(value, SLICE(CONTENT_TYPE_TEXT));
	op.one.condition.kind = condition;
	enum cache_status status = call(&op, key);
	cache_value_release(op.one.value);
	return status;
}

enum cache_status scene_set(struct slice key, struct slice value)
{
	return set(key, value, CONDITION_NONE);
}

enum cache_status scene_set_if_absent(struct slice key, struct slice value)
{
	return set(key, value, CONDITION_ABSENT);
}

enum cache_status scene_delete(struct slice key)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_DELETE);
	return call(&op, key);
}

enum cache_status scene_sync(void)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SYNC);
	return backend_call(scene_backend, &op);
}

enum cache_status scene_configure(unsigned mask, struct namespace_settings settings)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.settings = settings;
	op.settings_mask = mask;
	return call(&op, SLICE(""));
}

enum cache_status scene_get(struct slice key, struct slice value)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	enum cache_status status = call(&op, key);
	if (status == CACHE_OK && !slice_equal(cache_value_bytes(op.one.value), value))
		status = CACHE_INVALID;
	cache_op_deinit(&op);
	return status;
}

struct namespace_stats scene_stats(void)
{
	struct namespace_stats stats = {0};
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	if (call(&op, SLICE("")) == CACHE_OK)
		stats = op.stats[0];
	cache_op_deinit(&op);
	return stats;
}

const char *scene_list(void)
{
	static char text[4096];
	struct cache_op op;
	int len = 0;

	text[0] = '\0';
	cache_op_init(&op, CACHE_OP_SCAN);
	op.limit = 1000;
	(void)call(&op, SLICE(""));
	for (size_t i = 0; i < op.entry_count; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%.*s:%" PRIu64,
				i ? " " : "", (int)op.entries[i].key.len, op.entries[i].key.data,
				op.entries[i].frequency);
	cache_op_deinit(&op);
	return text;
}

double scene_gauge(const char *name)
{
	struct backend_gauge gauges[BACKEND_GAUGES_MAX];
	size_t count = scene_backend->ops->gauges(scene_backend, gauges, BACKEND_GAUGES_MAX);

	for (size_t i = 0; i < count; i++)
		if (strcmp(gauges[i].name, name) == 0)
			return gauges[i].value;
	return -1;
}
