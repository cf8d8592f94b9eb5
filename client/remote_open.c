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

/* `own` is a variable that goes before those of every command; NULL: none. */
static bool read_key(struct remote *remote, const char *own)
{
	const char *key = own ? setting(own) : NULL;
	const char *path = setting("STEADYCACHE_API_KEY_FILE");
	char line[KEY_MAX_BYTES] = "";

	if (!key)
		key = setting("STEADYCACHE_API_KEY");
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
	const char *url = setting("STEADYCACHE_URL");
	long timeout_s = 0;

	*remote = (struct remote){0};
	if (!remote_open_timeout(arguments, &timeout_s))
		return CLIENT_USAGE;
	return remote_open_url(remote, url ? url : DEFAULT_URL, "STEADYCACHE_URL", NULL, timeout_s);
}

bool remote_open_timeout(const struct arguments *arguments, long *ret_s)
{
	long long timeout_s = 0;
	bool is_read = arguments_number(arguments, OPT_TIMEOUT, 1, TIMEOUT_MAX_S,
					arguments->command->timeout_s, &timeout_s);

	*ret_s = (long)timeout_s;
	return is_read;
}

int remote_open_url(struct remote *remote, const char *url, const char *source,
		    const char *key_variable, long timeout_s)
{
	*remote = (struct remote){.url = url, .source = source, .timeout_s = timeout_s};
	if (!read_key(remote, key_variable))
		return CLIENT_USAGE;
	size_t len = strlen(url);
	if (strncmp(url, "unix:/", 6) == 0)
		remote->socket = url + 5;
	else if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return client_fail(CLIENT_USAGE,
				   "%s must begin with http://, https:// or unix:/, not \"%s\"",
				   source, url);
	else if (strcspn(url, "?#") != len || url[len - 1] == '/')
		return client_fail(CLIENT_USAGE,
				   "%s must end behind host and port (no \"/\", \"?\", \"#\" at "
				   "its end), not \"%s\"",
				   source, url);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		remote->curl = curl_easy_init();
	return remote->curl ? CLIENT_DONE : client_fail(CLIENT_LOCAL, "libcurl does not start");
}
