#include "backends/remote/details.h"

#include <stdlib.h>

#include "base/utf8.h"

#define SENTENCE_MAX_LEN 300

void remote_details_deinit(struct remote_details *details)
{
	for (size_t i = 0; i < DETAILS_MAX; i++)
		free(details->sentences[i]);
}

const char *remote_details_keep(struct remote_details *details, struct slice sentence)
{
	if (sentence.len == 0 || sentence.len > SENTENCE_MAX_LEN || !utf8_is_valid(sentence))
		return NULL;
	for (size_t i = 0; i < sentence.len; i++)
		if ((unsigned char)sentence.data[i] < ' ')
			return NULL;
	for (size_t i = 0; i < DETAILS_MAX; i++) {
		char **kept = &details->sentences[i];

		if (!*kept)
			*kept = strndup(sentence.data, sentence.len);
		if (!*kept || slice_equal(slice_of(*kept), sentence))
			return *kept;
	}
	return NULL;
}
