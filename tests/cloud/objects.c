/* An object store at the command line, for tests that judge what it does by other means.
 *
 *     objects URL put FILE              prints the SHA-256, which is the object's name
 *     objects URL get SHA256 LENGTH [OFFSET LENGTH]   the bytes
 *     objects URL remove SHA256 [SECONDS]   if it was put last before SECONDS (Unix time)
 *     objects URL list [PAGE]           lines: SHA256 LENGTH TIME
 *     objects URL check
 *     objects URL serve                 reads commands from its input, a line each, until its end;
 *                                       prints "= STATUS" after each
 *
 * Exits with 1 if the store fails, with its status and its sentence. STEADYCACHE_LARGE_TIMEOUT:
 * seconds; STEADYCACHE_LARGE_CA_FILE. OBJECTS_READ_RATE: bytes a second that `get` takes. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/large/object_store.h"
#include "backends/large/s3/s3.h"
#include "tests/support/object_run.h"

#define PAGE_MAX 1000

/* Waits for one request; prints why if it failed. */
static int await(struct object_store *store, struct object_request *request, object_start *start)
{
	if (object_run(store, start, request) == CACHE_OK)
		return 0;
	fprintf(stderr, "%s: %s\n", cache_status_name(request->status),
		request->detail ? request->detail : "-");
	return 1;
}

static void print_hash(FILE *out, const uint8_t sha256[SHA256_BYTES])
{
	for (size_t i = 0; i < SHA256_BYTES; i++)
		fprintf(out, "%02x", sha256[i]);
}

static void read_hash(const char *text, uint8_t ret[SHA256_BYTES])
{
	for (size_t i = 0; i < SHA256_BYTES; i++)
		if (sscanf(text + 2 * i, "%2hhx", &ret[i]) != 1)
			exit(2);
}

static int put(struct object_store *store, const char *path)
{
	struct object_request request = {.file = open(path, O_RDONLY | O_CLOEXEC)};
	int failed;

	if (request.file < 0)
		exit(2);
	object_hash_file(request.file, &request);
	failed = await(store, &request, store->ops->put);
	close(request.file);
	if (!failed) {
		print_hash(stdout, request.sha256);
		putchar('\n');
	}
	return failed;
}

/* Writes them, at the rate that it was told. */
static bool take(void *user, const char *bytes, size_t len)
{
	const char *rate = getenv("OBJECTS_READ_RATE");
	double seconds = rate ? (double)len / atof(rate) : 0;
	struct timespec pause = {.tv_sec = (time_t)seconds,
				 .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	(void)user;
	fwrite(bytes, 1, len, stdout);
	if (rate)
		nanosleep(&pause, NULL);
	return true;
}

static int get(struct object_store *store, const char *hash, uint64_t len, uint64_t offset,
	       uint64_t part)
{
	struct object_request request = {.len_bytes = len};
	const char *detail = NULL;
	enum cache_status status;

	read_hash(hash, request.sha256);
	if (await(store, &request, store->ops->open))
		return 1;
	status = object_read(request.body, offset, part, take, NULL, &detail);
	cache_body_release(request.body);
	if (status == CACHE_OK)
		return 0;
	fprintf(stderr, "%s: %s\n", cache_status_name(status), detail ? detail : "-");
	return 1;
}

static int list(struct object_store *store, size_t page)
{
	struct object_info objects[PAGE_MAX];
	struct object_request request = {.max = page, .objects = objects};

	do {
		if (await(store, &request, store->ops->list))
			return 1;
		for (size_t i = 0; i < request.object_count; i++) {
			print_hash(stdout, objects[i].sha256);
			printf(" %" PRIu64 " %" PRId64 "\n", objects[i].len_bytes,
			       objects[i].put_at_us / US_PER_S);
		}
	} while (!request.complete);
	return 0;
}

static int figures(struct object_store *store)
{
	struct backend_gauge gauges[BACKEND_GAUGES_MAX];
	size_t count = store->ops->gauges(store, gauges, BACKEND_GAUGES_MAX);

	for (size_t i = 0; i < count; i++)
		printf("%s %s %.0f\n", gauges[i].name, gauges[i].text ? gauges[i].text : "-",
		       gauges[i].value);
	return 0;
}

static int run(struct object_store *store, int argc, char **argv)
{
	struct object_request request = {0};

	if (argc == 2 && strcmp(argv[0], "put") == 0)
		return put(store, argv[1]);
	if (argc >= 3 && strcmp(argv[0], "get") == 0) {
		uint64_t len = strtoull(argv[2], NULL, 10);

		return argc == 5 ? get(store, argv[1], len, strtoull(argv[3], NULL, 10),
				       strtoull(argv[4], NULL, 10))
				 : get(store, argv[1], len, 0, len);
	}
	if (argc >= 2 && strcmp(argv[0], "remove") == 0) {
		read_hash(argv[1], request.sha256);
		request.put_before_us =
			argc > 2 ? strtoll(argv[2], NULL, 10) * US_PER_S : INT64_MAX;
		return await(store, &request, store->ops->remove);
	}
	if (strcmp(argv[0], "list") == 0)
		return list(store, argc > 1 ? strtoull(argv[1], NULL, 10) : PAGE_MAX);
	if (strcmp(argv[0], "check") == 0)
		return await(store, &request, store->ops->check);
	if (strcmp(argv[0], "figures") == 0)
		return figures(store);
	fprintf(stderr, "objects: no such command\n");
	return 2;
}

static int serve(struct object_store *store)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		char *words[8], *rest = NULL;
		int count = 0;

		for (char *word = strtok_r(line, " \n", &rest); word && count < 8;
		     word = strtok_r(NULL, " \n", &rest))
			words[count++] = word;
		if (count == 0)
			continue;
		printf("= %d\n", run(store, count, words));
		fflush(stdout);
		fflush(stderr);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *timeout = getenv("STEADYCACHE_LARGE_TIMEOUT");
	struct s3_config config = {
		.url = argc > 2 ? argv[1] : "",
		.access_key = getenv("STEADYCACHE_LARGE_ACCESS_KEY"),
		.secret_key = getenv("STEADYCACHE_LARGE_SECRET_KEY"),
		.ca_file = getenv("STEADYCACHE_LARGE_CA_FILE"),
		.timeout_us = timeout ? (int64_t)(atof(timeout) * (double)US_PER_S) : 0,
	};
	char error[512];
	struct object_store *store = s3_store_open(&config, error, sizeof(error));
	int failed;

	if (!store) {
		fprintf(stderr, "%s\n", error);
		return 2;
	}
	failed = strcmp(argv[2], "serve") == 0 ? serve(store) : run(store, argc - 2, argv + 2);
	store->ops->close(store);
	return failed;
}
