/* handlers/json/json_scan.c against jansson: what it accepts, jansson reads in the same way; what
 * it does not accept, it leaves unchanged. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "handlers/json/json_scan.h"

#define MEMBERS 4
#define ROUNDS  300000

static void reset(struct scan_member members[static MEMBERS])
{
	members[0] = (struct scan_member){.name = SLICE("cache_name"), .required = true};
	members[1] = (struct scan_member){.name = SLICE("key"), .required = true};
	members[2] = (struct scan_member){.name = SLICE("value")};
	members[3] = (struct scan_member){.name = SLICE("size"), .type = SCAN_WHOLE};
}

static void expect_same(const char *text, size_t len, const struct scan_member *members)
{
	json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);

	cr_assert(root, "jansson does not take %.*s", (int)len, text);
	for (size_t i = 0; i < MEMBERS; i++) {
		const json_t *member = json_object_get(root, members[i].name.data);

		cr_assert_eq(members[i].found, member != NULL);
		if (!member)
			continue;
		if (members[i].type == SCAN_WHOLE)
			cr_assert_eq(json_integer_value(member), members[i].whole);
		else
			cr_assert(slice_equal(members[i].string,
					      ((struct slice){json_string_value(member),
							      json_string_length(member)})),
				  "%s differs in %.*s", members[i].name.data, (int)len, text);
	}
	cr_assert_eq(json_object_size(root), (size_t)members[0].found + members[1].found +
						     members[2].found + members[3].found);
	json_decref(root);
}

/* Returns whether it was accepted. */
static bool scan_and_compare(const char *text, size_t len)
{
	struct scan_member members[MEMBERS];
	char *copy = malloc(len + 1); /* separate, so that ASan sees reads beyond its end */

	reset(members);
	memcpy(copy, text, len);
	bool taken = json_scan(copy, len, members, MEMBERS, NULL);
	if (taken)
		expect_same(text, len, members);
	else
		cr_assert(memcmp(copy, text, len) == 0, "changed %.*s", (int)len, text);
	free(copy);
	return taken;
}

Test(json_scan, takes_what_clients_send)
{
	static const char *const texts[] = {
		"{\"cache_name\":\"c\",\"key\":\"k\"}",
		"{\"cache_name\": \"c\", \"key\": \"k\", \"value\": \"dmFsdWU=\", \"size\": 8}",
		" {\t\"key\" :\r\"k\" ,\n\"cache_name\":\"c\" } \n",
		"{\"cache_name\":\"c\",\"key\":\"\",\"value\":\"\",\"size\":0}",
		"{\"cache_name\":\"c\",\"key\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
		"{\"cache_name\":\"c\",\"key\":\"\\u0000\\u00e9\\u20AC\"}",
		"{\"cache_name\":\"c\",\"key\":\"\\ud83d\\ude00\\\\\"}",
		"{\"cache_name\":\"c\",\"key\":\"\\\\\\\\\\\"\\\\\"}",
		"{\"cache_name\":\"c\",\"key\":\"\xC3\xA9\xF0\x9F\x98\x80\"}",
		"{\"cache_name\":\"c\",\"key\":\"k\",\"size\":999999999999999}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect(scan_and_compare(texts[i], strlen(texts[i])), "%s", texts[i]);
}

Test(json_scan, leaves_the_rest_to_the_library)
{
	static const char *const texts[] = {
		"",
		"{",
		"{}",
		"[]",
		"{\"cache_name\":\"c\"}",
		"{\"cache_name\":\"c\",\"key\":\"k\"",
		"{\"cache_name\":\"c\",\"key\":\"k\"}x",
		"{\"cache_name\":\"c\",\"key\":\"k\",}",
		"{\"cache_name\":\"c\",\"key\":5}",
		"{\"cache_name\":\"c\",\"key\":null}",
		"{\"cache_name\":\"c\",\"key\":\"k\",\"key\":\"k\"}",
		"{\"cache_name\":\"c\",\"key\":\"k\",\"other\":1}",
		"{\"cache_name\":\"c\",\"key\":\"k\",\"size\":1.5}",
		"{\"cache_name\":\"c\",\"key\":\"k\",\"size\":-1}",
		"{\"cache_name\":\"c\",\"key\":\"k\",\"size\":01}",
		"{\"cache_name\":\"c\",\"key\":\"k\",\"size\":1000000000000000}",
		"{\"cache_name\":\"c\",\"key\":\"\\ud83d\"}",
		"{\"cache_name\":\"c\",\"key\":\"\\ud83dx\\ude00\"}",
		"{\"cache_name\":\"c\",\"key\":\"\\ude00\"}",
		"{\"cache_name\":\"c\",\"key\":\"\\u12g4\"}",
		"{\"cache_name\":\"c\",\"key\":\"\\x\"}",
		"{\"cache_name\":\"c\",\"key\":\"a\nb\"}",
		"{\"cache_name\":\"c\",\"key\":\"\xC3\"}",
		"{\"cache_name\":\"c\",\"key\":\"k\\\"}",
		"{\"cache_name\":\"c\",\"key\":\"k\\",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect(!scan_and_compare(texts[i], strlen(texts[i])), "%s", texts[i]);
}

/* ---- Lists ---- */

#define LIST_MAX 3

static const struct scan_member item_members[] = {
	{.name = SLICE("key"), .required = true},
	{.name = SLICE("ttl"), .type = SCAN_WHOLE},
};

static void expect_same_element(const json_t *element, const struct scan_member *found,
				size_t member_count)
{
	size_t size = 0;

	if (member_count == 0) {
		cr_assert(slice_equal(
			found->string,
			((struct slice){json_string_value(element), json_string_length(element)})));
		return;
	}
	for (size_t i = 0; i < member_count; i++) {
		const json_t *member = json_object_get(element, found[i].name.data);

		cr_assert_eq(found[i].found, member != NULL);
		size += found[i].found;
		if (member && found[i].type == SCAN_WHOLE)
			cr_assert_eq(json_integer_value(member), found[i].whole);
		else if (member)
			expect_same_element(member, &found[i], 0);
	}
	cr_assert_eq(json_object_size(element), size);
}

/* Returns whether `text`, with the name of the cache and a list (of objects or of strings), was
 * accepted. */
static bool scan_list_and_compare(const char *text, size_t len, bool of_objects)
{
	struct scan_member name = {.name = SLICE("cache_name")};
	struct scan_list list = {
		.name = of_objects ? SLICE("items") : SLICE("keys"),
		.members = of_objects ? item_members : NULL,
		.member_count = of_objects ? 2 : 0,
		.max_count = LIST_MAX,
	};
	char *copy = malloc(len + 1);

	memcpy(copy, text, len);
	bool taken = json_scan(copy, len, &name, 1, &list);
	if (taken) {
		json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
		const json_t *array = json_object_get(root, list.name.data);

		cr_assert(root, "jansson does not take %.*s", (int)len, text);
		cr_assert_eq(json_object_size(root), 1U + name.found);
		cr_assert_eq(json_array_size(array), list.count);
		for (size_t i = 0; i < list.count; i++)
			expect_same_element(json_array_get(array, i),
					    list.found + i * (of_objects ? 2 : 1),
					    list.member_count);
		json_decref(root);
	} else {
		cr_assert(memcmp(copy, text, len) == 0, "changed %.*s", (int)len, text);
		cr_assert_null(list.found);
	}
	free(list.found);
	free(copy);
	return taken;
}

Test(json_scan, takes_lists_of_strings_and_of_objects)
{
	static const char *const taken[] = {
		"{\"keys\":[\"a\"]}",
		"{\"cache_name\":\"c\",\"keys\":[\"a\\n\",\"\", \"\\u00e9\"]}",
		"{\"items\":[{\"key\":\"a\\\"\",\"ttl\":5},{\"key\":\"b\"}],\"cache_name\":\"c\"}",
	};
	static const char *const left[] = {
		"{\"keys\":[]}",
		"{\"cache_name\":\"c\"}",
		"{\"keys\":\"a\"}",
		"{\"keys\":[\"a\",]}",
		"{\"keys\":[\"a\"}",
		"{\"keys\":[\"a\\n\",5]}",
		"{\"keys\":[\"a\"],\"keys\":[\"b\"]}",
		"{\"keys\":[\"\\n\",\"b\",\"c\",\"d\"]}", /* more than LIST_MAX */
		"{\"items\":[{\"ttl\":5}]}",
		"{\"items\":[{\"key\":\"a\\n\"},{\"key\":\"b\",\"more\":1}]}",
		"{\"items\":[\"a\"]}",
		"{\"items\":[{\"key\":\"a\"}]",
	};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		cr_expect(scan_list_and_compare(taken[i], strlen(taken[i]),
						strstr(taken[i], "items")),
			  "%s", taken[i]);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		cr_expect(
			!scan_list_and_compare(left[i], strlen(left[i]), strstr(left[i], "items")),
			"%s", left[i]);
}

static unsigned random_below(unsigned n)
{
	static unsigned state = 2463534242;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

/* Removes, changes or inserts a byte. */
static size_t mutate(char *text, size_t len)
{
	static const char bytes[] = "\"\\u{}:, 0d8fnrt\x01\xC3\xA9\xFF/kebya";
	size_t at = random_below((unsigned)len);
	char byte = bytes[random_below(sizeof(bytes) - 1)];

	switch (random_below(3)) {
	case 0:
		text[at] = byte;
		return len;
	case 1:
		memmove(text + at, text + at + 1, len - at - 1);
		return len - 1;
	default:
		memmove(text + at + 1, text + at, len - at);
		text[at] = byte;
		return len + 1;
	}
}

Test(json_scan, agrees_with_the_library_on_mutated_requests)
{
	static const char *const seeds[] = {
		"{\"cache_name\":\"a\",\"key\":\"b\\u0000\\ud83d\\ude00x\\n\\\"\","
		"\"value\":\"v\xC3\xA9\\\\\",\"size\":12}",
		"{ \"key\" : \"\\\\\\\\\\\"\" , \"cache_name\":\"\" }",
	};
	unsigned taken = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		char text[128];
		size_t len = strlen(seeds[round % 2]);

		memcpy(text, seeds[round % 2], len);
		for (unsigned i = random_below(4); i > 0; i--)
			len = mutate(text, len);
		taken += scan_and_compare(text, len);
	}
	cr_assert_gt(taken, ROUNDS / 10, "the mutations leave too little that is well-formed");
}

Test(json_scan, agrees_with_the_library_on_mutated_lists)
{
	static const char *const seeds[] = {
		"{\"items\":[{\"key\":\"b\\u0000x\",\"ttl\":12},{\"key\":\"\"}]}",
		"{ \"keys\" : [ \"\\\\\\\"\" , \"b\"] , \"cache_name\":\"\" }",
	};
	unsigned taken = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		char text[128];
		size_t len = strlen(seeds[round % 2]);

		memcpy(text, seeds[round % 2], len);
		for (unsigned i = random_below(4); i > 0; i--)
			len = mutate(text, len);
		taken += scan_list_and_compare(text, len, round % 2 == 0);
	}
	cr_assert_gt(taken, ROUNDS / 10, "the mutations leave too little that is well-formed");
}
