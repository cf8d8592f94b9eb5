#include "backends/remote/retry_after.h"

#include <curl/curl.h>
#include <string.h>

#define RETRY_AFTER_MAX_S 86400

int64_t remote_retry_after_s(const char *value, int64_t now_s)
{
	size_t digits = strspn(value, "0123456789");
	int64_t seconds = 0;

	if (digits > 0 && value[digits] == '\0') {
		for (size_t i = 0; i < digits && seconds <= RETRY_AFTER_MAX_S; i++)
			seconds = seconds * 10 + (value[i] - '0');
	} else {
		time_t date = curl_getdate(value, NULL);

		if (date < 0)
			return -1;
		seconds = date > now_s ? (int64_t)date - now_s : 0;
	}
	return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}
