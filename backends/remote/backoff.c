#include "backends/remote/backoff.h"

#include <curl/curl.h>
#include <string.h>

#define RETRY_AFTER_MAX_S 86400

int64_t remote_backoff_us(unsigned attempt, uint64_t random)
{
	int64_t bound_us = BACKOFF_MAX_US;

	if (attempt >= 1 && attempt <= 6)
		bound_us = BACKOFF_BASE_US << (attempt - 1);
	if (bound_us > BACKOFF_MAX_US)
		bound_us = BACKOFF_MAX_US;
	return (int64_t)(random % (uint64_t)(bound_us + 1));
}

uint64_t remote_backoff_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

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
