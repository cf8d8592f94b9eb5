#include "tests/conformance/conformance.h"

#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct http_client *client;
const char *server_url, *api_key;
char ns[65];

/* The last texts of a thread, so that a test can use several at once. */
struct kept_texts {
	char *texts[64];
	unsigned next;
};

static pthread_key_t kept_key;

static void free_kept(void *user)
{
	struct kept_texts *kept = user;

	for (size_t i = 0; i < sizeof(kept->texts) / sizeof(*kept->texts); i++)
		free(kept->texts[i]);
	free(kept);
}

static void create_kept_key(void)
{
	if (pthread_key_create(&kept_key, free_kept) != 0)
		abort();
}

static char *keep(char *text)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct kept_texts *kept;
	char **place;

	(void)pthread_once(&once, create_kept_key);
	kept = pthread_getspecific(kept_key);
	if (!kept)
		kept = calloc(1, sizeof(*kept));
	if (!text || !kept || pthread_setspecific(kept_key, kept) != 0)
		abort();
	place = &kept->texts[kept->next++ % 64];
	free(*place);
	return *place = text;
}

void conformance_open(void)
{
	server_url = getenv("STEADYCACHE_URL");
	api_key = getenv("STEADYCACHE_API_KEY");
	if (api_key && !*api_key)
		api_key = NULL;
	cr_assert(server_url != NULL, "STEADYCACHE_URL must name the server to test");
	client = http_client_open(server_url, api_key);
	/* The time besides the process id: ids may repeat during the life of a server that is
	 * tested twice. */
	(void)snprintf(ns, sizeof(ns), "t%d_%lx_%s", (int)getpid(),
		       (unsigned long)time(NULL) & 0xfffff, criterion_current_test->name);
	expect_d1(d1("clear", " "), 200, "{'success':true}");
}

void conformance_close(void)
{
	if (!client)
		return;
	/* No expectations here: this may fail if a test was skipped or has failed. */
	(void)d1("clear", " ");
	http_client_close(client);
	client = NULL;
	/* A test's main thread ends without the key's destructor. */
	free_kept(pthread_getspecific(kept_key));
	(void)pthread_setspecific(kept_key, NULL);
}

bool lacks_feature(const char *feature)
{
	const char *lacks = getenv("STEADYCACHE_LACKS");

	return lacks && list_holds(lacks, feature);
}

unsigned rounds_of(unsigned usual)
{
	return lacks_feature("speed") ? usual / 4 : usual;
}

unsigned partitions(void)
{
	const char *count = getenv("STEADYCACHE_TEST_PARTITIONS");

	return count ? (unsigned)strtoul(count, NULL, 10) : 1;
}

void requires_feature(const char *feature)
{
	if (lacks_feature(feature))
		cr_skip("this implementation lacks %s", feature);
}

static char *double_quotes(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	return copy;
}

const char *requoted(const char *text)
{
	return keep(double_quotes(text));
}

static char *format_quoted(const char *format, va_list args)
{
	char *pattern = double_quotes(format), *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (vasprintf(&text, pattern, args) < 0)
		abort();
#pragma GCC diagnostic pop
	free(pattern);
	return text;
}

const char *quoted(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = format_quoted(format, args);
	va_end(args);
	return keep(text);
}

const char *entry_path(const char *encoded_key)
{
	return quoted("/cache/%s/%s", ns, encoded_key);
}

const char *ns_path(const char *rest)
{
	return quoted("/cache/%s%s", ns, rest);
}

const struct http_answer *d1(const char *endpoint, const char *members, ...)
{
	const struct http_answer *answer;
	const char *json;
	va_list args;
	char *text;

	va_start(args, members);
	text = format_quoted(members, args);
	va_end(args);
	json = *text == ' ' ? quoted("{'cache_name':'%s'}", ns)
			    : quoted("{'cache_name':'%s',%s}", ns, text);
	answer = http_post_json(client, quoted("/api/%s", endpoint), json);
	free(text);
	return answer;
}

const struct http_answer *batch(const char *endpoint, const char *members, ...)
{
	const struct http_answer *answer;
	va_list args;
	char *text;

	va_start(args, members);
	text = format_quoted(members, args);
	va_end(args);
	answer = http_post_json(client, quoted("/batch/%s/%s", ns, endpoint), quoted("{%s}", text));
	free(text);
	return answer;
}

const struct http_answer *configure(const char *members, ...)
{
	const struct http_answer *answer;
	va_list args;
	char *text;

	va_start(args, members);
	text = format_quoted(members, args);
	va_end(args);
	answer = http_put_json(client, ns_path(""), quoted("{%s}", text));
	free(text);
	return answer;
}

void must_set(const char *key, const char *value)
{
	expect_d1(d1("set", "'key':'%s','value':'%s','size':%zu", key, value, strlen(value)), 200,
		  "{'success':true}");
}

void must_set_sized(const char *key, size_t value_len, size_t size)
{
	char *value = malloc(value_len + 1);

	cr_assert(value != NULL);
	memset(value, 'x', value_len);
	value[value_len] = '\0';
	expect_d1(d1("set", "'key':'%s','value':'%s','size':%zu", key, value, size), 200,
		  "{'success':true}");
	free(value);
}

bool must_exist_or_not(const char *key)
{
	const struct http_answer *answer = d1("exists", "'key':'%s'", key);
	bool exists = strcmp(answer->body, "{\"exists\":true}") == 0;

	expect_status(answer, 200);
	expect_that(answer, exists || strcmp(answer_->body, "{\"exists\":false}") == 0,
		    "expected {\"exists\":true} or {\"exists\":false}");
	return exists;
}

void must_set_used(const char *key, size_t used_bytes)
{
	size_t size = used_bytes - TEXT_ENTRY_USED(key);

	must_set_sized(key, size, size);
}

void must_init_bytes(unsigned max_size_bytes)
{
	/* 20 digits represent a multiple of 2^-20 exactly. */
	expect_d1(d1("init", "'max_size_mb':%.20f", max_size_bytes / 1048576.0), 200,
		  "{'success':true,'message':'Cache initialized'}");
}

double d1_stat(const char *name)
{
	const struct http_answer *answer = d1("stats", " ");
	json_auto_t *stats = http_json(answer);
	const json_t *number = json_object_get(stats, name);

	expect_status(answer, 200);
	expect_that(answer, json_is_number(number), "expected a number %s", name);
	return json_number_value(number);
}

double listed_number(const char *key, const char *member)
{
	const struct http_answer *answer = http_get(client, ns_path("?limit=1000"));
	json_auto_t *listing = http_json(answer);
	const json_t *entry;
	size_t i;

	expect_status(answer, 200);
	json_array_foreach(json_object_get(listing, "keys"), i, entry)
	{
		const char *name = json_string_value(json_object_get(entry, "key"));

		if (name && strcmp(name, key) == 0)
			return json_number_value(json_object_get(entry, member));
	}
	expect_that(answer, false, "expected the key %s in the listing", key);
	return 0;
}

bool error_mentions(const struct http_answer *answer, const char *word, bool problem)
{
	json_auto_t *document = http_json(answer);
	const char *error = json_string_value(json_object_get(document, "error"));
	const char *detail = json_string_value(json_object_get(document, "detail"));

	if (!error || !strstr(error, word))
		return false;
	if (!problem)
		return json_object_size(document) == 1;
	return detail && strcmp(detail, error) == 0 &&
	       json_is_string(json_object_get(document, "type")) &&
	       json_is_string(json_object_get(document, "title")) &&
	       json_integer_value(json_object_get(document, "status")) == answer->status;
}

bool list_holds(const char *list, const char *token)
{
	size_t len = strlen(token);

	for (const char *at = list; at && *at; at += strcspn(at, ",")) {
		at += strspn(at, ", ");
		if (strncmp(at, token, len) == 0 && (at[len] == '\0' || strchr(", ", at[len])))
			return true;
	}
	return false;
}

/* Where the challenge of `scheme` begins in a line; NULL: nowhere. */
static const char *find_scheme(const char *line, const char *scheme)
{
	size_t len = strlen(scheme);

	for (const char *at = line; at; at = strstr(at, ", ")) {
		at += strspn(at, ", ");
		if (strncmp(at, scheme, len) == 0 && at[len] == ' ')
			return at;
	}
	return NULL;
}

const char *challenge_of(const struct http_answer *answer, const char *scheme)
{
	static const char *const schemes[] = {"Bearer", "Basic"};
	static char challenge[200];

	for (const char *name = answer->headers; *name;) {
		const char *value = name + strlen(name) + 1;
		const char *found = strcasecmp(name, "WWW-Authenticate") == 0
					    ? find_scheme(value, scheme)
					    : NULL;

		name = value + strlen(value) + 1;
		if (!found)
			continue;
		(void)snprintf(challenge, sizeof(challenge), "%s", found);
		for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
			char *next = strstr(challenge, quoted(", %s ", schemes[i]));

			if (next)
				*next = '\0';
		}
		return challenge;
	}
	return NULL;
}

char *percent_encode(struct slice bytes)
{
	char *encoded = malloc(bytes.len * 3 + 1), *at = encoded;

	if (!encoded)
		abort();
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];

		if (isalnum(byte))
			*at++ = (char)byte;
		else
			at += sprintf(at, "%%%02X", byte);
	}
	*at = '\0';
	return encoded;
}
