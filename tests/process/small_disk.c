#include "tests/process/small_disk.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

void mount_small_disk(void)
{
	char options[32];

	cr_assert_eq(mkdir(scene.data_dir, 0700), 0);
	(void)snprintf(options, sizeof(options), "size=%dm", DISK_MB);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", scene.data_dir, "tmpfs", 0, options) != 0)
		cr_skip("this test mounts a small file system, which is not allowed here: %s",
			strerror(errno));
}

static char value[LARGE_BYTES];

const struct http_answer *put_large(int number)
{
	char target[64];

	(void)snprintf(target, sizeof(target), "/cache/ns/k%d", number);
	memset(value, 'a' + number % 26, LARGE_BYTES);
	return http_put(scene.client, target, ((struct slice){value, LARGE_BYTES}));
}

void expect_large(int number)
{
	char key[64];
	const struct http_answer *answer;

	(void)snprintf(key, sizeof(key), "k%d", number);
	answer = scene_get(key);
	expect_status(answer, 200);
	memset(value, 'a' + number % 26, LARGE_BYTES);
	cr_assert(answer->len == LARGE_BYTES && memcmp(answer->body, value, answer->len) == 0,
		  "k%d came back changed", number);
}

int fill_disk(void)
{
	const struct http_answer *answer;

	for (int i = 0; i < 2 * DISK_MB * 16; i++) {
		answer = put_large(i);
		if (answer->status == 201)
			continue;
		expect_status(answer, 507);
		expect_header(answer, "Content-Type", "application/problem+json");
		return i;
	}
	cr_assert(false, "a disk of %d MB took %d MB", DISK_MB, 2 * DISK_MB);
	return 0;
}

void take_all_space(const char *path)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	setbuf(file, NULL);
	memset(value, 'x', LARGE_BYTES);
	for (size_t len = LARGE_BYTES; len > 0; len /= 2)
		while (fwrite(value, len, 1, file) == 1)
			;
	cr_assert_eq(errno, ENOSPC);
	(void)fclose(file);
}

void write_path(char ret[TEMP_PATH_SIZE + 32], const char *name)
{
	(void)snprintf(ret, TEMP_PATH_SIZE + 32, "%s/%s", scene.data_dir, name);
}
