/* A program that remembers the answers of something slow.
 *
 *     cc -o cache cache.c $(pkg-config --cflags --libs steadycache)
 *     ./cache sqlite://./answers "What is a cache?"
 *
 * Asked the same again, it answers at once. The file compiles as C++, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <steadycache/steadycache.h>

static const char NAMESPACE[] = "answers";

/* What takes long. */
static void think(const char *question, char *answer, size_t size)
{
	(void)snprintf(answer, size, "%s I have thought about %u letters.", question,
		       (unsigned)strlen(question));
}

static int fail(const char *what)
{
	(void)fprintf(stderr, "cache: %s: %s\n", what, steadycache_error());
	return EXIT_FAILURE;
}

static int answer(struct steadycache *store, const char *question)
{
	struct steadycache_value *known = NULL;
	char text[512];
	enum steadycache_status status =
		steadycache_get(store, NAMESPACE, question, strlen(question), &known);

	if (status == STEADYCACHE_OK) {
		(void)printf("known: %.*s\n", (int)steadycache_value_len(known),
			     (const char *)steadycache_value_data(known));
		steadycache_value_release(known);
		return EXIT_SUCCESS;
	}
	if (status != STEADYCACHE_NOT_FOUND)
		return fail("cannot read");
	think(question, text, sizeof(text));
	(void)printf("new: %s\n", text);
	status = steadycache_set(store, NAMESPACE, question, strlen(question), text, strlen(text),
				 "text/plain; charset=utf-8", STEADYCACHE_TTL_DEFAULT);
	return status == STEADYCACHE_OK ? EXIT_SUCCESS : fail("cannot keep the answer");
}

int main(int argc, char **argv)
{
	struct steadycache *store = NULL;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: cache URL QUESTION\n");
		return 2;
	}
	if (steadycache_open(argv[1], NULL, &store) != STEADYCACHE_OK)
		return fail("cannot open the cache");
	int code = answer(store, argv[2]);
	(void)steadycache_close(store);
	return code;
}
