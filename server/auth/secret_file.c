#include "server/auth/secret_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRETS_MAX      8
#define SECRET_MAX_BYTES 4096

static char secrets[SECRETS_MAX][SECRET_MAX_BYTES];
static const char *paths[SECRETS_MAX]; /* the files that they were read from */
static size_t secret_count;

bool secret_file_read(const char *name, const char **ret, char *error, size_t error_size)
{
	char variable[96];

	*ret = NULL;
	(void)snprintf(variable, sizeof(variable), "%s_FILE", name);
	const char *path = getenv(variable);
	if (!path || *path == '\0')
		return true;
	if (secret_count == SECRETS_MAX) {
		(void)snprintf(error, error_size, "too many secrets (%s)", variable);
		return false;
	}
	char *line = secrets[secret_count];
	FILE *file = fopen(path, "re");
	bool is_read = file && fgets(line, SECRET_MAX_BYTES, file);
	const char *problem = strerror(errno);
	if (file) {
		problem = ferror(file) ? problem : "it is empty";
		(void)fclose(file);
	}
	if (is_read) {
		size_t len = strcspn(line, "\r\n");

		problem = len == 0                      ? "its first line is empty"
			  : len == SECRET_MAX_BYTES - 1 ? "its first line is too long"
							: NULL;
		line[len] = '\0';
	}
	if (problem) {
		(void)snprintf(error, error_size, "cannot read a secret from %s: %s (%s)", path,
			       problem, variable);
		return false;
	}
	paths[secret_count++] = path;
	*ret = line;
	return true;
}

const char *secret_file_path(const char *secret)
{
	for (size_t i = 0; i < secret_count; i++)
		if (secret == secrets[i])
			return paths[i];
	return NULL;
}
