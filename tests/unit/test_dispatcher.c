/* store/backend.c: what it checks for every backend, with a backend that only records calls. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/find.h"
#include "store/op_queue.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- A backend that counts its calls and answers CACHE_OK ---- */

static unsigned calls;
static struct cache_op *last_op;

static void note_call(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	calls++;
	last_op = op;
	cache_op_complete(op, CACHE_OK);
}

#define EVERY_BIT (BACKEND_WHOLE | BACKEND_LEASES)

static const struct backend_ops noting_ops = {
	.name = "noting",
	.bits = EVERY_BIT,
	.get = note_call,
	.set = note_call,
	.remove = note_call,
	.exists = note_call,
	.expire = note_call,
	.clear = note_call,
	.scan = note_call,
	.stats = note_call,
	.configure = note_call,
	.sync = note_call,
	.check = note_call,
	.lease = note_call,
};
static const struct backend_ops empty_ops = {.name = "empty"};

static struct backend noting = {.ops = &noting_ops};
static struct backend empty = {.ops = &empty_ops};

static unsigned completions;

static void count_completion(struct cache_op *op)
{
	(void)op;
	completions++;
}

/* A valid op of `type`; the value of a SET is `value`. */
static void init_op(struct cache_op *op, enum cache_op_type type, struct cache_value *value)
{
	cache_op_init(op, type);
	op->ns = SLICE("n");
	op->limit = 1;
	op->done = count_completion;
	if (type == CACHE_OP_SET)
		op->one.value = value;
	op->lease.token = SLICE("t");
	op->lease.ttl_us = 1;
}

static struct cache_value *make_value(void)
{
	return cache_value_copy(SLICE("12345"), SLICE(CONTENT_TYPE_TEXT));
}

/* ---- Ops that are passed on ---- */

Test(dispatcher, init_makes_an_op_of_one_item_with_the_default_ttl)
{
	struct cache_op op;

	memset(&op, 0xAA, sizeof(op));
	cache_op_init(&op, CACHE_OP_SET);
	cr_expect_eq(op.items, &op.one);
	cr_expect_eq(op.item_count, 1);
	cr_expect_eq(op.one.ttl_s, TTL_DEFAULT);
	cr_expect_null(op.one.value);
	cr_expect_eq(op.one.condition.kind, CONDITION_NONE);
	cr_expect_not(op.has_after);
	cr_expect_eq(op.settings_mask, 0);
}

Test(dispatcher, hands_each_valid_op_on_once)
{
	struct cache_value *value = make_value();
	struct cache_op op;

	for (int type = 0; type < CACHE_OP_TYPES; type++) {
		init_op(&op, (enum cache_op_type)type, value);
		backend_submit(&noting, &op);
		cr_expect_eq(calls, (unsigned)type + 1, "type %d", type);
		cr_expect_eq(completions, (unsigned)type + 1, "type %d", type);
		cr_expect_eq(last_op, &op);
		cr_expect_eq(op.status, CACHE_OK);
	}
	cache_value_release(value);
}

Test(dispatcher, what_a_backend_lacks_is_unsupported)
{
	struct cache_value *value = make_value();
	struct cache_op op;

	for (int type = 0; type < CACHE_OP_TYPES; type++) {
		init_op(&op, (enum cache_op_type)type, value);
		backend_submit(&empty, &op);
		cr_expect_eq(completions, (unsigned)type + 1);
		cr_expect_eq(op.status, CACHE_UNSUPPORTED, "type %d", type);
		cr_expect_eq(op.one.status, CACHE_UNSUPPORTED, "type %d", type);
	}
	cache_value_release(value);
}

static void ask_condition(struct cache_op *op)
{
	op->one.condition.kind = CONDITION_ABSENT;
}

static void ask_stale_time(struct cache_op *op)
{
	op->settings_mask = SETTING_STALE_TTL;
	op->settings.stale_ttl_s = 1;
}

static void ask_no_stale_time(struct cache_op *op)
{
	op->settings_mask = SETTING_STALE_TTL;
}

static void ask_size(struct cache_op *op)
{
	op->settings_mask = SETTING_MAX_SIZE;
	op->settings.max_size_bytes = 1;
}

static void ask_capacity(struct cache_op *op)
{
	op->settings_mask = SETTING_CAPACITY;
}

static void ask_no_limits(struct cache_op *op)
{
	op->settings_mask = SETTING_MAX_SIZE | SETTING_CAPACITY | SETTING_POLICY;
	op->settings.capacity = CAPACITY_UNLIMITED;
}

static void ask_any_order(struct cache_op *op)
{
	op->any_order = true;
}

static void ask_prefix(struct cache_op *op)
{
	op->prefix = SLICE("p");
}

static const char no_limits[] = "this backend keeps no limits of size or capacity; leave them out, "
				"or set max_size_mb to 0 and capacity to -1";

Test(dispatcher, what_needs_a_bit_is_refused_without_it_in_one_sentence)
{
	static const struct {
		enum cache_op_type type;
		void (*ask)(struct cache_op *op);
		unsigned bit;
		const char *sentence;
	} cases[] = {
		{CACHE_OP_SET, ask_condition, BACKEND_CONDITIONS,
		 "this backend knows no conditional writes"},
		{CACHE_OP_DELETE, ask_condition, BACKEND_CONDITIONS,
		 "this backend knows no conditional writes"},
		{CACHE_OP_CONFIGURE, ask_stale_time, BACKEND_STALE,
		 "this backend serves nothing that has expired"},
		{CACHE_OP_CONFIGURE, ask_size, BACKEND_LIMITS, no_limits},
		{CACHE_OP_CONFIGURE, ask_capacity, BACKEND_LIMITS, no_limits},
		{CACHE_OP_CONFIGURE, ask_no_limits, 0, NULL},
		{CACHE_OP_SCAN, NULL, BACKEND_ORDERED_SCAN,
		 "this backend does not list keys in their order"},
		{CACHE_OP_CLEAR, ask_prefix, BACKEND_PREFIX_CLEAR,
		 "this backend clears whole namespaces only"},
		{CACHE_OP_STATS, NULL, BACKEND_STATS, "this backend keeps no statistics"},
		{CACHE_OP_LEASE_TAKE, NULL, BACKEND_LEASES, "this backend knows no leases"},
		{CACHE_OP_LEASE_END, NULL, BACKEND_LEASES, "this backend knows no leases"},
		{CACHE_OP_GET, NULL, 0, NULL},
		{CACHE_OP_SET, NULL, 0, NULL},
		{CACHE_OP_CLEAR, NULL, 0, NULL},
		{CACHE_OP_SCAN, ask_any_order, 0, NULL},
		{CACHE_OP_CONFIGURE, ask_no_stale_time, 0, NULL},
	};
	struct cache_value *value = make_value();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct backend_ops without = noting_ops;
		struct backend backend = {.ops = &without};
		struct cache_op op;

		without.bits = cases[i].bit ? EVERY_BIT & ~cases[i].bit : 0;
		init_op(&op, cases[i].type, value);
		if (cases[i].ask)
			cases[i].ask(&op);
		calls = 0;
		cr_expect_eq(backend_call(&backend, &op),
			     cases[i].bit ? CACHE_UNSUPPORTED : CACHE_OK, "case %zu", i);
		cr_expect_eq(calls, cases[i].bit == 0, "case %zu", i);
		if (cases[i].sentence)
			cr_expect_str_eq(op.detail, cases[i].sentence);
		without.bits = EVERY_BIT;
		op.detail = NULL;
		cr_expect_eq(backend_call(&backend, &op), CACHE_OK, "case %zu", i);
		cr_expect_null(op.detail);
	}
	cache_value_release(value);
}

Test(dispatcher, a_batch_asks_for_no_condition)
{
	struct backend_ops without = noting_ops;
	struct backend backend = {.ops = &without};
	struct cache_item items[2] = {{.condition.kind = CONDITION_ABSENT}};
	struct cache_op op;

	without.bits = 0;
	init_op(&op, CACHE_OP_DELETE, NULL);
	op.items = items;
	op.item_count = 2;
	cr_expect_eq(backend_call(&backend, &op), CACHE_OK);
}

Test(registry, finds_backends_by_name_and_by_what_they_are)
{
	for (size_t i = 0; backend_registry[i]; i++)
		cr_expect_eq(backend_find(backend_registry[i]->name), backend_registry[i]);
	cr_expect_null(backend_find(""));
	cr_expect_null(backend_find("sqlit"));
	cr_expect_eq(backend_find_by_bits(0, 0), backend_registry[0]);
	cr_expect_str_eq(backend_find_by_bits(BACKEND_KEEPS_NOTHING, 0)->name, "disabled");
	cr_expect_str_eq(backend_find_by_bits(BACKEND_WANTS_DIR, 0)->name, "sqlite");
	cr_expect_null(backend_find_by_bits(BACKEND_KEEPS_NOTHING | BACKEND_PERSISTS, 0));
}

Test(dispatcher, completion_tells_the_only_item_but_none_of_a_batch)
{
	struct cache_item items[2] = {{.key = SLICE("a")}, {.key = SLICE("b")}};
	struct cache_op op;

	init_op(&op, CACHE_OP_GET, NULL);
	cache_op_complete(&op, CACHE_TIMEOUT);
	cr_expect_eq(op.one.status, CACHE_TIMEOUT);
	init_op(&op, CACHE_OP_GET, NULL);
	op.items = items;
	op.item_count = 2;
	cache_op_complete(&op, CACHE_TIMEOUT);
	cr_expect_eq(op.status, CACHE_TIMEOUT);
	cr_expect_eq(items[0].status, CACHE_OK);
	cr_expect_eq(items[1].status, CACHE_OK);
	cr_expect_eq(op.one.status, CACHE_OK);
}

Test(dispatcher, an_empty_batch_is_done_without_the_backend)
{
	for (int type = CACHE_OP_GET; cache_op_has_items((enum cache_op_type)type); type++) {
		struct cache_op op;

		init_op(&op, (enum cache_op_type)type, NULL);
		op.items = NULL;
		op.item_count = 0;
		cr_expect_eq(backend_call(&noting, &op), CACHE_OK);
	}
	cr_expect_eq(calls, 0);
}

/* ---- Ops that are refused ---- */

static enum cache_status submit(struct cache_op *op)
{
	op->done = count_completion;
	backend_submit(&noting, op);
	return op->status;
}

Test(dispatcher, refuses_names_that_are_none_wherever_a_name_is_wanted)
{
	static const struct slice bad[] = {SLICE(""), SLICE("a b"), SLICE("-a"), SLICE("a\0")};
	struct cache_value *value = make_value();
	struct cache_op op;

	for (int type = 0; type < CACHE_OP_TYPES; type++)
		for (size_t i = 0; i < COUNT(bad); i++) {
			bool unnamed = type == CACHE_OP_SYNC || type == CACHE_OP_CHECK ||
				       (type == CACHE_OP_STATS && bad[i].len == 0);

			init_op(&op, (enum cache_op_type)type, value);
			op.ns = bad[i];
			cr_expect_eq(submit(&op), unnamed ? CACHE_OK : CACHE_INVALID,
				     "type %d, name %zu", type, i);
		}
	cr_expect_eq(completions, CACHE_OP_TYPES * COUNT(bad), "each is completed once");
	cache_value_release(value);
}

Test(dispatcher, refuses_a_listing_of_nothing)
{
	struct cache_op op;

	init_op(&op, CACHE_OP_SCAN, NULL);
	op.limit = 0;
	cr_expect_eq(submit(&op), CACHE_INVALID);
	cr_expect_eq(calls, 0);
}

Test(dispatcher, refuses_leases_without_sense)
{
	static const char long_token[LEASE_TOKEN_MAX_LEN + 1];
	static const struct {
		enum cache_op_type type;
		struct slice token;
		int64_t ttl_us;
		bool is_valid;
	} cases[] = {
		{CACHE_OP_LEASE_TAKE, SLICE("t"), LEASE_MAX_US, true},
		{CACHE_OP_LEASE_TAKE, SLICE("t"), LEASE_MAX_US + 1, false},
		{CACHE_OP_LEASE_TAKE, SLICE("t"), 0, false},
		{CACHE_OP_LEASE_TAKE, SLICE(""), 0, true},
		{CACHE_OP_LEASE_TAKE, {.data = long_token, .len = sizeof(long_token)}, 1, false},
		{CACHE_OP_LEASE_END, SLICE("t"), 0, true},
		{CACHE_OP_LEASE_END, SLICE(""), 0, false},
		{CACHE_OP_LEASE_END, {.data = long_token, .len = sizeof(long_token)}, 0, false},
	};
	struct cache_op op;

	for (size_t i = 0; i < COUNT(cases); i++) {
		init_op(&op, cases[i].type, NULL);
		op.lease = (struct cache_lease){.token = cases[i].token, .ttl_us = cases[i].ttl_us};
		cr_expect_eq(submit(&op), cases[i].is_valid ? CACHE_OK : CACHE_INVALID, "case %zu",
			     i);
	}
}

Test(dispatcher, refuses_a_set_without_a_value)
{
	struct cache_value *value = make_value();
	struct cache_item items[2] = {
		{.key = SLICE("a"), .value = value},
		{.key = SLICE("b")},
	};
	struct cache_op op;

	init_op(&op, CACHE_OP_SET, NULL);
	cr_expect_eq(submit(&op), CACHE_INVALID);
	init_op(&op, CACHE_OP_SET, NULL);
	op.items = items;
	op.item_count = 2;
	cr_expect_eq(submit(&op), CACHE_INVALID, "also in a batch");
	cr_expect_eq(calls, 0);
	cache_value_release(value);
}

Test(dispatcher, bounds_the_ttl)
{
	static const struct {
		int64_t ttl_s;
		enum cache_status status;
	} cases[] = {
		{TTL_DEFAULT, CACHE_OK},
		{0, CACHE_OK},
		{1, CACHE_OK},
		{TTL_MAX_S, CACHE_OK},
		{TTL_MAX_S + 1, CACHE_INVALID},
		{INT64_MAX, CACHE_INVALID},
		{TTL_DEFAULT - 1, CACHE_INVALID},
		{INT64_MIN, CACHE_INVALID},
	};
	struct cache_value *value = make_value();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cache_op op;

		init_op(&op, CACHE_OP_SET, value);
		op.one.ttl_s = cases[i].ttl_s;
		cr_expect_eq(submit(&op), cases[i].status, "case %zu", i);
	}
	cache_value_release(value);
}

Test(dispatcher, brings_the_times_of_a_namespace_into_bounds)
{
	static const struct {
		int64_t asked_s, given_s;
	} cases[] = {
		{0, 0},  {TTL_MAX_S, TTL_MAX_S}, {TTL_MAX_S + 1, TTL_MAX_S}, {INT64_MAX, TTL_MAX_S},
		{-1, 0}, {INT64_MIN, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cache_op op;

		init_op(&op, CACHE_OP_CONFIGURE, NULL);
		op.settings_mask = SETTING_DEFAULT_TTL | SETTING_STALE_TTL;
		op.settings.default_ttl_s = op.settings.stale_ttl_s = cases[i].asked_s;
		cr_expect_eq(submit(&op), CACHE_OK, "case %zu", i);
		cr_expect_eq(op.settings.default_ttl_s, cases[i].given_s, "case %zu", i);
		cr_expect_eq(op.settings.stale_ttl_s, cases[i].given_s, "case %zu", i);
	}
}

Test(dispatcher, raises_the_size_to_the_length_of_the_value)
{
	static const struct {
		uint64_t declared, counted;
		enum cache_status status;
	} cases[] = {
		{0, 5, CACHE_OK},
		{4, 5, CACHE_OK},
		{5, 5, CACHE_OK},
		{6, 6, CACHE_OK},
		{INT64_MAX / 2, INT64_MAX / 2, CACHE_OK},
		{INT64_MAX / 2 + 1, INT64_MAX / 2 + 1, CACHE_TOO_LARGE},
		{UINT64_MAX, UINT64_MAX, CACHE_TOO_LARGE},
	};
	struct cache_value *value = make_value();

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cache_op op;

		init_op(&op, CACHE_OP_SET, value);
		op.one.size_bytes = cases[i].declared;
		cr_expect_eq(submit(&op), cases[i].status, "case %zu", i);
		cr_expect_eq(op.one.size_bytes, cases[i].counted, "case %zu", i);
	}
	cache_value_release(value);
}

static void free_body(struct cache_body *body)
{
	(void)body;
}

Test(dispatcher, a_value_with_a_body_has_the_length_of_the_body_and_needs_a_bit)
{
	static const struct cache_body_ops body_ops = {.free = free_body};
	struct cache_body body = {
		.ops = &body_ops,
		.refs = 1,
		.len_bytes = UINT64_C(5) << 30,
		.flags = CACHE_VALUE_UTF8,
	};
	struct cache_value *value = cache_value_create_for_body(&body, SLICE(CONTENT_TYPE_TEXT));
	struct backend_ops with = noting_ops;
	struct backend backend = {.ops = &with};
	struct cache_op op;

	cr_expect_eq(value->flags, CACHE_VALUE_UTF8 | CACHE_VALUE_BODY);
	with.bits = EVERY_BIT | BACKEND_BODIES;
	init_op(&op, CACHE_OP_SET, value);
	cr_expect_eq(backend_call(&backend, &op), CACHE_OK);
	cr_expect_eq(op.one.size_bytes, body.len_bytes);
	with.bits = EVERY_BIT;
	cr_expect_eq(backend_call(&backend, &op), CACHE_UNSUPPORTED);
	cr_expect_str_eq(op.detail,
			 "this server keeps no large values; start it with --large-values");
	cache_value_release(value);
}

static void find_reference(struct backend *backend, struct cache_op *op)
{
	struct etag etag = {.bytes = {1}};

	(void)backend;
	op->one.value = cache_value_create(0, SLICE(CONTENT_TYPE_TEXT));
	cache_value_seal_known(op->one.value, &etag, CACHE_VALUE_REFERENCE);
	cache_op_complete(op, CACHE_OK);
}

Test(dispatcher, a_reference_is_never_taken_for_a_value)
{
	struct backend_ops ops = noting_ops;
	struct backend backend = {.ops = &ops};
	struct cache_op op;

	ops.get = find_reference;
	init_op(&op, CACHE_OP_GET, NULL);
	cr_expect_eq(backend_call(&backend, &op), CACHE_UNSUPPORTED);
	cr_expect_eq(op.one.status, CACHE_UNSUPPORTED);
	cr_expect_null(op.one.value);
	cr_expect_not_null(strstr(op.detail, "--large-values"));
	init_op(&op, CACHE_OP_GET, NULL);
	op.takes_references = true;
	cr_expect_eq(backend_call(&backend, &op), CACHE_OK);
	cr_expect_not_null(op.one.value);
	cache_op_deinit(&op);
}

/* ---- Completion from elsewhere ---- */

static atomic_bool has_completed;

static void *complete_elsewhere(void *argument)
{
	struct cache_op *op = argument;

	/* Gives a caller that does not wait the time to return. */
	for (int i = 0; i < 1000; i++)
		(void)sched_yield();
	atomic_store(&has_completed, true);
	cache_op_complete(op, CACHE_NOT_FOUND);
	return NULL;
}

static pthread_t completer;

static void hand_to_thread(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	cr_assert_eq(pthread_create(&completer, NULL, complete_elsewhere, op), 0);
}

Test(dispatcher, call_waits_for_a_completion_from_another_thread)
{
	static const struct backend_ops slow_ops = {.name = "slow", .get = hand_to_thread};
	struct backend slow = {.ops = &slow_ops};

	for (int i = 0; i < 50; i++) {
		struct cache_op op;

		atomic_store(&has_completed, false);
		init_op(&op, CACHE_OP_GET, NULL);
		cr_expect_eq(backend_call(&slow, &op), CACHE_NOT_FOUND);
		cr_expect(atomic_load(&has_completed), "it came back too early");
		(void)pthread_join(completer, NULL);
	}
}

/* AddressSanitizer would report a leak or a double free. */
Test(dispatcher, deinit_releases_what_an_op_owns_and_may_come_twice)
{
	struct cache_value *value = make_value();
	struct cache_op op;

	init_op(&op, CACHE_OP_GET, NULL);
	op.one.value = cache_value_acquire(value);
	op.stats = calloc(2, sizeof(*op.stats));
	op.stats_count = 2;
	op.entries = calloc(1, sizeof(*op.entries));
	op.entries[0].key = (struct slice){.data = strdup("key"), .len = 3};
	op.entry_count = 1;
	cache_op_deinit(&op);
	cr_expect_null(op.one.value);
	cr_expect_eq(op.entry_count + op.stats_count, 0);
	cache_op_deinit(&op);

	init_op(&op, CACHE_OP_SET, value);
	cache_op_deinit(&op);
	cr_expect_eq(op.one.value, value, "the value of a SET stays the caller's");
	cr_expect_eq(atomic_load(&value->refs), 1);
	cache_value_release(value);
}

/* ---- Names ---- */

Test(dispatcher, policies_by_name)
{
	static const char *const bad[] = {"", "LRU", "lr", "lrux", "lru ", "random"};
	enum eviction_policy policy = EVICT_FIFO;

	for (int i = EVICT_FRECENCY; i <= EVICT_NONE; i++) {
		const char *name = eviction_policy_name((enum eviction_policy)i);

		cr_assert(eviction_policy_parse(slice_of(name), &policy), "%s", name);
		cr_expect_eq((int)policy, i, "%s", name);
	}
	policy = EVICT_LRU;
	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_not(eviction_policy_parse(slice_of(bad[i]), &policy), "%s", bad[i]);
	cr_expect_eq(policy, EVICT_LRU);
}

Test(dispatcher, namespace_names)
{
	char name[NAMESPACE_MAX_LEN + 1];

	memset(name, 'n', sizeof(name));
	cr_expect(namespace_name_is_valid((struct slice){.data = name, .len = NAMESPACE_MAX_LEN}));
	cr_expect_not(namespace_name_is_valid(
		(struct slice){.data = name, .len = NAMESPACE_MAX_LEN + 1}));
	cr_expect_not(namespace_name_is_valid((struct slice){0}));
	for (int c = 0; c < 256; c++) {
		char text[2] = {(char)c, (char)c};
		bool word = c < 128 && (isalnum(c) || c == '_');
		bool inner = word || c == '.' || c == '-';

		text[0] = 'a';
		cr_expect_eq(namespace_name_is_valid((struct slice){.data = text, .len = 2}), inner,
			     "byte %d as the second", c);
		cr_expect_eq(namespace_name_is_valid((struct slice){.data = text + 1, .len = 1}),
			     word, "byte %d as the first", c);
	}
}

/* ---- The queue of operations ---- */

Test(op_queue, gives_back_in_the_order_of_coming)
{
	struct op_queue queue = {0};
	struct cache_op ops[3];

	cr_expect_null(op_queue_pop(&queue));
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 3; i++)
			op_queue_push(&queue, &ops[i]);
		cr_expect_eq(queue.length, 3);
		for (unsigned i = 0; i < 3; i++)
			cr_expect_eq(op_queue_pop(&queue), &ops[i], "round %u, op %u", round, i);
		cr_expect_null(op_queue_pop(&queue));
		cr_expect_eq(queue.length, 0);
	}
}

Test(op_queue, is_taken_whole)
{
	struct op_queue queue = {0};
	struct cache_op ops[2];

	op_queue_push(&queue, &ops[0]);
	op_queue_push(&queue, &ops[1]);
	struct op_queue all = op_queue_take(&queue);
	cr_expect_null(queue.first);
	cr_expect_eq(queue.length, 0);
	cr_expect_eq(all.length, 2);
	op_queue_push(&all, op_queue_pop(&all));
	cr_expect_eq(op_queue_pop(&all), &ops[1]);
	cr_expect_eq(op_queue_pop(&all), &ops[0]);
	cr_expect_null(op_queue_pop(&all));
}
