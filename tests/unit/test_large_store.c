/* backends/large by itself: a directory of objects, pins, and what the sweep removes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backends/large/dir.h"
#include "backends/large/layer.h"
#include "backends/large/pins.h"
#include "backends/large/waiting.h"
#include "backends/memory/memory.h"
#include "base/clock.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"

static struct temp_dir scratch;

static void open_scratch(void)
{
	temp_dir_create(&scratch);
}

static void close_scratch(void)
{
	temp_dir_destroy(&scratch);
}

TestSuite(dir, .init = open_scratch, .fini = close_scratch, .timeout = 60);
TestSuite(layer, .init = open_scratch, .fini = close_scratch, .timeout = 60);

/* ---- A store ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

static void note_done(struct object_request *request)
{
	(void)pthread_mutex_lock(&lock);
	*(bool *)request->user = true;
	(void)pthread_cond_broadcast(&woken);
	(void)pthread_mutex_unlock(&lock);
}

static enum cache_status ask(struct object_store *store,
			     void (*what)(struct object_store *, struct object_request *),
			     struct object_request *request)
{
	bool is_done = false;

	request->done = note_done;
	request->user = &is_done;
	what(store, request);
	(void)pthread_mutex_lock(&lock);
	while (!is_done)
		(void)pthread_cond_wait(&woken, &lock);
	(void)pthread_mutex_unlock(&lock);
	return request->status;
}

static struct object_store *open_dir(const char *suffix)
{
	const struct backend_config config = {.durability = DURABILITY_FULL};
	char url[TEMP_PATH_SIZE + 32], error[600] = "";

	(void)snprintf(url, sizeof(url), "dir:%s/a/b%s", scratch.path, suffix);
	struct object_store *store = dir_open(url, &config, error, sizeof(error));
	cr_assert(store, "%s", error);
	return store;
}

/* Puts an object with the hash 0x11... `n` and the bytes of `text`. */
static enum cache_status put(struct object_store *store, uint8_t n, const char *text)
{
	char path[TEMP_PATH_SIZE];
	struct object_request request = {.len_bytes = strlen(text)};

	(void)temp_dir_path(&scratch, "arrives", path);
	file_write(path, slice_of(text));
	memset(request.sha256, n, sizeof(request.sha256));
	request.file = open(path, O_RDWR | O_CLOEXEC);
	request.path = path;
	enum cache_status status = ask(store, store->ops->put, &request);
	(void)close(request.file);
	return status;
}

static struct object_request named(uint8_t n, uint64_t len_bytes)
{
	struct object_request request = {.len_bytes = len_bytes};

	memset(request.sha256, n, sizeof(request.sha256));
	return request;
}

static void note_wake(void *user)
{
	(void)pthread_mutex_lock(&lock);
	*(bool *)user = true;
	(void)pthread_cond_broadcast(&woken);
	(void)pthread_mutex_unlock(&lock);
}

/* Reads `len` bytes of a body from `offset` on and compares them. */
static void expect_bytes(struct cache_body *body, uint64_t offset, const char *text)
{
	bool is_awake = false;
	struct body_reader *reader =
		body->ops->open(body, offset, strlen(text), note_wake, &is_awake);
	size_t at = 0, len = 0;
	char room[64];

	for (;;) {
		enum body_step step = reader->ops->read(reader, room + at, sizeof(room) - at, &len);

		if (step == BODY_STEP_END)
			break;
		cr_assert_neq(step, BODY_STEP_FAILED);
		if (step == BODY_STEP_BYTES) {
			at += len;
			continue;
		}
		(void)pthread_mutex_lock(&lock);
		while (!is_awake)
			(void)pthread_cond_wait(&woken, &lock);
		is_awake = false;
		(void)pthread_mutex_unlock(&lock);
	}
	reader->ops->close(reader);
	cr_assert(slice_equal((struct slice){.data = room, .len = at}, slice_of(text)));
}

Test(dir, puts_opens_and_removes)
{
	struct object_store *store = open_dir("");
	struct object_request open_it = named(0x11, 5), gone = named(0x11, 5);

	cr_assert_eq(ask(store, store->ops->open, &open_it), CACHE_NOT_FOUND);
	cr_assert_eq(put(store, 0x11, "hello"), CACHE_OK);
	cr_assert_eq(ask(store, store->ops->open, &open_it), CACHE_OK);
	expect_bytes(open_it.body, 0, "hello");
	expect_bytes(open_it.body, 2, "ll");
	expect_bytes(open_it.body, 5, "");
	gone.put_before_us = INT64_MAX;
	cr_assert_eq(ask(store, store->ops->remove, &gone), CACHE_OK);
	cr_assert_eq(ask(store, store->ops->remove, &gone), CACHE_OK, "there is none any more");
	expect_bytes(open_it.body, 0, "hello");
	cache_body_release(open_it.body);
	cr_assert_eq(ask(store, store->ops->open, &open_it), CACHE_NOT_FOUND);
	store->ops->close(store);
}

Test(dir, an_object_of_another_length_is_damaged)
{
	struct object_store *store = open_dir("");
	struct object_request open_it = named(0x22, 6);

	cr_assert_eq(put(store, 0x22, "hello"), CACHE_OK);
	cr_assert_eq(ask(store, store->ops->open, &open_it), CACHE_CORRUPT);
	cr_assert_not_null(open_it.detail);
	cr_assert_eq(put(store, 0x22, "hello!"), CACHE_OK);
	cr_assert_eq(ask(store, store->ops->open, &open_it), CACHE_OK);
	cache_body_release(open_it.body);
	store->ops->close(store);
}

Test(dir, lists_everything_page_by_page_in_its_order)
{
	struct object_store *store = open_dir("");
	struct object_info page[3];
	struct object_request list = {.objects = page, .max = 3};
	unsigned count = 0;

	for (unsigned n = 0; n < 10; n++)
		cr_assert_eq(put(store, (uint8_t)(n * 25), "x"), CACHE_OK);
	file_write(temp_dir_path(&scratch, "a/b/objects/00/foreign", (char[TEMP_PATH_SIZE]){0}),
		   SLICE("y"));
	do {
		cr_assert_eq(ask(store, store->ops->list, &list), CACHE_OK);
		cr_assert(list.complete || list.object_count == 3);
		for (size_t i = 0; i < list.object_count; i++, count++) {
			cr_assert_eq(page[i].sha256[31], count * 25);
			cr_assert_eq(page[i].len_bytes, 1);
			cr_assert_leq(page[i].put_at_us, list.now_us);
			cr_assert_gt(page[i].put_at_us, list.now_us - 60 * US_PER_S);
		}
	} while (!list.complete);
	cr_assert_eq(count, 10);
	store->ops->close(store);
}

Test(dir, what_is_put_again_is_young)
{
	struct object_store *store = open_dir("?shared=1"), *other = open_dir("?shared=1");
	struct object_info page[1];
	struct object_request list = {.objects = page, .max = 1}, remove_it = named(0x33, 1);
	const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	char path[TEMP_PATH_SIZE];

	cr_assert_eq(put(store, 0x33, "x"), CACHE_OK);
	(void)temp_dir_path(&scratch,
			    "a/b/objects/33/"
			    "33333333333333333333333333333333333333333333333333333333333333",
			    path);
	cr_assert_eq(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	cr_assert_eq(ask(other, other->ops->list, &list), CACHE_OK);
	cr_assert_eq(page[0].put_at_us, 1000 * US_PER_S);
	cr_assert_eq(put(store, 0x33, "x"), CACHE_OK);
	remove_it.put_before_us = 2000 * US_PER_S;
	cr_assert_eq(ask(other, other->ops->remove, &remove_it), CACHE_PRECONDITION_FAILED);
	cr_assert_eq(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	cr_assert_eq(ask(other, other->ops->remove, &remove_it), CACHE_OK);
	store->ops->close(store);
	other->ops->close(other);
}

static atomic_bool refuses_locks;

/* In the place of fcntl: the system's, but for locks while there are none. */
int fcntl_with_faults(int fd, int command, ...) __asm__("fcntl");

int fcntl_with_faults(int fd, int command, ...)
{
	va_list rest;

	va_start(rest, command);
	long argument = va_arg(rest, long);
	va_end(rest);
	if (command == F_OFD_SETLKW && atomic_load(&refuses_locks)) {
		errno = ENOLCK;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

Test(dir, is_not_shared_without_locks)
{
	struct object_store *store = open_dir("?shared=1");
	struct object_request remove_it = named(0x33, 1);

	cr_assert_eq(put(store, 0x33, "x"), CACHE_OK);
	atomic_store(&refuses_locks, true);
	cr_expect_eq(put(store, 0x33, "x"), CACHE_UNAVAILABLE);
	remove_it.put_before_us = INT64_MAX;
	cr_expect_eq(ask(store, store->ops->remove, &remove_it), CACHE_UNAVAILABLE);
	cr_expect(strstr(remove_it.detail, "gives no locks"), "%s", remove_it.detail);
	atomic_store(&refuses_locks, false);
	cr_expect_eq(ask(store, store->ops->remove, &remove_it), CACHE_OK);
	store->ops->close(store);
}

Test(dir, belongs_to_one_backend)
{
	struct object_store *store = open_dir("");
	char error[9000] = "";

	cr_assert(store->ops->claim(store, "sqlite /a", error, sizeof(error)));
	cr_assert(store->ops->claim(store, "sqlite /a", error, sizeof(error)));
	cr_assert_not(store->ops->claim(store, "memory", error, sizeof(error)));
	cr_assert(strstr(error, "\"sqlite /a\"") && strstr(error, "\"memory\""), "%s", error);
	store->ops->close(store);
}

Test(dir, urls)
{
	static const struct {
		const char *url;
		bool is_good;
	} cases[] = {
		{"dir:/a", true},          {"dir:///a/b", true},     {"dir:/a?shared=1", true},
		{"dir:/a?shared=0", true}, {"dir:a", false},         {"dir:", false},
		{"dir:/a?other=1", false}, {"dir:/a?shared", false}, {"s3://a", false},
	};
	char error[600];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(dir_check_url(cases[i].url, error, sizeof(error)), cases[i].is_good,
			     "%s", cases[i].url);
}

/* ---- Pins ---- */

static unsigned ready_count;

static void count_ready(struct pin *pin)
{
	(void)pin;
	ready_count++;
}

Test(pins, keep_from_removal_and_wait_for_it)
{
	struct pins pins;
	struct pin first = {.sha256 = {1}, .ready = count_ready}, second = first, third = first;
	struct pin removal = {.sha256 = {1}}, another = {.sha256 = {2}};

	pins_init(&pins);
	cr_assert(pins_take(&pins, &first));
	cr_assert(pins_take(&pins, &second));
	cr_assert_not(pins_begin_removal(&pins, &removal));
	cr_assert(pins_begin_removal(&pins, &another));
	pins_drop(&pins, &first, 0);
	cr_assert_not(pins_begin_removal(&pins, &removal));
	pins_drop(&pins, &second, 0);
	cr_assert(pins_begin_removal(&pins, &removal));
	cr_assert_not(pins_take(&pins, &first), "it is being removed");
	cr_assert_not(pins_take(&pins, &second));
	pins_end_removal(&pins, &another);
	cr_assert_eq(ready_count, 0);
	pins_end_removal(&pins, &removal);
	cr_assert_eq(ready_count, 2);
	cr_assert_eq(pins_count(&pins), 2);
	cr_assert(pins_take(&pins, &third));
	pins_drop(&pins, &first, 0);
	pins_drop(&pins, &second, 0);
	pins_drop(&pins, &third, 0);
	pins_deinit(&pins);
}

Test(pins, that_were_held_long_linger_until_the_sweep_ends)
{
	struct pins pins;
	struct pin pin = {.sha256 = {1}}, removal = pin;

	pins_init(&pins);
	pins_begin_sweep(&pins);
	cr_assert(pins_take(&pins, &pin));
	pins_drop(&pins, &pin, US_PER_S * 3600);
	cr_assert(pins_begin_removal(&pins, &removal), "it was short");
	pins_end_removal(&pins, &removal);
	cr_assert(pins_take(&pins, &pin));
	pins_drop(&pins, &pin, 0);
	cr_assert_not(pins_begin_removal(&pins, &removal), "it was long");
	pins_end_sweep(&pins);
	cr_assert(pins_begin_removal(&pins, &removal));
	pins_end_removal(&pins, &removal);
	pins_deinit(&pins);
}

Test(waiting, counts_from_the_first_sweep_that_knew)
{
	const uint8_t a[SHA256_BYTES] = {1}, b[SHA256_BYTES] = {2};
	struct waiting waiting = {0};

	cr_assert_not(waiting_is_over(&waiting, a, 100, 50));
	waiting_turn(&waiting, false);
	cr_assert_not(waiting_is_over(&waiting, a, 150, 100), "since 100");
	cr_assert_not(waiting_is_over(&waiting, b, 150, 100), "new");
	waiting_turn(&waiting, true);
	cr_assert_not(waiting_is_over(&waiting, a, 160, 100));
	cr_assert_not(waiting_is_over(&waiting, b, 160, 110), "what a failed sweep noted is void");
	waiting_turn(&waiting, false);
	cr_assert(waiting_is_over(&waiting, a, 170, 101));
	cr_assert_not(waiting_is_over(&waiting, b, 170, 160));
	waiting_turn(&waiting, false);
	waiting_turn(&waiting, false);
	cr_assert_not(waiting_is_over(&waiting, b, 900, 800), "it was not met for a sweep");
	waiting_deinit(&waiting);
}

/* ---- The layer, over memory whose listings can fail ---- */

static bool fails;

static void scan_or_fail(struct backend *backend, struct cache_op *op)
{
	if (fails)
		cache_op_complete(op, CACHE_UNAVAILABLE);
	else
		memory_backend_ops.scan(backend, op);
}

static struct backend_ops failing_ops;
static const struct backend_config config = {.durability = DURABILITY_COMMIT};

static struct backend *open_layer(void)
{
	char url[TEMP_PATH_SIZE + 32], error[600] = "";
	struct large_config large = {
		.url = url,
		.value_bytes = 10,
		.value_max_mb = 1,
		.sweep_us = 20000,
		.grace_us = 1000,
	};
	struct backend *inner = memory_backend_ops.open(&config, error, sizeof(error));

	cr_assert(inner, "%s", error);
	failing_ops = memory_backend_ops;
	failing_ops.scan = scan_or_fail;
	inner->ops = &failing_ops;
	(void)snprintf(url, sizeof(url), "dir:%s/large", scratch.path);
	struct backend *layer = large_layer_open(inner, &large, &config, error, sizeof(error));
	cr_assert(layer, "%s", error);
	return layer;
}

static double gauge(struct backend *backend, const char *name)
{
	struct backend_gauge gauges[BACKEND_GAUGES_MAX];
	size_t count = backend->ops->gauges(backend, gauges, BACKEND_GAUGES_MAX);

	for (size_t i = 0; i < count; i++)
		if (strcmp(gauges[i].group, "large") == 0 && strcmp(gauges[i].name, name) == 0)
			return gauges[i].value;
	return -1;
}

static void set(struct backend *backend, const char *key, struct cache_value *value)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = SLICE("n");
	op.one.key = slice_of(key);
	op.one.value = value;
	cr_assert_eq(backend_call(backend, &op), CACHE_OK, "%s", op.detail ? op.detail : "");
	cr_assert_eq(op.one.value, value, "the caller has its value back");
	cr_assert_neq(value->modified_at_us, 0);
	cache_op_deinit(&op);
	cache_value_release(value);
}

static void set_text(struct backend *backend, const char *key, const char *text)
{
	set(backend, key, cache_value_copy(slice_of(text), SLICE("a/b")));
}

/* The value, the caller's; NULL: there is none. */
static struct cache_value *get(struct backend *backend, const char *key, bool takes_bodies)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = SLICE("n");
	op.one.key = slice_of(key);
	op.takes_bodies = takes_bodies;
	enum cache_status status = backend_call(backend, &op);
	cr_assert(status == CACHE_OK || status == CACHE_NOT_FOUND, "%s", op.detail);
	struct cache_value *value = op.one.value;
	op.one.value = NULL;
	cache_op_deinit(&op);
	return value;
}

Test(layer, a_body_from_a_spool_goes_in_and_comes_out)
{
	struct backend *layer = open_layer();
	struct body_spool *spool = layer->ops->spool(layer);
	const char *text = "zwölf Boxkämpfer";

	cr_assert_eq(layer->ops->intake(layer).from_bytes, 10);
	cr_assert(spool->ops->write(spool, (struct slice){.data = text, .len = 3}));
	cr_assert(spool->ops->write(spool, slice_of(text + 3)));
	struct cache_body *body = spool->ops->end(spool);
	cr_assert(body);
	spool->ops->close(spool);
	set(layer, "k", cache_value_create_for_body(body, SLICE("a/b")));
	struct cache_value *value = get(layer, "k", true);
	struct etag etag = etag_of(slice_of(text));
	cr_assert(cache_value_body(value));
	cr_assert_eq(cache_value_whole_len(value), strlen(text));
	cr_assert(etag_equal(&value->etag, &etag));
	cr_assert_eq(value->flags, CACHE_VALUE_BODY | CACHE_VALUE_UTF8);
	cr_assert_str_eq(cache_value_content_type(value), "a/b");
	/* Replaced and swept, it is still read to its end. */
	set_text(layer, "k", "another long value");
	cr_assert(await_condition(gauge(layer, "removed") == 1, 10000));
	expect_bytes(cache_value_body(value), 0, text);
	/* A body that comes from elsewhere is copied. */
	set(layer, "copy", value);
	value = get(layer, "copy", false);
	cr_assert(slice_equal(cache_value_bytes(value), slice_of(text)));
	cr_assert_eq(value->flags, CACHE_VALUE_UTF8);
	cache_value_release(value);
	layer->ops->close(layer);
}

Test(layer, a_spool_that_is_given_up_leaves_nothing)
{
	struct backend *layer = open_layer();
	struct body_spool *spool = layer->ops->spool(layer);
	char path[TEMP_PATH_SIZE];

	cr_assert(spool->ops->write(spool, SLICE("some bytes")));
	spool->ops->close(spool);
	layer->ops->close(layer);
	(void)temp_dir_path(&scratch, "large/spool", path);
	cr_assert_eq(folder_count(path, "", NULL), 2, "but . and ..");
}

Test(layer, nothing_is_removed_while_a_listing_fails)
{
	struct backend *layer = open_layer();

	set_text(layer, "k", "a long value");
	set_text(layer, "k", "another long value");
	fails = true;
	double before = gauge(layer, "sweeps");
	cr_assert(await_condition(gauge(layer, "sweep_failures") >= 1, 10000));
	cr_assert_gt(gauge(layer, "sweeps"), before);
	cr_assert_leq(gauge(layer, "removed"), 1);
	double removed = gauge(layer, "removed");
	set_text(layer, "k", "a third long value");
	set_text(layer, "k", "short");
	double failures = gauge(layer, "sweep_failures");
	cr_assert(await_condition(gauge(layer, "sweep_failures") >= failures + 2, 10000));
	cr_assert_eq(gauge(layer, "removed"), removed);
	fails = false;
	cr_assert(await_condition(gauge(layer, "removed") == 3, 10000));
	layer->ops->close(layer);
}

Test(layer, a_batch_has_all_kinds)
{
	struct backend *layer = open_layer();
	struct cache_item items[3] = {{.key = SLICE("a"), .ttl_s = TTL_DEFAULT},
				      {.key = SLICE("b"), .ttl_s = TTL_DEFAULT},
				      {.key = SLICE("c"), .ttl_s = TTL_DEFAULT}};
	const struct slice texts[] = {SLICE("small"), SLICE("not so small"), SLICE("not so small")};
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = SLICE("n");
	op.items = items;
	op.item_count = 3;
	for (size_t i = 0; i < 3; i++)
		items[i].value = cache_value_copy(texts[i], SLICE("a/b"));
	cr_assert_eq(backend_call(layer, &op), CACHE_OK);
	for (size_t i = 0; i < 3; i++) {
		cr_assert(slice_equal(cache_value_bytes(items[i].value), texts[i]));
		cache_value_release(items[i].value);
	}
	cache_op_init(&op, CACHE_OP_GET);
	op.ns = SLICE("n");
	op.items = items;
	op.item_count = 3;
	op.max_value_bytes = 29;
	cr_assert_eq(backend_call(layer, &op), CACHE_OK);
	for (size_t i = 0; i < 3; i++)
		cr_assert(slice_equal(cache_value_bytes(items[i].value), texts[i]));
	cache_op_deinit(&op);
	op.max_value_bytes = 28;
	cr_assert_eq(backend_call(layer, &op), CACHE_TOO_LARGE);
	cache_op_deinit(&op);
	layer->ops->close(layer);
}
