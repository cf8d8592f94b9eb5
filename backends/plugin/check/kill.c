#include "backends/plugin/check/kill.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS     8
#define BATCH      8
#define BODY_BYTES 3000

struct batch {
	char keys[BATCH][16], heads[BATCH][64], bodies[BATCH][BODY_BYTES];
	struct driver_change changes[BATCH];
};

/* All records of a batch have its number in head and body. */
static void make_batch(struct batch *batch, uint64_t number)
{
	for (unsigned i = 0; i < BATCH; i++) {
		memset(batch->heads[i], 'h', sizeof(batch->heads[i]));
		memset(batch->bodies[i], 'b', sizeof(batch->bodies[i]));
		memcpy(batch->heads[i], &number, sizeof(number));
		memcpy(batch->bodies[i] + (size_t)i * 100, &number, sizeof(number));
		int len = snprintf(batch->keys[i], sizeof(batch->keys[i]), "killed-%u", i);
		batch->changes[i] = (struct driver_change){
			.kind = DRIVER_PUT,
			.ns = SLICE("space"),
			.key = {batch->keys[i], (size_t)len},
			.head = {batch->heads[i], sizeof(batch->heads[i])},
			.body = {batch->bodies[i], sizeof(batch->bodies[i])},
		};
	}
}

/* In the child: applies batches, and writes the number of each that was acknowledged. */
static void write_on(struct plugin_check *check, uint64_t number, int acknowledged)
{
	struct batch *batch = malloc(sizeof(*batch));

	if (!batch || !plugin_records_open(check))
		_exit(2);
	for (;; number++) {
		make_batch(batch, number);
		if (check->ops->apply(check->driver, batch->changes, BATCH) != DRIVER_OK)
			_exit(3);
		if (write(acknowledged, &number, sizeof(number)) != sizeof(number))
			_exit(4);
	}
}

/* The last number that comes before the child is killed, `moment` after some have come; 0: it ended
 * by itself. */
static uint64_t kill_in_between(pid_t child, int acknowledged, unsigned round)
{
	struct timespec moment = {.tv_nsec = 700000L * round};
	uint64_t number = 0, last = 0;

	for (unsigned i = 0; i < 3; i++)
		if (read(acknowledged, &number, sizeof(number)) == sizeof(number))
			last = number;
	(void)nanosleep(&moment, NULL);
	(void)kill(child, SIGKILL);
	while (read(acknowledged, &number, sizeof(number)) == sizeof(number))
		last = number;
	return last;
}

/* ---- What is there then ---- */

struct found {
	uint64_t number; /* of the first record */
	unsigned count;
	bool differs;
};

static bool visit(void *user, struct slice ns, struct slice key, struct slice head,
		  uint64_t body_bytes)
{
	struct found *found = user;
	uint64_t number = 0;

	if (!slice_starts_with(key, SLICE("killed-")) || !slice_equal(ns, SLICE("space")))
		return true;
	if (head.len >= sizeof(number))
		memcpy(&number, head.data, sizeof(number));
	found->differs |= body_bytes != BODY_BYTES || head.len != 64 ||
			  (found->count > 0 && number != found->number);
	found->number = number;
	found->count++;
	return true;
}

static bool compare_bodies(struct plugin_check *check, uint64_t number)
{
	struct batch *batch = malloc(sizeof(*batch));
	bool is_right = batch != NULL;

	if (batch)
		make_batch(batch, number);
	for (unsigned i = 0; is_right && i < BATCH; i++)
		is_right =
			check->ops->get(check->driver, batch->changes[i].ns, batch->changes[i].key,
					check->room, BODY_BYTES) == DRIVER_OK &&
			memcmp(check->room, batch->bodies[i], BODY_BYTES) == 0;
	free(batch);
	return is_right ||
	       plugin_records_fail(check, "after a kill a body is not that of its head");
}

/* Opens what a killed process has left. */
static bool compare(struct plugin_check *check, uint64_t acknowledged)
{
	struct found found = {0};
	char error[300] = "";

	if (check->ops->open(&check->config, &check->driver, error, sizeof(error)) != DRIVER_OK) {
		check->driver = NULL;
		return plugin_records_fail(check, "open failed after a kill: %s", error);
	}
	enum driver_status status = check->ops->load(check->driver, visit, &found);
	if (!plugin_records_expect(check, "load after a kill", status, DRIVER_OK))
		return false;
	if (found.count != BATCH || found.differs)
		return plugin_records_fail(check,
					   "after a kill an apply was made in part (%u of %d "
					   "records, %s)",
					   found.count, BATCH,
					   found.differs ? "of several versions"
							 : "of one version");
	if (found.number < acknowledged)
		return plugin_records_fail(check, "after a kill an acknowledged apply is gone");
	return compare_bodies(check, found.number);
}

static bool run_round(struct plugin_check *check, unsigned round)
{
	uint64_t first = ((uint64_t)round + 1) * 1000000;
	int ends[2], status = 0;

	if (pipe(ends) != 0)
		return plugin_records_fail(check, "no pipe: %s", strerror(errno));
	(void)fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		(void)close(ends[0]);
		write_on(check, first, ends[1]);
	}
	(void)close(ends[1]);
	uint64_t last = child > 0 ? kill_in_between(child, ends[0], round) : 0;
	(void)close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return plugin_records_fail(check, "no process: %s", strerror(errno));
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL || last < first)
		return plugin_records_fail(check, "a process that was to be killed ended before");
	bool holds = compare(check, last);
	plugin_records_close(check);
	return holds;
}

bool plugin_kill_holds(struct plugin_check *check)
{
	for (unsigned round = 0; round < ROUNDS; round++)
		if (!run_round(check, round))
			return false;
	return true;
}
