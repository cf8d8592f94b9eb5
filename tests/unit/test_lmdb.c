/* The driver over LMDB (plugins/lmdb), through driver.h: what it stores is compared with memory
 * over re-openings, lost power and a full store. The library has few bits of the hash of long
 * names, so that they collide, and takes the number of the boot from the file "boot_id". */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <steadycache/driver.h>

#include "base/slice.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

#define NAMES      60
#define LONG_BYTES 1500
#define BODY_MAX   100000

/* What a record should be. The bytes of its body are those of `seed`. */
struct expected {
	bool exists;
	size_t head_len, body_len;
	uint64_t seed, head_seed;
};

static const struct driver_ops *ops;
static struct driver *driver;
static struct temp_dir dir;
static char error[600], notices[4000];
static struct expected model[NAMES];

static void keep_notice(void *user, enum driver_notice level, const char *sentence)
{
	(void)user;
	(void)level;
	(void)strncat(notices, sentence, sizeof(notices) - strlen(notices) - 1);
}

static enum driver_status try_open(const char *settings, enum driver_durability durability)
{
	struct driver_config config = {
		.size = sizeof(config),
		.data_dir = ".",
		.settings = settings,
		.durability = durability,
		.notice = keep_notice,
	};

	error[0] = '\0';
	return ops->open(&config, &driver, error, sizeof(error));
}

static void open_driver(const char *settings)
{
	cr_assert_eq(try_open(settings, DRIVER_SURVIVES_PROCESS), DRIVER_OK, "%s", error);
}

static void close_driver(void)
{
	ops->close(driver);
	driver = NULL;
}

static void set_boot(const char *number)
{
	file_write("boot_id", slice_of(number));
}

static void set_up(void)
{
	void *library = dlopen(STEADYCACHE_LMDB_FOR_TESTS, RTLD_NOW | RTLD_LOCAL);
	driver_entry *entry;

	cr_assert(library, "%s", dlerror());
	void *symbol = dlsym(library, DRIVER_ENTRY);
	memcpy(&entry, &symbol, sizeof(entry));
	ops = entry(DRIVER_ABI);
	temp_dir_create(&dir);
	cr_assert_eq(chdir(dir.path), 0);
	set_boot("one");
}

static void tear_down(void)
{
	if (driver)
		close_driver();
	cr_assert_eq(chdir("/"), 0);
	temp_dir_destroy(&dir);
}

TestSuite(lmdb, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- Calls that fail ---- */

/* LMDB and the driver call these instead of the C library's, whose names are macros here. */
enum {
	WRITES = 1,
	SYNCS = 2,
	ALLOCATES = 4,
	MAPS = 8,
	MARKS = 16, /* writes of "checkpoint" */
	LENGTHS = 32
};
static atomic_uint failing;  /* which of them */
static atomic_int until;     /* how many are made before one fails */
static atomic_bool for_good; /* and all later ones */
static int failing_error;

static bool fails(unsigned kind)
{
	if (!(atomic_load(&failing) & kind))
		return false;
	int left = atomic_fetch_sub(&until, 1);
	if (left != 0 && !(left < 0 && atomic_load(&for_good)))
		return false;
	errno = failing_error;
	return true;
}

#define IN_PLACE_OF(name) __asm__(#name) __attribute__((visibility("default")))

ssize_t test_pwrite(int fd, const void *bytes, size_t len, off_t at) IN_PLACE_OF(pwrite);
ssize_t test_writev(int fd, const struct iovec *parts, int count) IN_PLACE_OF(writev);
int test_fdatasync(int fd) IN_PLACE_OF(fdatasync);
int test_fallocate(int fd, int mode, off_t at, off_t len) IN_PLACE_OF(fallocate);
int test_ftruncate(int fd, off_t len) IN_PLACE_OF(ftruncate);
void *test_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
	IN_PLACE_OF(mmap);

ssize_t test_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	bool is_mark = len > 4096 && len % 4096 != 0;

	return fails(is_mark ? WRITES | MARKS : WRITES) ? -1
							: syscall(SYS_pwrite64, fd, bytes, len, at);
}

ssize_t test_writev(int fd, const struct iovec *parts, int count)
{
	return fails(WRITES) ? -1 : syscall(SYS_writev, fd, parts, count);
}

int test_fdatasync(int fd)
{
	return fails(SYNCS) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int test_fallocate(int fd, int mode, off_t at, off_t len)
{
	return fails(ALLOCATES) ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, len);
}

int test_ftruncate(int fd, off_t len)
{
	return fails(LENGTHS) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

void *test_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	if (fd >= 0 && fails(MAPS))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
}

static void arm(unsigned kinds, int code, int number)
{
	failing_error = code;
	atomic_store(&until, number);
	atomic_store(&failing, kinds);
}

/* Whether one has failed. */
static bool disarm(void)
{
	return atomic_exchange(&failing, 0) != 0 && atomic_load(&until) < 0;
}

/* ---- Records ---- */

/* Every third key is too long for LMDB, and most of those differ in their last byte only. */
static struct slice key_of(size_t index)
{
	static char keys[NAMES][LONG_BYTES + 1];
	size_t len = index % 3 == 0 ? LONG_BYTES - index % 2 : index == 1 ? 0 : 500 + index;

	memset(keys[index], 'k', sizeof(keys[index]));
	if (len > 0)
		keys[index][len - 1] = (char)index;
	return (struct slice){keys[index], len};
}

static struct slice ns_of(size_t index)
{
	return index % 7 == 0 ? SLICE("")
	       : index % 2    ? SLICE("a")
			      : SLICE("a-name-space.of_32_characters...");
}

static struct slice bytes_of(char *room, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		room[i] = (char)(seed * 31 + i * (seed % 13 + 1));
	return (struct slice){room, len};
}

static struct slice head_of(const struct expected *record, char room[DRIVER_HEAD_MAX_BYTES])
{
	return bytes_of(room, record->head_len, record->head_seed);
}

static bool holds(size_t index)
{
	static char expected[BODY_MAX], room[BODY_MAX];
	const struct expected *record = &model[index];
	enum driver_status status =
		ops->get(driver, ns_of(index), key_of(index), room, record->body_len);

	if (!record->exists)
		return status == DRIVER_NOT_FOUND;
	(void)bytes_of(expected, record->body_len, record->seed);
	return status == DRIVER_OK && memcmp(room, expected, record->body_len) == 0;
}

struct visited {
	size_t counts[NAMES];
};

static bool compare(void *user, struct slice ns, struct slice key, struct slice head,
		    uint64_t body_len)
{
	struct visited *visited = user;
	char room[DRIVER_HEAD_MAX_BYTES];
	size_t i = 0;

	while (i < NAMES && !(slice_equal(ns, ns_of(i)) && slice_equal(key, key_of(i))))
		i++;
	cr_assert_lt(i, NAMES, "a name that nobody stored");
	visited->counts[i]++;
	cr_assert(model[i].exists, "%zu was removed", i);
	cr_assert_eq(model[i].body_len, body_len);
	cr_assert(slice_equal(head, head_of(&model[i], room)), "head of %zu", i);
	return true;
}

static void expect_all(void)
{
	struct visited visited = {0};

	cr_assert_eq(ops->load(driver, compare, &visited), DRIVER_OK);
	for (size_t i = 0; i < NAMES; i++) {
		cr_assert_eq(visited.counts[i], model[i].exists, "%zu", i);
		cr_assert(holds(i), "%zu", i);
	}
}

#define CHANGES_MAX 12

/* An apply of a few changes, some of the same name. The model has them, whatever it answers. */
static enum driver_status try_to_change(void)
{
	static const size_t lengths[] = {0, 1, 255, 256, 257, 4080, 4081, 8160, 20000, BODY_MAX};
	static char bodies[CHANGES_MAX][BODY_MAX], heads[CHANGES_MAX][DRIVER_HEAD_MAX_BYTES];
	struct driver_change changes[CHANGES_MAX] = {0};
	size_t count = 1 + random_below(CHANGES_MAX);

	for (size_t i = 0; i < count; i++) {
		size_t index = random_below(NAMES);
		struct expected *record = &model[index];
		struct driver_change *change = &changes[i];

		change->ns = ns_of(index);
		change->key = key_of(index);
		change->kind = random_below(10) < 6   ? DRIVER_PUT
			       : random_below(2) == 0 ? DRIVER_USE
						      : DRIVER_REMOVE;
		if (change->kind == DRIVER_USE && !record->exists)
			change->kind = DRIVER_REMOVE;
		if (change->kind == DRIVER_PUT) {
			record->exists = true;
			record->head_len = random_below(DRIVER_HEAD_MAX_BYTES + 1);
			record->body_len = lengths[random_below(10)];
			record->seed = random_below(1 << 20);
			change->body = bytes_of(bodies[i], record->body_len, record->seed);
		} else if (change->kind == DRIVER_REMOVE) {
			*record = (struct expected){0};
			continue;
		}
		record->head_seed = random_below(1 << 20);
		change->head = head_of(record, heads[i]);
	}
	return ops->apply(driver, changes, count);
}

static void change_some(void)
{
	cr_assert_eq(try_to_change(), DRIVER_OK);
}

Test(lmdb, holds_what_memory_holds)
{
	for (unsigned round = 0; round < 6; round++) {
		cr_assert_eq(
			try_open(NULL, round % 2 ? DRIVER_SURVIVES_POWER : DRIVER_SURVIVES_PROCESS),
			DRIVER_OK, "%s", error);
		expect_all();
		for (unsigned i = 0; i < 100; i++) {
			change_some();
			cr_assert(holds(random_below(NAMES)));
			if (i % 40 == 20)
				cr_assert_eq(ops->sync(driver), DRIVER_OK);
		}
		expect_all();
		close_driver();
	}
}

/* ---- Lost power ---- */

struct file {
	char *bytes;
	size_t len;
};

static struct file read_whole(const char *path)
{
	struct file file;

	file.bytes = file_read(path, &file.len);
	cr_assert(file.bytes);
	return file;
}

/* Of each page of the file at the second moment the disk has what it had at the first, or not. */
static void lose_some(const struct file *first, struct file *second)
{
	for (size_t at = 0; at < second->len; at += 4096) {
		if (random_below(2) == 0)
			continue;
		if (at < first->len)
			memcpy(second->bytes + at, first->bytes + at, 4096);
		else
			memset(second->bytes + at, 0, 4096);
	}
}

static bool is_same_file(const struct file *a, const struct file *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Changes after a checkpoint, of which the disk has some pages. False: another checkpoint was made
 * meanwhile. */
static bool lose_power(bool keeps_boot)
{
	struct expected before[NAMES], after[NAMES];

	open_driver(NULL);
	for (unsigned i = 0; i < 30; i++)
		change_some();
	cr_assert_eq(ops->sync(driver), DRIVER_OK);
	memcpy(before, model, sizeof(model));
	struct file data = read_whole("lmdb/data.mdb"), mark = read_whole("lmdb/checkpoint");
	for (unsigned i = 0; i < 30; i++)
		change_some();
	memcpy(after, model, sizeof(model));
	struct file later = read_whole("lmdb/data.mdb"), mark_later = read_whole("lmdb/checkpoint");
	close_driver();
	bool is_one = is_same_file(&mark, &mark_later);
	if (is_one) {
		if (!keeps_boot)
			lose_some(&data, &later);
		file_write("lmdb/data.mdb", (struct slice){later.bytes, later.len});
		file_write("lmdb/checkpoint", (struct slice){mark.bytes, mark.len});
		set_boot(keeps_boot ? "one" : "two");
		notices[0] = '\0';
		open_driver(NULL);
		memcpy(model, keeps_boot ? after : before, sizeof(model));
		expect_all();
		cr_expect_eq(strstr(notices, "the machine went down") != NULL, !keeps_boot, "%s",
			     notices);
		close_driver();
		set_boot("one");
	}
	free(data.bytes);
	free(mark.bytes);
	free(later.bytes);
	free(mark_later.bytes);
	return is_one;
}

Test(lmdb, has_the_last_checkpoint_after_lost_power)
{
	unsigned made = 0;

	for (unsigned i = 0; i < 20 && made < 5; i++)
		made += lose_power(false);
	cr_assert_eq(made, 5);
}

Test(lmdb, loses_nothing_when_only_the_process_ended)
{
	bool is_made = false;

	for (unsigned i = 0; i < 5 && !is_made; i++)
		is_made = lose_power(true);
	cr_assert(is_made);
}

Test(lmdb, refuses_another_file_after_lost_power)
{
	open_driver(NULL);
	change_some();
	struct file mark = read_whole("lmdb/checkpoint"), data;
	close_driver();
	data = read_whole("lmdb/data.mdb");
	file_write("lmdb/copy", (struct slice){data.bytes, data.len});
	cr_assert_eq(rename("lmdb/copy", "lmdb/data.mdb"), 0);
	file_write("lmdb/checkpoint", (struct slice){mark.bytes, mark.len});
	set_boot("two");
	cr_expect_eq(try_open(NULL, DRIVER_SURVIVES_PROCESS), DRIVER_CORRUPT);
	cr_expect(strstr(error, "is another file"), "%s", error);
	cr_assert_eq(remove("lmdb/checkpoint"), 0);
	open_driver(NULL);
	expect_all();
	free(mark.bytes);
	free(data.bytes);
}

/* ---- Failures ---- */

static bool holds_all(void)
{
	bool holds_them = true;

	for (size_t i = 0; i < NAMES; i++)
		holds_them &= holds(i);
	return holds_them;
}

/* An apply whose call of that number fails: all of it is made, or nothing. Afterwards changes can
 * be made again, at the latest once the driver was opened again. */
static bool fail_once(unsigned kinds, int code, int number, enum driver_durability durability)
{
	struct expected before[NAMES];

	memcpy(before, model, sizeof(model));
	arm(kinds, code, number);
	enum driver_status status = try_to_change();
	bool has_failed = disarm();
	/* Made, but perhaps not on the disk. */
	cr_assert(status != DRIVER_UNKNOWN || durability == DRIVER_SURVIVES_POWER);
	if (status != DRIVER_OK && status != DRIVER_UNKNOWN)
		memcpy(model, before, sizeof(model));
	cr_assert(has_failed || status == DRIVER_OK, "%d", status);
	struct expected after[NAMES];
	memcpy(after, model, sizeof(model));
	status = try_to_change();
	if (status != DRIVER_OK) {
		char detail[300];

		cr_assert_eq(status, DRIVER_UNAVAILABLE);
		cr_assert_neq(ops->check(driver, detail, sizeof(detail)), DRIVER_OK);
		memcpy(model, after, sizeof(model));
		close_driver();
		cr_assert_eq(try_open(NULL, durability), DRIVER_OK, "%s", error);
		change_some();
	}
	cr_assert(holds_all(), "call %d of 0x%x", number, kinds);
	return has_failed;
}

static void fail_each(unsigned kinds, int code, enum driver_durability durability)
{
	unsigned failures = 0;

	cr_assert_eq(try_open(NULL, durability), DRIVER_OK, "%s", error);
	for (unsigned i = 0; i < 5; i++)
		change_some();
	for (int number = 0; number < 8; number++)
		for (int i = 0; i < 2; i++)
			failures += fail_once(kinds, code, number, durability);
	cr_assert_gt(failures, 1);
	expect_all();
	close_driver();
	cr_assert_eq(try_open(NULL, durability), DRIVER_OK, "%s", error);
	expect_all();
	close_driver();
}

Test(lmdb, makes_all_changes_or_none_if_a_write_fails)
{
	fail_each(WRITES, EIO, DRIVER_SURVIVES_PROCESS);
	fail_each(WRITES, ENOSPC, DRIVER_SURVIVES_PROCESS);
	fail_each(WRITES, EIO, DRIVER_SURVIVES_POWER);
}

Test(lmdb, makes_all_changes_or_none_if_a_sync_fails)
{
	fail_each(SYNCS, EIO, DRIVER_SURVIVES_POWER);
}

Test(lmdb, stops_if_a_checkpoint_fails)
{
	char detail[300];

	open_driver(NULL);
	change_some();
	arm(SYNCS, EIO, 0);
	cr_assert_eq(ops->sync(driver), DRIVER_UNAVAILABLE);
	cr_assert(disarm());
	expect_all();
	struct driver_change change = {.kind = DRIVER_REMOVE, .key = SLICE("k")};
	cr_expect_eq(ops->apply(driver, &change, 1), DRIVER_UNAVAILABLE);
	cr_expect_eq(ops->sync(driver), DRIVER_UNAVAILABLE);
	cr_expect_eq(ops->check(driver, detail, sizeof(detail)), DRIVER_UNAVAILABLE);
	cr_expect(strstr(detail, "cannot be synced"), "%s", detail);
	cr_expect(strstr(notices, "nothing is stored until"), "%s", notices);
	close_driver();
	open_driver(NULL);
	expect_all();
	change_some();
}

/* ---- A full store ---- */

static enum driver_status put_large(unsigned number)
{
	static char body[BODY_MAX];
	char key[16];
	struct driver_change change = {.kind = DRIVER_PUT, .ns = SLICE("n"), .head = SLICE("h")};

	(void)snprintf(key, sizeof(key), "k%u", number);
	change.key = slice_of(key);
	change.body = bytes_of(body, sizeof(body), number);
	return ops->apply(driver, &change, 1);
}

static enum driver_status remove_large(unsigned number)
{
	char key[16];
	struct driver_change change = {.kind = DRIVER_REMOVE, .ns = SLICE("n")};

	(void)snprintf(key, sizeof(key), "k%u", number);
	change.key = slice_of(key);
	return ops->apply(driver, &change, 1);
}

static void expect_large(unsigned number)
{
	static char body[BODY_MAX], room[BODY_MAX];
	char key[16];

	(void)snprintf(key, sizeof(key), "k%u", number);
	(void)bytes_of(body, sizeof(body), number);
	cr_assert_eq(ops->get(driver, SLICE("n"), slice_of(key), room, sizeof(room)), DRIVER_OK);
	cr_assert_eq(memcmp(body, room, sizeof(body)), 0);
}

/* The map of a new store is 64 MiB. */
Test(lmdb, opens_the_file_again_if_its_map_cannot_grow)
{
	unsigned count = 0;

	open_driver(NULL);
	arm(MAPS, ENOMEM, 0);
	enum driver_status status;
	while ((status = put_large(count)) == DRIVER_OK)
		cr_assert_lt(count++, 1000);
	cr_expect(disarm());
	cr_expect_eq(status, DRIVER_UNAVAILABLE);
	cr_expect_eq(ops->get(driver, SLICE("n"), SLICE("k0"), NULL, 0), DRIVER_UNAVAILABLE);
	cr_expect_eq(put_large(count), DRIVER_OK);
	for (unsigned i = 0; i <= count; i++)
		expect_large(i);
}

/* A larger map needs a checkpoint. */
Test(lmdb, changes_nothing_without_a_checkpoint)
{
	unsigned count = 0;

	open_driver(NULL);
	atomic_store(&for_good, true);
	arm(MARKS, EIO, 0);
	enum driver_status status;
	while ((status = put_large(count)) == DRIVER_OK)
		cr_assert_lt(count++, 1000);
	cr_expect_eq(status, DRIVER_UNAVAILABLE);
	cr_expect_eq(put_large(count), DRIVER_UNAVAILABLE);
	cr_expect_eq(ops->sync(driver), DRIVER_UNAVAILABLE);
	expect_large(0);
	cr_expect(disarm());
	cr_expect_eq(put_large(count), DRIVER_OK);
	cr_expect_eq(ops->sync(driver), DRIVER_OK);
	for (unsigned i = 0; i <= count; i++)
		expect_large(i);
}

Test(lmdb, has_room_again_on_a_disk_that_was_full)
{
	char detail[300];

	open_driver(NULL);
	atomic_store(&for_good, true);
	arm(ALLOCATES, ENOSPC, 2);
	unsigned count = 0;
	while (put_large(count) == DRIVER_OK && count < 100)
		count++;
	cr_expect_gt(count, 0);
	cr_expect_lt(count, 100);
	cr_expect_eq(put_large(count), DRIVER_NO_SPACE);
	cr_expect_eq(remove_large(0), DRIVER_OK);
	(void)disarm();
	cr_expect_eq(put_large(0), DRIVER_OK);
	cr_expect_eq(ops->check(driver, detail, sizeof(detail)), DRIVER_OK);
}

Test(lmdb, stays_below_its_limit_and_has_room_again)
{
	char detail[300];
	unsigned count = 0;

	open_driver("max_size_mb=16");
	while (put_large(count) == DRIVER_OK)
		count++;
	cr_expect(count > 100 && count < 168, "%u", count);
	cr_expect_eq(put_large(count), DRIVER_NO_SPACE);
	cr_expect_leq(file_size("lmdb/data.mdb"), 16 << 20);
	cr_expect_eq(ops->check(driver, detail, sizeof(detail)), DRIVER_NO_SPACE);
	cr_expect(strstr(detail, "max_size_mb"), "%s", detail);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 30; i++)
			cr_assert_eq(remove_large(i), DRIVER_OK);
		cr_expect_eq(ops->check(driver, detail, sizeof(detail)), DRIVER_OK);
		for (unsigned i = 0; i < 30; i++)
			cr_assert_eq(put_large(i), DRIVER_OK, "%u in round %u", i, round);
		for (unsigned i = 0; i < count; i++)
			expect_large(i);
	}
	cr_expect_leq(file_size("lmdb/data.mdb"), 24 << 20, "removals have 8 MiB more");
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(remove_large(i), DRIVER_OK);
	close_driver();
	/* A limit below what is stored already. */
	open_driver(NULL);
	for (unsigned i = 0; i < 300; i++)
		cr_assert_eq(put_large(i), DRIVER_OK);
	close_driver();
	open_driver("max_size_mb=16");
	off_t size = file_size("lmdb/data.mdb");
	for (count = 300; put_large(count) == DRIVER_OK; count++)
		cr_assert_lt(count, 500);
	cr_expect_leq(file_size("lmdb/data.mdb"), size + (1 << 20));
	for (unsigned i = 0; i < 200; i++)
		cr_assert_eq(remove_large(i), DRIVER_OK);
	cr_expect_eq(put_large(count), DRIVER_OK);
	expect_large(299);
}

/* ---- What is not opened ---- */

static void expect_refusal(const char *settings, enum driver_status status, const char *words)
{
	cr_expect_eq(try_open(settings, DRIVER_SURVIVES_PROCESS), status, "%s", error);
	cr_expect(strstr(error, words), "%s", error);
}

Test(lmdb, refuses_settings_that_it_does_not_know)
{
	expect_refusal("max_size=3", DRIVER_UNAVAILABLE, "no option \"max_size\"");
	expect_refusal("max_size_mb=15", DRIVER_UNAVAILABLE, "from 16 on");
	expect_refusal("max_size_mb=16x", DRIVER_UNAVAILABLE, "whole number");
	expect_refusal("max_size_mb", DRIVER_UNAVAILABLE, "whole number");
	expect_refusal("max_size_mb=99999999999999999999", DRIVER_UNAVAILABLE, "whole number");
	cr_expect_eq(folder_count(".", "lmdb", NULL), 0);
	open_driver("max_size_mb=100&max_size_mb=200");
}

Test(lmdb, refuses_a_store_that_is_open)
{
	struct driver *first;

	open_driver(NULL);
	first = driver;
	expect_refusal(NULL, DRIVER_UNAVAILABLE, "in use");
	driver = first;
}

Test(lmdb, stores_nothing_in_a_file_that_was_removed)
{
	char detail[600];

	open_driver(NULL);
	cr_assert_eq(put_large(0), DRIVER_OK);
	cr_assert_eq(rename("lmdb/data.mdb", "lmdb/away"), 0);
	cr_expect_eq(put_large(1), DRIVER_UNAVAILABLE);
	cr_expect_eq(ops->check(driver, detail, sizeof(detail)), DRIVER_UNAVAILABLE);
	cr_expect(strstr(detail, "was removed or replaced"), "%s", detail);
	expect_large(0);
	cr_assert_eq(rename("lmdb/away", "lmdb/data.mdb"), 0);
	cr_expect_eq(put_large(1), DRIVER_OK);
}

Test(lmdb, refuses_a_damaged_file)
{
	open_driver(NULL);
	while (file_size("lmdb/data.mdb") < 1 << 20)
		change_some();
	close_driver();
	cr_assert_eq(truncate("lmdb/data.mdb", 300000), 0);
	expect_refusal(NULL, DRIVER_CORRUPT, "is cut: it has 300000 of ");
	file_write("lmdb/data.mdb", SLICE("no database at all"));
	expect_refusal(NULL, DRIVER_CORRUPT, "is damaged, or of another program");
}

/* Another program's, with one record. */
/* LMDB does not write pages that one transaction takes and gives back, also at the end of the file.
 * If the process ends before the file has its length, the next open gives it that. */
Test(lmdb, takes_no_file_for_cut_that_lacks_free_pages)
{
	static char body[20000];
	unsigned count = 0;
	char detail[600];

	cr_assert_eq(try_open(NULL, DRIVER_SURVIVES_POWER), DRIVER_OK, "%s", error);
	for (unsigned i = 0; i < 200; i++) {
		char key[16];
		struct driver_change changes[3] = {
			{.kind = DRIVER_PUT, .ns = SLICE("n"), .head = SLICE("h")},
			{.kind = DRIVER_PUT, .ns = SLICE("n"), .head = SLICE("h")},
			{.kind = DRIVER_REMOVE, .ns = SLICE("n"), .key = SLICE("gone")},
		};

		(void)snprintf(key, sizeof(key), "key%u", i);
		changes[0].key = slice_of(key);
		changes[0].body = (struct slice){body, i % 3 * 3000};
		changes[1].key = SLICE("gone");
		changes[1].body = (struct slice){body, i * 97 % sizeof(body)};
		arm(i % 2 ? LENGTHS : 0, EIO, 0);
		cr_assert_eq(ops->apply(driver, changes, 3), DRIVER_OK);
		if (disarm()) {
			close_driver();
			cr_assert_eq(try_open(NULL, DRIVER_SURVIVES_POWER), DRIVER_OK, "%s", error);
			count++;
		}
		cr_assert_eq(ops->check(driver, detail, sizeof(detail)), DRIVER_OK, "%s", detail);
	}
	cr_expect_gt(count, 0, "no apply has left such pages");
}

static void write_foreign(const char *key_text, const char *data_text)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi table;
	MDB_val key = {strlen(key_text), (void *)(uintptr_t)key_text};
	MDB_val data = {strlen(data_text), (void *)(uintptr_t)data_text};

	(void)mkdir("lmdb", 0700);
	cr_assert_eq(mdb_env_create(&env), 0);
	cr_assert_eq(mdb_env_open(env, "lmdb", 0, 0600), 0);
	cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	cr_assert_eq(mdb_dbi_open(txn, NULL, 0, &table), 0);
	cr_assert_eq(mdb_put(txn, table, &key, &data, 0), 0);
	cr_assert_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

Test(lmdb, refuses_what_another_program_or_a_later_version_has_written)
{
	write_foreign("key", "data");
	expect_refusal(NULL, DRIVER_CORRUPT, "of another program");
	write_foreign("format", "steadycache-lmdb 2");
	expect_refusal(NULL, DRIVER_CORRUPT, "by a later version");
}
