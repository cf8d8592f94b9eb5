/* libsteadycache, by its header alone. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <steadycache/steadycache.h>

#include "tests/support/temp_dir.h"

#define NS "texts"

static struct steadycache *store;
static struct temp_dir dir;
static char url[TEMP_PATH_SIZE + 20];

static void expect(enum steadycache_status wanted, enum steadycache_status status, const char *what)
{
	cr_assert_eq(status, wanted, "%s: %s (%s)", what, steadycache_status_name(status),
		     steadycache_error());
}

static void open_memory(void)
{
	expect(STEADYCACHE_OK, steadycache_open("memory://", NULL, &store), "open");
}

static void open_sqlite(void)
{
	temp_dir_create(&dir);
	(void)snprintf(url, sizeof(url), "sqlite://%s", dir.path);
	expect(STEADYCACHE_OK, steadycache_open(url, NULL, &store), "open");
}

static void close_store(void)
{
	expect(STEADYCACHE_OK, steadycache_close(store), "close");
	store = NULL;
	temp_dir_destroy(&dir);
}

static enum steadycache_status set_text(const char *key, const char *text)
{
	return steadycache_set(store, NS, key, strlen(key), text, strlen(text), NULL, 0);
}

static void expect_text(const char *key, const char *text)
{
	struct steadycache_value *value = NULL;

	expect(STEADYCACHE_OK, steadycache_get(store, NS, key, strlen(key), &value), key);
	cr_expect_eq(steadycache_value_len(value), strlen(text));
	cr_expect_arr_eq(steadycache_value_data(value), text, strlen(text));
	steadycache_value_release(value);
}

static void expect_sentence(const char *part)
{
	cr_expect(strstr(steadycache_error(), part), "\"%s\" is not in: %s", part,
		  steadycache_error());
}

/* ---- One entry ---- */

Test(library, versions_agree)
{
	cr_expect_str_eq(steadycache_version(), STEADYCACHE_VERSION);
	cr_expect_eq(steadycache_version_number(), STEADYCACHE_VERSION_NUMBER);
	cr_expect_str_eq(steadycache_status_name(STEADYCACHE_CLOSED), "closed");
	cr_expect_str_eq(steadycache_status_name((enum steadycache_status)999), "unknown");
	cr_expect(strlen(steadycache_status_text((enum steadycache_status) - 1)) > 0);
}

Test(library, an_entry_comes_and_goes, .init = open_memory, .fini = close_store)
{
	struct steadycache_value *value = NULL;
	char etag[STEADYCACHE_ETAG_LEN + 1];

	expect(STEADYCACHE_NOT_FOUND, steadycache_get(store, NS, "k\0y", 3, &value), "get");
	cr_expect_null(value);
	expect(STEADYCACHE_OK, steadycache_set(store, NS, "k\0y", 3, "v\0l", 3, "text/plain", 100),
	       "set");
	expect(STEADYCACHE_OK, steadycache_exists(store, NS, "k\0y", 3), "exists");
	expect(STEADYCACHE_NOT_FOUND, steadycache_exists(store, NS, "k", 1), "exists");
	expect(STEADYCACHE_OK, steadycache_get(store, NS, "k\0y", 3, &value), "get");
	expect(STEADYCACHE_OK, steadycache_delete(store, NS, "k\0y", 3), "delete");
	expect(STEADYCACHE_NOT_FOUND, steadycache_delete(store, NS, "k\0y", 3), "delete");
	/* It stays as long as somebody has it. */
	cr_expect_eq(steadycache_value_len(value), 3);
	cr_expect_arr_eq(steadycache_value_data(value), "v\0l", 3);
	cr_expect_str_eq(steadycache_value_content_type(value), "text/plain");
	cr_expect_eq(steadycache_value_expires_at_us(value),
		     steadycache_value_stored_at_us(value) + 100 * INT64_C(1000000));
	steadycache_value_etag(value, etag);
	cr_expect_eq(strlen(etag), STEADYCACHE_ETAG_LEN);
	cr_expect_eq(steadycache_value_acquire(value), value);
	steadycache_value_release(value);
	steadycache_value_release(value);
	steadycache_value_release(NULL);
}

Test(library, times_to_live, .init = open_memory, .fini = close_store)
{
	const struct steadycache_settings settings = {.bits = STEADYCACHE_DEFAULT_TTL,
						      .default_ttl_s = 60};
	static const struct {
		int64_t ttl_s, lasts_s;
	} cases[] = {{STEADYCACHE_TTL_DEFAULT, 60}, {STEADYCACHE_TTL_NEVER, 0}, {7, 7}};
	struct steadycache_value *value = NULL;

	expect(STEADYCACHE_OK, steadycache_configure(store, NS, &settings), "configure");
	for (size_t i = 0; i < 3; i++) {
		expect(STEADYCACHE_OK,
		       steadycache_set(store, NS, "k", 1, "", 0, NULL, cases[i].ttl_s), "set");
		expect(STEADYCACHE_OK, steadycache_get(store, NS, "k", 1, &value), "get");
		int64_t expires_us = steadycache_value_expires_at_us(value);
		cr_expect_eq(expires_us ? expires_us - steadycache_value_stored_at_us(value) : 0,
			     cases[i].lasts_s * 1000000);
		steadycache_value_release(value);
	}
	expect(STEADYCACHE_INVALID, steadycache_set(store, NS, "k", 1, "", 0, NULL, -2), "set");
	expect_sentence("ttl_s");
	expect(STEADYCACHE_INVALID, steadycache_set(store, NS, "k", 1, "", 0, NULL, INT64_MAX),
	       "set");
}

static void expire_and_drop(void)
{
	struct steadycache_settings settings = {.bits = STEADYCACHE_MAX_IDLE, .max_idle_s = 500};
	struct steadycache_value *value = NULL;
	struct steadycache_stats stats;

	expect(STEADYCACHE_NOT_FOUND, steadycache_expire(store, NS, "k", 1, 100), "expire");
	expect(STEADYCACHE_NOT_FOUND, steadycache_drop(store, NS), "drop");
	expect(STEADYCACHE_OK, steadycache_set(store, NS, "k", 1, "v", 1, NULL, 0), "set");
	expect(STEADYCACHE_OK, steadycache_expire(store, NS, "k", 1, 100), "expire");
	expect(STEADYCACHE_OK, steadycache_get(store, NS, "k", 1, &value), "get");
	int64_t left_us =
		steadycache_value_expires_at_us(value) - steadycache_value_stored_at_us(value);
	cr_expect(left_us >= 100 * INT64_C(1000000) && left_us < 160 * INT64_C(1000000));
	steadycache_value_release(value);
	expect(STEADYCACHE_OK, steadycache_expire(store, NS, "k", 1, STEADYCACHE_TTL_NEVER),
	       "expire");
	expect(STEADYCACHE_OK, steadycache_get(store, NS, "k", 1, &value), "get");
	cr_expect_eq(steadycache_value_expires_at_us(value), 0);
	steadycache_value_release(value);
	expect(STEADYCACHE_INVALID, steadycache_expire(store, NS, "k", 1, -2), "expire");
	expect_sentence("ttl_s");

	expect(STEADYCACHE_OK, steadycache_configure(store, NS, &settings), "configure");
	expect(STEADYCACHE_OK, steadycache_stats(store, NS, &stats), "stats");
	cr_expect_eq(stats.settings.max_idle_s, 500);
	settings.max_idle_s = -1;
	expect(STEADYCACHE_INVALID, steadycache_configure(store, NS, &settings), "configure");
	expect_sentence("max_idle_s");
	expect(STEADYCACHE_OK, steadycache_drop(store, NS), "drop");
	expect(STEADYCACHE_OK, steadycache_stats(store, NS, &stats), "stats");
	cr_expect_eq(stats.settings.max_idle_s, 0);
	cr_expect_eq(stats.entry_count, 0);
	expect(STEADYCACHE_NOT_FOUND, steadycache_exists(store, NS, "k", 1), "exists");
}

Test(library, expires_and_drops_in_memory, .init = open_memory, .fini = close_store)
{
	expire_and_drop();
}

Test(library, expires_and_drops_in_sqlite, .init = open_sqlite, .fini = close_store)
{
	expire_and_drop();
}

Test(library, what_is_wrong_has_a_sentence, .init = open_memory, .fini = close_store)
{
	struct steadycache_value *value = NULL;
	struct steadycache_settings settings = {.bits = STEADYCACHE_POLICY, .policy = 9};

	expect(STEADYCACHE_INVALID, steadycache_get(store, "no/slash", "k", 1, &value), "get");
	expect_sentence("name of a namespace");
	expect(STEADYCACHE_INVALID, steadycache_get(store, NULL, "k", 1, &value), "get");
	expect(STEADYCACHE_INVALID, steadycache_get(store, NS, NULL, 1, &value), "get");
	expect_sentence("no key");
	expect(STEADYCACHE_INVALID, steadycache_set(store, NS, "k", 1, NULL, 1, NULL, 0), "set");
	expect_sentence("no value");
	expect(STEADYCACHE_INVALID, steadycache_set(store, NS, "k", 1, "", 0, "a\nb", 0), "set");
	expect_sentence("content type");
	expect(STEADYCACHE_INVALID, steadycache_configure(store, NS, &settings), "configure");
	expect_sentence("policy");
	expect(STEADYCACHE_INVALID, steadycache_configure(store, NS, NULL), "configure");
	settings = (struct steadycache_settings){.bits = 1U << 30};
	expect(STEADYCACHE_INVALID, steadycache_configure(store, NS, &settings), "configure");
	/* A program that has not looked whether open succeeded. */
	expect(STEADYCACHE_INVALID, steadycache_get(NULL, NS, "k", 1, &value), "get");
	expect_sentence("there is no store");
	/* An empty key and an empty value are right. */
	expect(STEADYCACHE_OK, steadycache_set(store, NS, NULL, 0, NULL, 0, NULL, 0), "set");
	expect(STEADYCACHE_OK, steadycache_exists(store, NS, "", 0), "exists");
}

/* ---- Open ---- */

Test(library, open_says_what_is_wrong)
{
	struct steadycache_options options;

	cr_expect_eq(steadycache_open("nothing", NULL, &store), STEADYCACHE_INVALID);
	expect_sentence("nothing");
	cr_expect_eq(steadycache_open(NULL, NULL, &store), STEADYCACHE_INVALID);
	expect_sentence("options.data_dir");
	cr_expect_eq(steadycache_open("memory://?size=3", NULL, &store), STEADYCACHE_INVALID);
	expect_sentence("size");
	cr_expect_eq(steadycache_open("sqlite:///missing/part", NULL, &store),
		     STEADYCACHE_UNAVAILABLE);
	expect_sentence("/missing/part");
	/* What is no path is not told to be one. */
	cr_expect_eq(steadycache_open("plugin:" STEADYCACHE_PLUGINS_DIR "/log.so", NULL, &store),
		     STEADYCACHE_INVALID);
	expect_sentence("plugin:log needs a directory: name it in options.data_dir");
	steadycache_options_init(&options, sizeof(options));
	options.size = 3;
	cr_expect_eq(steadycache_open("memory://", &options, &store), STEADYCACHE_INVALID);
	steadycache_options_init(&options, sizeof(options));
	options.durability = 7;
	cr_expect_eq(steadycache_open("memory://", &options, &store), STEADYCACHE_INVALID);
	cr_expect_null(store);
	expect(STEADYCACHE_OK, steadycache_close(NULL), "close");
}

/* A program of a later version, which knows one more member. */
Test(library, options_of_a_later_version_are_taken_if_they_say_nothing_new)
{
	struct {
		struct steadycache_options options;
		uint64_t more;
	} later;

	steadycache_options_init(&later.options, sizeof(later));
	cr_expect_eq(later.more, 0);
	expect(STEADYCACHE_OK, steadycache_open("memory://", &later.options, &store), "open");
	close_store();
	later.more = 1;
	expect(STEADYCACHE_INVALID, steadycache_open("memory://", &later.options, &store), "open");
}

static atomic_uint notices;

static void count_notice(void *user, enum steadycache_notice_level level, const char *sentence)
{
	(void)level;
	cr_expect_eq(user, &notices);
	cr_expect(strlen(sentence) > 0);
	notices++;
}

Test(library, options_hold)
{
	struct steadycache_options options;
	struct steadycache_stats stats;

	temp_dir_create(&dir);
	steadycache_options_init(&options, sizeof(options));
	options.data_dir = dir.path;
	options.durability = STEADYCACHE_FULL;
	options.max_namespaces = 1;
	options.defaults.bits = STEADYCACHE_CAPACITY | STEADYCACHE_POLICY;
	options.defaults.capacity = 2;
	options.defaults.policy = STEADYCACHE_FIFO;
	options.near_max_bytes = 1 << 20;
	options.notice = count_notice;
	options.notice_user = &notices;
	expect(STEADYCACHE_OK, steadycache_open("", &options, &store), "open");
	cr_expect_str_eq(steadycache_backend_name(store), "sqlite");
	for (const char *key = "abc"; *key; key++)
		expect(STEADYCACHE_OK, steadycache_set(store, NS, key, 1, key, 1, NULL, 0), "set");
	expect(STEADYCACHE_TOO_MANY_NAMESPACES,
	       steadycache_set(store, "another", "k", 1, "", 0, NULL, 0), "set");
	expect(STEADYCACHE_OK, steadycache_stats(store, NS, &stats), "stats");
	cr_expect_eq(stats.entry_count, 2);
	cr_expect_eq(stats.evictions, 1);
	cr_expect_eq(stats.settings.capacity, 2);
	cr_expect_eq(stats.settings.policy, STEADYCACHE_FIFO);
	close_store();
}

Test(library, what_was_set_is_there_when_it_is_opened_again, .init = open_sqlite,
     .fini = close_store)
{
	expect(STEADYCACHE_OK, set_text("key", "kept"), "set");
	expect(STEADYCACHE_OK, steadycache_sync(store), "sync");
	expect(STEADYCACHE_OK, steadycache_close(store), "close");
	expect(STEADYCACHE_OK, steadycache_open(url, NULL, &store), "open");
	expect_text("key", "kept");
}

Test(library, the_program_may_change_its_directory)
{
	struct temp_dir elsewhere;
	char *before = getcwd(NULL, 0);

	temp_dir_create(&dir);
	temp_dir_create(&elsewhere);
	cr_assert_eq(chdir(dir.path), 0);
	expect(STEADYCACHE_OK, steadycache_open("memory://./kept?persist-every=1000", NULL, &store),
	       "open");
	cr_assert_eq(chdir(elsewhere.path), 0);
	expect(STEADYCACHE_OK, set_text("key", "kept"), "set");
	expect(STEADYCACHE_OK, steadycache_sync(store), "sync");
	expect(STEADYCACHE_OK, steadycache_close(store), "close");
	cr_assert_eq(chdir(before), 0);
	free(before);
	temp_dir_destroy(&elsewhere);
	(void)snprintf(url, sizeof(url), "sqlite://%s/kept", dir.path);
	expect(STEADYCACHE_OK, steadycache_open(url, NULL, &store), "open");
	expect_text("key", "kept");
	close_store();
}

/* ---- Many ---- */

static void run_batches(void)
{
	struct steadycache_item items[3] = {
		{.key = "b", .key_len = 1, .value = "two", .value_len = 3},
		{.key = "a", .key_len = 1, .value = "one", .value_len = 3},
		{.key = "c", .key_len = 1, .value = "", .value_len = 0, .ttl_s = 9},
	};

	expect(STEADYCACHE_OK, set_text("a", "before"), "set");
	expect(STEADYCACHE_OK, steadycache_batch(store, NS, STEADYCACHE_SET, items, 3), "set");
	cr_expect(items[0].created && !items[1].created && items[2].created);
	items[2].key = "d";
	expect(STEADYCACHE_OK, steadycache_batch(store, NS, STEADYCACHE_GET, items, 3), "get");
	cr_expect_eq(items[0].status, STEADYCACHE_OK);
	cr_expect_eq(items[2].status, STEADYCACHE_NOT_FOUND);
	cr_expect_null(items[2].found);
	cr_expect_arr_eq(steadycache_value_data(items[0].found), "two", 3);
	cr_expect_arr_eq(steadycache_value_data(items[1].found), "one", 3);
	for (size_t i = 0; i < 3; i++)
		steadycache_value_release(items[i].found);
	expect(STEADYCACHE_OK, steadycache_batch(store, NS, STEADYCACHE_DELETE, items, 3),
	       "delete");
	cr_expect_eq(items[1].status, STEADYCACHE_OK);
	cr_expect_eq(items[2].status, STEADYCACHE_NOT_FOUND);
	items[2].key = "c";
	expect(STEADYCACHE_OK, steadycache_batch(store, NS, STEADYCACHE_EXISTS, items, 3),
	       "exists");
	cr_expect_eq(items[0].status, STEADYCACHE_NOT_FOUND);
	cr_expect_eq(items[2].status, STEADYCACHE_OK);
	items[1].key = "c";
	expect(STEADYCACHE_INVALID, steadycache_batch(store, NS, STEADYCACHE_GET, items, 3), "get");
	expect_sentence("same key");
	cr_expect_eq(items[0].status, STEADYCACHE_INVALID);
	expect(STEADYCACHE_OK, steadycache_batch(store, NS, STEADYCACHE_GET, NULL, 0), "none");
	expect(STEADYCACHE_INVALID, steadycache_batch(store, NS, STEADYCACHE_SCAN, items, 1),
	       "scan");
}

Test(library, batches_in_memory, .init = open_memory, .fini = close_store)
{
	run_batches();
}

Test(library, batches_in_sqlite, .init = open_sqlite, .fini = close_store)
{
	run_batches();
}

static enum steadycache_status set_if(enum steadycache_condition condition, const char *etag)
{
	struct steadycache_item item = {.key = "k", .key_len = 1, .value = "v", .value_len = 1};
	struct steadycache_request request;

	steadycache_request_init(&request, sizeof(request), STEADYCACHE_SET);
	request.ns = NS;
	request.items = &item;
	request.item_count = 1;
	request.condition = condition;
	request.etag = etag;
	return steadycache_call(store, &request);
}

Test(library, conditions_hold, .init = open_memory, .fini = close_store)
{
	struct steadycache_value *value = NULL;
	char etag[STEADYCACHE_ETAG_LEN + 1], quoted[STEADYCACHE_ETAG_LEN + 3];

	cr_expect_eq(set_if(STEADYCACHE_IF_PRESENT, NULL), STEADYCACHE_PRECONDITION_FAILED);
	cr_expect_eq(set_if(STEADYCACHE_IF_ABSENT, NULL), STEADYCACHE_OK);
	cr_expect_eq(set_if(STEADYCACHE_IF_ABSENT, NULL), STEADYCACHE_PRECONDITION_FAILED);
	expect(STEADYCACHE_OK, steadycache_get(store, NS, "k", 1, &value), "get");
	steadycache_value_etag(value, etag);
	steadycache_value_release(value);
	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", etag);
	cr_expect_eq(set_if(STEADYCACHE_IF_MATCH, etag), STEADYCACHE_OK);
	cr_expect_eq(set_if(STEADYCACHE_IF_MATCH, quoted), STEADYCACHE_OK);
	cr_expect_eq(set_if(STEADYCACHE_IF_NONE_MATCH, etag), STEADYCACHE_PRECONDITION_FAILED);
	etag[0] = etag[0] == '0' ? '1' : '0';
	cr_expect_eq(set_if(STEADYCACHE_IF_MATCH, etag), STEADYCACHE_PRECONDITION_FAILED);
	cr_expect_eq(set_if(STEADYCACHE_IF_MATCH, "x"), STEADYCACHE_INVALID);
	cr_expect_eq(set_if(STEADYCACHE_IF_MATCH, NULL), STEADYCACHE_INVALID);
	cr_expect_eq(set_if((enum steadycache_condition)9, NULL), STEADYCACHE_INVALID);
}

static void list_and_clear(void)
{
	struct steadycache_request request;
	uint64_t count = 9;

	expect(STEADYCACHE_OK, steadycache_length(store, NS, &count), "length");
	cr_expect_eq(count, 0);
	for (const char *key = "cabxy"; *key; key++)
		expect(STEADYCACHE_OK, steadycache_set(store, NS, key, 1, "val", 3, NULL, 0),
		       "set");
	steadycache_request_init(&request, sizeof(request), STEADYCACHE_SCAN);
	request.ns = NS;
	request.limit = 2;
	expect(STEADYCACHE_OK, steadycache_call(store, &request), "scan");
	cr_assert_eq(request.entry_count, 2);
	cr_expect_arr_eq(request.entries[0].key, "a", 1);
	cr_expect_eq(request.entries[1].size_bytes, 3);
	cr_expect_eq(strlen(request.entries[1].etag), STEADYCACHE_ETAG_LEN);
	cr_expect_eq(request.is_complete, 0);
	char after = *(const char *)request.entries[1].key;
	steadycache_request_deinit(&request);
	request.after = &after;
	request.after_len = 1;
	request.limit = SIZE_MAX;
	expect(STEADYCACHE_OK, steadycache_call(store, &request), "scan");
	cr_expect_eq(request.entry_count, 3);
	cr_expect_eq(request.is_complete, 1);
	steadycache_request_deinit(&request);
	expect(STEADYCACHE_OK, steadycache_clear(store, NS, "x", 1), "clear");
	expect(STEADYCACHE_OK, steadycache_length(store, NS, &count), "length");
	cr_expect_eq(count, 4);
	expect(STEADYCACHE_OK, steadycache_clear(store, NS, NULL, 0), "clear");
	expect(STEADYCACHE_OK, steadycache_length(store, NS, &count), "length");
	cr_expect_eq(count, 0);
}

Test(library, memory_lists_keys_in_order_and_clears_by_prefix, .init = open_memory,
     .fini = close_store)
{
	list_and_clear();
}

Test(library, sqlite_lists_keys_in_order_and_clears_by_prefix, .init = open_sqlite,
     .fini = close_store)
{
	list_and_clear();
}

Test(library, statistics_of_all_are_by_name, .init = open_memory, .fini = close_store)
{
	struct steadycache_request request;

	expect(STEADYCACHE_OK, steadycache_set(store, "b", "k", 1, "", 0, NULL, 0), "set");
	expect(STEADYCACHE_OK, steadycache_set(store, "a", "k", 1, "", 0, NULL, 0), "set");
	steadycache_request_init(&request, sizeof(request), STEADYCACHE_STATS);
	expect(STEADYCACHE_OK, steadycache_call(store, &request), "stats");
	cr_assert_eq(request.stats_count, 2);
	cr_expect_str_eq(request.stats[0].name, "a");
	cr_expect_eq(request.stats[1].sets, 1);
	steadycache_request_deinit(&request);
}

/* ---- Completions ---- */

#define REQUESTS 2000

static atomic_size_t ends, refusals;

struct task {
	struct steadycache_request request;
	struct steadycache_item item;
	char key[16];
	unsigned left; /* how often it is submitted again */
};

static struct task tasks[REQUESTS];
static _Thread_local unsigned depth;

static void submit_again(struct steadycache_request *request)
{
	struct task *task = request->user;
	uint64_t count = 0;

	cr_expect_eq(++depth, 1, "a completion within another");
	cr_expect(request->status == STEADYCACHE_OK || request->status == STEADYCACHE_CLOSED, "%s",
		  request->sentence);
	cr_expect_eq(steadycache_length(store, NS, &count), STEADYCACHE_INVALID);
	cr_expect_eq(steadycache_close(store), STEADYCACHE_INVALID);
	expect_sentence("completion");
	if (request->status == STEADYCACHE_CLOSED)
		refusals++;
	if (request->status == STEADYCACHE_OK && task->left-- > 0)
		expect(STEADYCACHE_OK, steadycache_submit(store, request), "submit");
	else
		ends++;
	depth--;
}

static void start(size_t index, unsigned again)
{
	struct task *task = &tasks[index];

	steadycache_request_init(&task->request, sizeof(task->request), STEADYCACHE_SET);
	task->left = again;
	task->item.key_len = (size_t)snprintf(task->key, sizeof(task->key), "%zu", index);
	task->item.key = task->key;
	task->item.value = task->key;
	task->item.value_len = task->item.key_len;
	task->request.ns = NS;
	task->request.items = &task->item;
	task->request.item_count = 1;
	task->request.done = submit_again;
	task->request.user = task;
	expect(STEADYCACHE_OK, steadycache_submit(store, &task->request), "submit");
}

Test(library, a_completion_that_submits_again_does_not_grow_the_stack, .init = open_memory,
     .fini = close_store)
{
	start(0, 200000);
	cr_expect_eq(ends, 1);
	expect_text("0", "0");
}

Test(library, close_waits_for_completions)
{
	open_sqlite();
	for (size_t i = 0; i < REQUESTS; i++)
		start(i, 0);
	expect(STEADYCACHE_OK, steadycache_close(store), "close");
	cr_expect_eq(ends, REQUESTS);
	expect(STEADYCACHE_OK, steadycache_open(url, NULL, &store), "open");
	uint64_t count = 0;
	expect(STEADYCACHE_OK, steadycache_length(store, NS, &count), "length");
	cr_expect_eq(count, REQUESTS - refusals);
	close_store();
}

static sem_t may_end;
static atomic_bool is_held, is_closed;

static void hold(struct steadycache_request *request)
{
	(void)request;
	is_held = true;
	(void)sem_wait(&may_end);
}

static void *submit_held(void *user)
{
	expect(STEADYCACHE_OK, steadycache_submit(store, user), "submit");
	return NULL;
}

static void *close_here(void *user)
{
	(void)user;
	expect(STEADYCACHE_OK, steadycache_close(store), "close");
	is_closed = true;
	return NULL;
}

/* Here the backend would not wait. */
Test(library, close_waits_for_a_completion_on_a_thread_of_the_program, .init = open_memory)
{
	struct steadycache_request request;
	pthread_t submits, closes;

	(void)sem_init(&may_end, 0, 0);
	steadycache_request_init(&request, sizeof(request), STEADYCACHE_SYNC);
	request.done = hold;
	cr_assert_eq(pthread_create(&submits, NULL, submit_held, &request), 0);
	while (!is_held)
		(void)sched_yield();
	cr_assert_eq(pthread_create(&closes, NULL, close_here, NULL), 0);
	/* The store is there as long as it is waited for. */
	while (!is_closed && steadycache_exists(store, NS, "k", 1) != STEADYCACHE_CLOSED)
		(void)sched_yield();
	cr_expect(!is_closed);
	(void)sem_post(&may_end);
	(void)pthread_join(submits, NULL);
	(void)pthread_join(closes, NULL);
	cr_expect(is_closed);
}

/* They would never end by themselves. */
Test(library, what_completions_submit_while_it_closes_is_refused)
{
	open_sqlite();
	for (size_t i = 0; i < 64; i++)
		start(i, UINT32_MAX);
	close_store();
	cr_expect_eq(ends, 64);
	cr_expect_eq(refusals, 64);
}

Test(library, a_request_is_checked_before_it_is_taken, .init = open_memory, .fini = close_store)
{
	struct steadycache_request request;

	steadycache_request_init(&request, sizeof(request), STEADYCACHE_SYNC);
	expect(STEADYCACHE_INVALID, steadycache_submit(store, &request), "without done");
	memset(&request, 0, sizeof(request));
	request.done = submit_again;
	expect(STEADYCACHE_INVALID, steadycache_submit(store, &request), "not initialised");
	cr_expect_eq(ends, 0);
}

/* ---- Threads and processes ---- */

#define THREADS 8
#define ROUNDS  2000

/* NULL, or what went wrong. */
static const char *run_rounds(size_t me)
{
	char key[16], text[32];

	for (size_t i = 0; i < ROUNDS; i++) {
		struct steadycache_value *value = NULL;
		/* Every other key is written by all. */
		size_t key_len = (size_t)snprintf(key, sizeof(key), "%zu",
						  i % 2 ? 1000 * (me + 1) + i % 100 : i % 100);
		size_t len = (size_t)snprintf(text, sizeof(text), "%s of %zu", key, me);

		if (steadycache_set(store, NS, key, key_len, text, len, NULL, 0) != STEADYCACHE_OK)
			return "set";
		if (steadycache_get(store, NS, key, key_len, &value) != STEADYCACHE_OK)
			return "get";
		/* Of this key, whoever wrote it. */
		if (memcmp(steadycache_value_data(value), text, key_len + 4) != 0 ||
		    (i % 2 && steadycache_value_len(value) != len))
			return "mixed up";
		steadycache_value_release(value);
	}
	return NULL;
}

static void *run_thread(void *user)
{
	return (void *)(uintptr_t)run_rounds((size_t)(uintptr_t)user);
}

static void run_threads(void)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, run_thread, (void *)(uintptr_t)i),
			     0);
	for (size_t i = 0; i < THREADS; i++) {
		void *fault = NULL;

		(void)pthread_join(threads[i], &fault);
		cr_expect_null(fault, "%s", (const char *)fault);
	}
}

Test(library, threads_share_memory, .init = open_memory, .fini = close_store)
{
	run_threads();
}

Test(library, threads_share_sqlite, .init = open_sqlite, .fini = close_store)
{
	run_threads();
}

static volatile sig_atomic_t bus_errors;

static void note_bus_error(int number)
{
	(void)number;
	bus_errors++;
}

/* The handler of the program is the one of before. */
Test(library, a_bus_error_that_is_not_the_stores_goes_to_the_program)
{
	struct sigaction action = {.sa_handler = note_bus_error}, now;

	(void)sigaction(SIGBUS, &action, NULL);
	open_sqlite();
	expect(STEADYCACHE_OK, set_text("k", "v"), "set");
	(void)sigaction(SIGBUS, NULL, &now);
	cr_expect(now.sa_handler != note_bus_error, "the store has none");
	(void)raise(SIGBUS);
	(void)raise(SIGBUS);
	cr_expect_eq(bus_errors, 2);
	expect_text("k", "v");
	close_store();
}

Test(library, a_child_does_not_use_the_store_of_its_parent, .init = open_sqlite,
     .fini = close_store)
{
	int outcome = 0;
	pid_t child = fork();

	if (child == 0) {
		bool is_refused = set_text("k", "v") == STEADYCACHE_CLOSED &&
				  strstr(steadycache_error(), "fork") &&
				  steadycache_close(store) == STEADYCACHE_OK &&
				  steadycache_open("memory://", NULL, &store) == STEADYCACHE_OK &&
				  set_text("k", "v") == STEADYCACHE_OK &&
				  steadycache_close(store) == STEADYCACHE_OK;
		_exit(is_refused ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &outcome, 0), child);
	cr_expect_eq(outcome, 0);
	expect(STEADYCACHE_OK, set_text("k", "v"), "the parent goes on");
}

/* ---- One database, several times ---- */

/* A process that was made before anything was open opens the store, stores an entry and closes it,
 * once it is told to. */
static pid_t start_visitor(int ret_pipe[2])
{
	char go;

	cr_assert_eq(pipe(ret_pipe), 0);
	pid_t visitor = fork();
	if (visitor != 0)
		return visitor;
	bool is_done = read(ret_pipe[0], &go, 1) == 1 &&
		       steadycache_open(url, NULL, &store) == STEADYCACHE_OK &&
		       set_text("of the visitor", "v") == STEADYCACHE_OK &&
		       steadycache_close(store) == STEADYCACHE_OK;
	_exit(is_done ? 0 : 1);
}

static void end_visitor(pid_t visitor, const int pipe_ends[2])
{
	int outcome = -1;

	cr_assert_eq(write(pipe_ends[1], "g", 1), 1);
	cr_assert_eq(waitpid(visitor, &outcome, 0), visitor);
	cr_expect_eq(outcome, 0);
}

/* Whoever keeps a folder for itself lets go of it, whatever children have its descriptors. */
Test(library, a_child_keeps_no_lock_of_a_closed_store, .fini = close_store)
{
	temp_dir_create(&dir);
	(void)snprintf(url, sizeof(url), "memory://%s?persist-every=1", dir.path);
	expect(STEADYCACHE_OK, steadycache_open(url, NULL, &store), "open");
	pid_t child = fork();
	if (child == 0) {
		(void)pause();
		_exit(0);
	}
	expect(STEADYCACHE_OK, steadycache_close(store), "close");
	enum steadycache_status status = steadycache_open(url, NULL, &store);
	(void)kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	expect(STEADYCACHE_OK, status, "open again");
}

/* Whoever closes a database that nobody else has open removes its log. */
Test(library, a_second_store_of_a_database_may_be_closed_before_the_first, .fini = close_store)
{
	struct steadycache *second = NULL;
	int pipe_ends[2];

	temp_dir_create(&dir);
	(void)snprintf(url, sizeof(url), "sqlite://%s", dir.path);
	pid_t visitor = start_visitor(pipe_ends);
	expect(STEADYCACHE_OK, steadycache_open(url, NULL, &store), "open");
	for (size_t i = 0; i < 2; i++) {
		expect(STEADYCACHE_OK, steadycache_open(url, NULL, &second), "open");
		expect(STEADYCACHE_OK, steadycache_close(second), "close");
	}
	end_visitor(visitor, pipe_ends);
	expect(STEADYCACHE_OK, set_text("k", "v"), "after the visit");
	expect_text("of the visitor", "v");
}

Test(library, a_child_does_not_open_the_database_of_its_parent, .init = open_sqlite,
     .fini = close_store)
{
	int outcome = -1;
	pid_t child = fork();

	if (child == 0) {
		bool is_refused = steadycache_open(url, NULL, &store) == STEADYCACHE_UNAVAILABLE &&
				  strstr(steadycache_error(), "fork()");
		_exit(is_refused ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &outcome, 0), child);
	cr_expect_eq(outcome, 0);
	/* After a close it may. */
	expect(STEADYCACHE_OK, steadycache_close(store), "close");
	child = fork();
	if (child == 0) {
		bool is_open = steadycache_open(url, NULL, &store) == STEADYCACHE_OK &&
			       set_text("k", "v") == STEADYCACHE_OK &&
			       steadycache_close(store) == STEADYCACHE_OK;
		_exit(is_open ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &outcome, 0), child);
	cr_expect_eq(outcome, 0);
	expect(STEADYCACHE_OK, steadycache_open(url, NULL, &store), "open");
	expect_text("k", "v");
}
