/* Listings of many pages over HTTP, several at once, while others write. More than a thousand keys,
 * because a server may then work differently. */
#include "tests/conformance/conformance.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

CONFORMANCE_SUITE(walks);

#define KEYS       2000
#define IN_A_BATCH 500
#define WALKERS    3
#define THREADS    5 /* the rest write */

static void set_keys(void)
{
	for (unsigned at = 0; at < KEYS; at += IN_A_BATCH) {
		json_auto_t *body = json_object();
		json_t *items = json_array();

		for (unsigned i = at; i < at + IN_A_BATCH; i++)
			json_array_append_new(items,
					      json_pack("{s:o, s:s}", "key",
							json_sprintf("key %04u", i), "value", "v"));
		json_object_set_new(body, "items", items);
		char *bytes = json_dumps(body, JSON_COMPACT);
		expect_status(http_post(client, quoted("/batch/%s/set", ns), slice_of(bytes)), 200);
		free(bytes);
	}
}

struct scene {
	atomic_uint walking;
};

/* Checks one page; the cursor of the next one goes to `cursor`, empty after the last. */
static const char *take_page(const json_t *listing, unsigned seen[static KEYS],
			     char last[static 64], char cursor[static 256])
{
	const json_t *next = json_object_get(listing, "cursor");
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(listing, "keys"), i, entry)
	{
		const char *key = json_string_value(json_object_get(entry, "key"));
		unsigned number = 0;
		int end = 0;

		if (!key || strcmp(key, last) <= 0)
			return "a key out of order";
		(void)snprintf(last, 64, "%s", key);
		if (sscanf(key, "key %u%n", &number, &end) == 1 && !key[end] && number < KEYS)
			seen[number]++;
	}
	(void)snprintf(cursor, 256, "%s", json_is_string(next) ? json_string_value(next) : "");
	if (json_is_true(json_object_get(listing, "complete")) != (cursor[0] == '\0'))
		return "a cursor and a \"complete\" that do not agree";
	return NULL;
}

static const char *walk(struct http_client *mine, unsigned limit)
{
	unsigned seen[KEYS] = {0};
	char last[64] = "";
	char cursor[256] = "";
	const char *failure = NULL;

	do {
		const struct http_answer *answer = http_get(
			mine, ns_path(quoted("?prefix=key&limit=%u&cursor=%s", limit, cursor)));
		json_auto_t *listing = json_loadb(answer->body, answer->len, 0, NULL);

		if (answer->status != 200 || !listing)
			return "a page failed";
		failure = take_page(listing, seen, last, cursor);
	} while (cursor[0] != '\0' && !failure);
	for (unsigned i = 0; i < KEYS && !failure; i++)
		if (seen[i] != 1)
			failure = seen[i] ? "a key twice" : "a key that stayed was skipped";
	return failure;
}

/* Adds and removes keys between those that stay, and overwrites these. */
static const char *write_once(struct http_client *mine, unsigned turn, size_t index)
{
	const char *path = entry_path(quoted("key%%20%04u.%zu", turn % KEYS, index));
	const char *staying = entry_path(quoted("key%%20%04u", turn * 7 % KEYS));

	if (http_put(mine, path, SLICE("passing"))->status / 100 != 2 ||
	    http_put(mine, staying, SLICE("another"))->status != 204)
		return "a put failed";
	if (turn % 2 && http_delete(mine, path)->status != 204)
		return "a delete failed";
	return NULL;
}

static const char *walk_or_write(size_t index, void *user)
{
	struct scene *scene = user;
	struct http_client *mine = http_client_open(server_url, api_key);
	const char *failure = NULL;

	if (index < WALKERS) {
		for (unsigned round = 0; round < 3 && !failure; round++)
			failure = walk(mine, 60 + 40 * (unsigned)index);
		(void)atomic_fetch_sub(&scene->walking, 1);
	} else {
		for (unsigned turn = 0; atomic_load(&scene->walking) > 0 && !failure; turn++)
			failure = write_once(mine, turn, index);
	}
	http_client_close(mine);
	return failure;
}

Test(walks, meet_each_key_that_stays_once)
{
	struct scene scene = {.walking = WALKERS};

	requires_feature("large-batches");
	set_keys();
	const char *failure = in_threads(THREADS, walk_or_write, &scene);
	cr_assert(failure == NULL, "%s", failure);
}

/* The cursor of a listing. Storage as with quoted(). */
static const char *cursor_of(const struct http_answer *answer)
{
	json_auto_t *listing = http_json(answer);
	const char *cursor = json_string_value(json_object_get(listing, "cursor"));

	expect_that(answer, cursor != NULL, "expected a cursor");
	return quoted("%s", cursor);
}

Test(walks, go_on_after_a_clear_and_begin_afresh)
{
	requires_feature("large-batches");
	set_keys();
	const char *cursor = cursor_of(http_get(client, ns_path("?limit=10")));
	cursor = cursor_of(http_get(client, ns_path(quoted("?limit=10&cursor=%s", cursor))));
	expect_status(http_delete(client, ns_path("?all")), 204);
	expect_json_text(http_get(client, ns_path(quoted("?cursor=%s", cursor))),
			 "{'keys':[],'cursor':null,'complete':true}");
	set_keys();
	expect_status(http_put(client, entry_path("key%200000.new"), SLICE("v")), 201);
	json_auto_t *listing = http_json(http_get(client, ns_path("?limit=2")));
	const json_t *second = json_array_get(json_object_get(listing, "keys"), 1);
	cr_assert_str_eq(json_string_value(json_object_get(second, "key")), "key 0000.new");
}
