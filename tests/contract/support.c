#include "tests/contract/support.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "backends/d1/d1.h"
#include "backends/dynamodb/dynamodb.h"
#include "backends/large/layer.h"
#include "backends/persist/persist.h"
#include "backends/plugin/plugin.h"
#include "backends/redis/redis.h"
#include "backends/sqlite/sqlite.h"
#include "backends/tiered/tiered.h"
#include "tests/contract/d1_upstream.h"
#include "tests/contract/dynamodb_upstream.h"
#include "tests/contract/redis_upstream.h"

#define BACKENDS_MAX 16
#define WAIT_STEP_MS 5
#define WAIT_MAX_MS  20000

/* The text that names a plugin, plugin:/path/driver.so?settings; NULL: `only` is another backend.
 */
static const char *plugin_text_of(const char *only)
{
	return only && strncmp(only, "plugin:", 7) == 0 ? only : NULL;
}

static bool is_wanted(const struct backend_ops *ops)
{
	const char *only = getenv("STEADYCACHE_TEST_BACKEND");

	if ((ops == &d1_backend_ops && !contract_has_d1()) ||
	    (ops == &redis_backend_ops && !contract_has_redis()) ||
	    (ops == &dynamodb_backend_ops && !contract_has_dynamodb()))
		return false;
	if (ops == &plugin_backend_ops)
		return plugin_text_of(only) != NULL;
	if (only && *only)
		return strcmp(ops->name, only) == 0;
	return !(ops->bits & BACKEND_KEEPS_NOTHING);
}

/* Those that are behind a store for large values. */
static struct criterion_test_params large_backends(void)
{
	static struct contract_backend backends[BACKENDS_MAX];
	size_t count = 0;

	for (size_t i = 0; backend_registry[i] && count < BACKENDS_MAX; i++)
		if (is_wanted(backend_registry[i]))
			backends[count++] = (struct contract_backend){.index = i, .is_large = true};
	return cr_make_param_array(struct contract_backend, backends, count);
}

struct criterion_test_params contract_backends(void)
{
	static struct contract_backend backends[BACKENDS_MAX];
	size_t count = 0;

	if (getenv("STEADYCACHE_TEST_LARGE"))
		return large_backends();

	for (size_t i = 0; backend_registry[i] && count + 4 < BACKENDS_MAX; i++)
		if (is_wanted(backend_registry[i])) {
			backends[count++] = (struct contract_backend){.index = i};
			/* The near cache works the same over any backend: one that answers at once
			 * and one that answers later are enough. */
			if (backend_registry[i] == &persist_memory_ops ||
			    backend_registry[i] == &sqlite_backend_ops)
				backends[count++] =
					(struct contract_backend){.index = i, .is_tiered = true};
			if (backend_registry[i] == &persist_memory_ops)
				backends[count++] =
					(struct contract_backend){.index = i, .is_bare = true};
			if (backend_registry[i] != &sqlite_backend_ops)
				continue;
			backends[count++] = (struct contract_backend){
				.index = i, .sqlite.cache_bytes = 64 * MIB};
			/* So small that it is always full. */
			backends[count++] = (struct contract_backend){
				.index = i, .sqlite.cache_bytes = MIB / 4};
		}
	return cr_make_param_array(struct contract_backend, backends, count);
}

static int64_t test_now_us(void *user)
{
	const struct fixture *f = user;

	return atomic_load(&f->now_us);
}

static struct backend_ops bare_ops;

/* Puts the layer for large values around the backend; it takes all values. */
static void open_large(struct fixture *f)
{
	char url[sizeof(f->dir.path) + 16], error[256] = "";
	struct large_config config = {
		.url = url,
		.value_max_mb = 1024,
		.grace_us = 60 * US_PER_S,
	};

	(void)snprintf(url, sizeof(url), "dir:%s/large", f->dir.path);
	f->backend = large_layer_open(f->backend, &config, &f->config, error, sizeof(error));
	cr_assert(f->backend, "%s", error);
}

static void open_backend(struct fixture *f)
{
	char error[256] = "";

	f->backend = f->ops->open(&f->config, error, sizeof(error));
	cr_assert(f->backend, "%s does not open: %s", f->ops->name, error);
	if (f->is_bare) {
		bare_ops = *f->backend->ops;
		bare_ops.bits = f->bits;
		f->backend->ops = &bare_ops;
	}
	f->bits &= f->backend->ops->bits;
	if (f->is_large)
		open_large(f);
	if (!f->is_tiered)
		return;
	struct tiered_config config = {
		.max_bytes = 64 * MIB,
		.ttl_us = 3600 * US_PER_S,
		.clock = f->config.clock,
	};
	f->backend = tiered_wrap(f->backend, &config);
	cr_assert(f->backend);
}

void contract_run(const struct contract_backend *backend, unsigned needs,
		  void (*body)(struct fixture *f))
{
	struct fixture f = {.ops = backend_registry[backend->index], .now_us = START_US};

	if (f.ops == &plugin_backend_ops) {
		f.config.url = plugin_text_of(getenv("STEADYCACHE_TEST_BACKEND"));
		f.ops = f.ops->variant(&f.config);
	}
	f.bits = f.ops->bits & (backend->is_bare ? ~(unsigned)BACKEND_WHOLE : ~0U);
	if ((f.bits & needs) != needs)
		return;
	f.is_bare = backend->is_bare;
	f.is_tiered = backend->is_tiered;
	f.is_large = backend->is_large;
	f.persists = f.bits & BACKEND_PERSISTS;
	f.is_slow = f.persists || f.is_large;
	f.is_remote = f.ops == &d1_backend_ops;
	f.is_far = f.ops == &dynamodb_backend_ops;
	f.key_max = f.is_far ? 100 * KIB : f.is_remote ? MIB / 2 : MIB;
	f.limits_namespaces = !f.is_remote || !getenv("STEADYCACHE_TEST_D1_URL");
	temp_dir_create(&f.dir);
	f.clock = (struct cache_clock){.now_us = test_now_us, .user = &f};
	f.config.data_dir = f.dir.path;
	f.config.clock = &f.clock;
	if (f.ops == &sqlite_backend_ops)
		f.config.settings = &backend->sqlite;
	if (f.is_remote)
		contract_prepare_d1(&f.d1), f.config.settings = &f.d1;
	if (f.is_far)
		contract_prepare_dynamodb(&f.config, &f.dynamodb);
	if (f.ops == &redis_backend_ops)
		contract_prepare_redis(&f.config, &f.redis);
	open_backend(&f);
	/* Some know only then what they promise. */
	if ((f.bits & needs) == needs)
		body(&f);
	f.backend->ops->close(f.backend);
	temp_dir_destroy(&f.dir);
}

size_t batch_of(const struct fixture *f, size_t count)
{
	size_t max = f->ops->set_max_items;

	return max > 0 && max < count ? max : count;
}

unsigned rounds_of(const struct fixture *f, unsigned usual, unsigned slow)
{
	if (f->is_remote || f->is_far)
		return slow / 4;
	return f->is_slow ? slow : usual;
}

void fixture_reopen(struct fixture *f)
{
	f->backend->ops->close(f->backend);
	open_backend(f);
}

void advance_us(struct fixture *f, int64_t us)
{
	(void)atomic_fetch_add(&f->now_us, us);
}

void advance_s(struct fixture *f, int64_t s)
{
	advance_us(f, s * US_PER_S);
}

struct slice text(const char *format, ...)
{
	static _Thread_local char texts[8][128];
	static _Thread_local unsigned turn;
	char *at = texts[turn++ % 8];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(at, sizeof(texts[0]), format, args);
	va_end(args);
	return (struct slice){.data = at, .len = (size_t)len};
}

struct cache_value *make_value(struct slice bytes)
{
	return cache_value_copy(bytes, SLICE(CONTENT_TYPE_TEXT));
}

struct slice make_bytes(size_t len, unsigned seed)
{
	char *bytes = malloc(len ? len : 1);
	uint64_t state = seed + 1;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(next_random(&state) & 0xFF);
	return (struct slice){.data = bytes, .len = len};
}

void free_bytes(struct slice bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

struct cache_item item_of(struct slice key, struct slice value)
{
	return (struct cache_item){.key = key, .value = make_value(value), .ttl_s = TTL_DEFAULT};
}

enum cache_status set_item(struct fixture *f, struct slice ns, struct cache_item *item)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = ns;
	op.one = *item;
	enum cache_status status = backend_call(f->backend, &op);
	item->status = op.one.status;
	item->created = op.one.created;
	cache_op_deinit(&op);
	cache_value_release(item->value);
	item->value = NULL;
	return status;
}

enum cache_status set(struct fixture *f, struct slice key, struct slice value)
{
	struct cache_item item = item_of(key, value);

	return set_item(f, NS, &item);
}

enum cache_status set_sized(struct fixture *f, struct slice key, uint64_t size_bytes)
{
	struct cache_item item = item_of(key, SLICE("v"));

	item.size_bytes = size_bytes;
	return set_item(f, NS, &item);
}

uint64_t used_by(struct slice key, uint64_t size_bytes)
{
	return cache_used_bytes(key.len, sizeof(CONTENT_TYPE_TEXT) - 1, size_bytes);
}

uint64_t size_using(struct slice key, uint64_t used_bytes)
{
	cr_assert_gt(used_bytes, used_by(key, 0), "an entry takes more than that");
	return used_bytes - used_by(key, 0);
}

enum cache_status set_used(struct fixture *f, struct slice key, uint64_t used_bytes)
{
	return set_sized(f, key, size_using(key, used_bytes));
}

enum cache_status set_with_ttl(struct fixture *f, struct slice key, struct slice value,
			       int64_t ttl_s)
{
	struct cache_item item = item_of(key, value);

	item.ttl_s = ttl_s;
	return set_item(f, NS, &item);
}

enum cache_status set_if(struct fixture *f, struct slice key, struct slice value,
			 struct cache_condition condition)
{
	struct cache_item item = item_of(key, value);

	item.condition = condition;
	return set_item(f, NS, &item);
}

static struct cache_value *get_value(struct fixture *f, struct slice key, bool no_touch)
{
	struct cache_value *value = NULL;
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NS;
	op.one.key = key;
	op.no_touch = no_touch;
	if (backend_call(f->backend, &op) == CACHE_OK)
		value = cache_value_acquire(op.one.value);
	cache_op_deinit(&op);
	return value;
}

struct cache_value *get(struct fixture *f, struct slice key)
{
	return get_value(f, key, false);
}

struct cache_value *get_untouched(struct fixture *f, struct slice key)
{
	return get_value(f, key, true);
}

bool holds(struct fixture *f, struct slice key, struct slice value)
{
	struct cache_value *found = get_untouched(f, key);
	bool same = found && slice_equal(cache_value_bytes(found), value);

	cache_value_release(found);
	return same;
}

void use(struct fixture *f, struct slice key, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		cache_value_release(get(f, key));
}

static enum cache_status call_on_key(struct fixture *f, enum cache_op_type type, struct slice key,
				     struct cache_condition condition)
{
	struct cache_op op;

	cache_op_init(&op, type);
	op.ns = NS;
	op.one.key = key;
	op.one.condition = condition;
	enum cache_status status = backend_call(f->backend, &op);
	cache_op_deinit(&op);
	return status;
}

bool exists(struct fixture *f, struct slice key)
{
	return call_on_key(f, CACHE_OP_EXISTS, key, (struct cache_condition){0}) == CACHE_OK;
}

enum cache_status delete_key(struct fixture *f, struct slice key)
{
	return call_on_key(f, CACHE_OP_DELETE, key, (struct cache_condition){0});
}

enum cache_status delete_if(struct fixture *f, struct slice key, struct cache_condition condition)
{
	return call_on_key(f, CACHE_OP_DELETE, key, condition);
}

struct namespace_stats stats_of(struct fixture *f, struct slice ns)
{
	struct namespace_stats found = {0};
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	op.ns = ns;
	if (backend_call(f->backend, &op) == CACHE_OK && op.stats_count == 1)
		found = op.stats[0];
	cache_op_deinit(&op);
	return found;
}

struct namespace_stats stats(struct fixture *f)
{
	return stats_of(f, NS);
}

size_t namespace_count(struct fixture *f)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	size_t count = op.stats_count;
	cache_op_deinit(&op);
	return count;
}

void clear(struct fixture *f, struct slice prefix)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CLEAR);
	op.ns = NS;
	op.prefix = prefix;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK, "%s: %s",
		     cache_status_text(op.status), op.detail ? op.detail : "");
	cache_op_deinit(&op);
}

enum cache_status configure(struct fixture *f, unsigned mask, struct namespace_settings settings)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = NS;
	op.settings = settings;
	op.settings_mask = mask;
	enum cache_status status = backend_call(f->backend, &op);
	cache_op_deinit(&op);
	return status;
}

void set_max_size(struct fixture *f, uint64_t bytes)
{
	struct namespace_settings settings = {.max_size_bytes = bytes};

	cr_assert_eq(configure(f, SETTING_MAX_SIZE, settings), CACHE_OK);
}

void set_capacity(struct fixture *f, int64_t capacity)
{
	struct namespace_settings settings = {.capacity = capacity};

	cr_assert_eq(configure(f, SETTING_CAPACITY, settings), CACHE_OK);
}

void set_policy(struct fixture *f, enum eviction_policy policy)
{
	struct namespace_settings settings = {.policy = policy};

	cr_assert_eq(configure(f, SETTING_POLICY, settings), CACHE_OK);
}

void scan(struct fixture *f, struct cache_op *op, struct slice prefix, const struct slice *after,
	  size_t limit)
{
	cache_op_init(op, CACHE_OP_SCAN);
	op->ns = NS;
	op->prefix = prefix;
	op->has_after = after != NULL;
	if (after)
		op->after = *after;
	op->limit = limit;
	cr_assert_eq(backend_call(f->backend, op), CACHE_OK, "%s",
		     op->detail ? op->detail : cache_status_text(op->status));
}

bool wait_a_moment(unsigned *waited_ms)
{
	struct timespec moment = {.tv_nsec = WAIT_STEP_MS * 1000000L};

	(void)nanosleep(&moment, NULL);
	*waited_ms += WAIT_STEP_MS;
	return *waited_ms < WAIT_MAX_MS;
}

uint32_t next_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (uint32_t)((z ^ (z >> 31)) >> 32);
}
