/* What the environment says of the server, and what the server says when it refuses. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "client/output.h"
#include "client/remote.h"

#define DEFAULT_URL       "http://127.0.0.1:8080"
#define DEFAULT_TIMEOUT_S 60
/* A health check must end before the one who asks gives up (Docker: 30 s). */
#define HEALTH_TIMEOUT_S 5
#define TIMEOUT_MAX_S    86400
#define KEY_MAX_BYTES    8192

static const char *setting(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

/* The first line of the file that `path` names, into `ret`. */
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
	/* Of several keys, which a server may have, the first. */
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
	bool is_health = arguments->command->run == command_healthcheck;
	long long timeout_s = 0;

	*remote = (struct remote){.url = setting("STEADYCACHE_URL")};
	if (!arguments_number(arguments, OPT_TIMEOUT, 1, TIMEOUT_MAX_S,
			      is_health ? HEALTH_TIMEOUT_S : DEFAULT_TIMEOUT_S, &timeout_s) ||
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

void remote_close(struct remote *remote)
{
	curl_easy_cleanup(remote->curl);
	if (remote->authorization.data)
		explicit_bzero(remote->authorization.data, remote->authorization.len);
	buffer_deinit(&remote->authorization);
	curl_global_cleanup();
}

int remote_refusal(const struct remote_answer *answer)
{
	int code = answer->status >= 500 ? CLIENT_UNREACHABLE : CLIENT_REFUSED;
	json_auto_t *problem =
		json_loadb(answer->body.data ? answer->body.data : "", answer->body.len, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	if (!detail)
		detail = json_string_value(json_object_get(problem, "error"));
	(void)fprintf(stderr, "steadycache: ");
	if (detail)
		output_escaped(stderr, slice_of(detail));
	else
		(void)fprintf(stderr, "the server refused");
	(void)fprintf(stderr, " (status %ld%s)\n", answer->status,
		      answer->status == 401 ? "; set STEADYCACHE_API_KEY" : "");
	return code;
}
