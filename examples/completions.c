/* Many requests in flight at once, on one thread, with completions.
 *
 *     cc -o completions completions.c -pthread $(pkg-config --cflags --libs steadycache)
 *     ./completions sqlite://./squares 1000
 *
 * It sets 1000 entries, and gets each of them as soon as it is stored: a request is used again in
 * its own completion. A store on a disk or behind a network does many at a time; what waits for
 * nothing is done before steadycache_submit() returns. The file compiles as C++, too. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <steadycache/steadycache.h>

struct task {
	struct steadycache_request request;
	struct steadycache_item item;
	char key[24], value[24];
};

/* Completions come on threads of the store. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned left, failures;
} tasks = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void finish(struct task *task, int is_right)
{
	(void)pthread_mutex_lock(&tasks.lock);
	if (!is_right) {
		(void)fprintf(stderr, "completions: %s: %s\n", task->key, task->request.sentence);
		tasks.failures++;
	}
	if (--tasks.left == 0)
		(void)pthread_cond_signal(&tasks.changed);
	(void)pthread_mutex_unlock(&tasks.lock);
	free(task);
}

static void got(struct steadycache_request *request)
{
	struct task *task = (struct task *)request->user;
	const struct steadycache_value *value = task->item.found;
	size_t len = strlen(task->value);
	int is_right = value != NULL && steadycache_value_len(value) == len &&
		       memcmp(steadycache_value_data(value), task->value, len) == 0;

	steadycache_request_deinit(request);
	finish(task, is_right);
}

static struct steadycache *store;

static void was_set(struct steadycache_request *request)
{
	struct task *task = (struct task *)request->user;

	if (request->status != STEADYCACHE_OK) {
		finish(task, 0);
		return;
	}
	request->type = STEADYCACHE_GET;
	request->done = got;
	(void)steadycache_submit(store, request);
}

static int start(unsigned long number)
{
	struct task *task = (struct task *)calloc(1, sizeof(*task));

	if (!task)
		return 0;
	(void)snprintf(task->key, sizeof(task->key), "%lu", number);
	(void)snprintf(task->value, sizeof(task->value), "%lu", number * number);
	task->item.key = task->key;
	task->item.key_len = strlen(task->key);
	task->item.value = task->value;
	task->item.value_len = strlen(task->value);
	steadycache_request_init(&task->request, sizeof(task->request), STEADYCACHE_SET);
	task->request.ns = "squares";
	task->request.items = &task->item;
	task->request.item_count = 1;
	task->request.done = was_set;
	task->request.user = task;
	(void)pthread_mutex_lock(&tasks.lock);
	tasks.left++;
	(void)pthread_mutex_unlock(&tasks.lock);
	(void)steadycache_submit(store, &task->request);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		(void)fprintf(stderr, "usage: completions URL COUNT\n");
		return 2;
	}
	if (steadycache_open(argv[1], NULL, &store) != STEADYCACHE_OK) {
		(void)fprintf(stderr, "completions: %s\n", steadycache_error());
		return EXIT_FAILURE;
	}
	unsigned long count = strtoul(argv[2], NULL, 10);
	for (unsigned long i = 0; i < count; i++)
		if (!start(i))
			return EXIT_FAILURE;
	(void)pthread_mutex_lock(&tasks.lock);
	while (tasks.left > 0)
		(void)pthread_cond_wait(&tasks.changed, &tasks.lock);
	(void)pthread_mutex_unlock(&tasks.lock);
	(void)steadycache_close(store);
	(void)printf("%lu set and read, %u failures\n", count, tasks.failures);
	return tasks.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
