#include "backends/remote/settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOKEN_MAX_LEN 4096

bool remote_settings_url_is_valid(const char *url)
{
	const char *host = NULL;

	if (strncasecmp(url, "http://", 7) == 0)
		host = url + 7;
	else if (strncasecmp(url, "https://", 8) == 0)
		host = url + 8;
	if (!host || *host == '\0' || *host == '/' || *host == ':')
		return false;
	for (const char *at = host; *at; at++)
		if (*at <= ' ' || *at > '~' || *at == '?' || *at == '#' || *at == '@')
			return false;
	return true;
}

bool remote_settings_token_is_valid(const char *text)
{
	size_t len = strnlen(text, TOKEN_MAX_LEN + 1);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= TOKEN_MAX_LEN;
}

void remote_settings_deinit(struct remote_settings *settings)
{
	free(settings->base_url);
	free(settings->authorization);
	free(settings->ca_file);
	*settings = (struct remote_settings){0};
}
