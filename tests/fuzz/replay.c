/* Gives a fuzzer's entry the files of folders: what it found before, without libFuzzer.
 *
 * usage: PROGRAM FOLDER... */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay_file(const char *path)
{
	struct buffer bytes = {0};
	size_t got = 1;
	FILE *file = fopen(path, "rbe");

	if (!file)
		return false;
	while (got > 0 && buffer_reserve(&bytes, 65536)) {
		got = fread(bytes.data + bytes.len, 1, 65536, file);
		bytes.len += got;
	}
	(void)fclose(file);
	/* In a block that ends where the bytes do, so that ASan sees reads beyond. */
	uint8_t *exact = malloc(bytes.len ? bytes.len : 1);
	if (exact) {
		if (bytes.len)
			memcpy(exact, bytes.data, bytes.len);
		(void)LLVMFuzzerTestOneInput(exact, bytes.len);
	}
	free(exact);
	buffer_deinit(&bytes);
	return exact;
}

static size_t replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir))) { // NOLINT(concurrency-mt-unsafe): one thread
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		(void)fprintf(stderr, "%s\n", path); /* the last one is at fault if it ends here */
		count += replay_file(path);
	}
	if (dir)
		(void)closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_folder(argv[i]);
	(void)printf("%zu files\n", count);
	return count == 0;
}
