#include "client/remote_open.h"

#include <errno.h>
#include <stdlib.h>

#include "client/arguments.h"
#include "client/output.h"

#define DEFAULT_URL   "http://127.0.0.1:8080"
#define TIMEOUT_MAX_S 86400
#define KEY_MAX_BYTES 8192

static const char *setting(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

/* Reads the first line of the file `path` into `ret`. */
static bool read_key_file(const char *path, char ret[KEY_MAX_BYTES])
{
	FILE *file = fopen(path, "re");
	bool is_read = file && fgets(ret, KEY_MAX_BYTES, file);
	int error = errno;

	if (file)
		(void)fclose(file);
	if (!is_read)
		return client_fail(0, "cannot read a token from %s (STEADYCACHE_API_KEY_FILE): %s",
				   path, file ? "it is empty" : strerror(error)),
		       false;
	ret[strcspn(ret, "\r\n")] = '\0';
	return true;
}

static bool read_key(struct remote *remote)
{
	const char *key = setting("STEADYCACHE_API_KEY");
	const char *path = setting("STEADYCACHE_API_KEY_FILE");
	char line[KEY_MAX_BYTES] = "";

	if (!key && path) {
		if (!read_key_file(path, line))
			return false;
		key = line;
	}
	if (!key)
		return true;
	/* The first of several keys, which a server's file may have. */
	size_t len = strcspn(key, "\r\n");
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)key[i] < ' ')
			return client_fail(0, "the token (STEADYCACHE_API_KEY) holds a control "
					      "character"),
			       false;
	buffer_printf(&remote->authorization, "Authorization: Bearer %.*s", (int)len, key);
	buffer_append_char(&remote->authorization, '\0');
	explicit_bzero(line, sizeof(line));
	return true;
}

int remote_open(struct remote *remote, const struct arguments *arguments)
{
	long long timeout_s = 0;

	*remote = (struct remote){.url = setting("STEADYCACHE_URL")};
	if (!arguments_number(arguments, OPT_TIMEOUT, 1, TIMEOUT_MAX_S,
			      arguments->command->timeout_s, &timeout_s) ||
	    !read_key(remote))
		return CLIENT_USAGE;
	remote->timeout_s = (long)timeout_s;
	if (!remote->url)
		remote->url = DEFAULT_URL;
	size_t len = strlen(remote->url);
	if (strncmp(remote->url, "http://", 7) != 0 && strncmp(remote->url, "https://", 8) != 0)
		return client_fail(
			CLIENT_USAGE,
			"STEADYCACHE_URL must begin with http:// or https://, not \"%s\"",
			remote->url);
	if (strcspn(remote->url, "?#") != len || remote->url[len - 1] == '/')
		return client_fail(CLIENT_USAGE,
				   "STEADYCACHE_URL must end behind host and port (no \"/\", "
				   "\"?\", \"#\" at its end), not \"%s\"",
				   remote->url);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		remote->curl = curl_easy_init();
	return remote->curl ? CLIENT_DONE : client_fail(CLIENT_LOCAL, "libcurl does not start");
}
