#include "backends/aws/credentials.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/aws/source.h"
#include "backends/aws/source_endpoint.h"
#include "backends/aws/source_files.h"
#include "base/clock.h"
#include "base/thread.h"

/* Keys that end are asked for again so long before, or at half of their time if that is later. */
#define BEFORE_END_US   (INT64_C(15) * 60 * US_PER_S)
#define LOOK_US         (5 * US_PER_S) /* between looks at files */
#define RETRY_MIN_US    US_PER_S       /* after a failure, doubled up to RETRY_MAX_US */
#define RETRY_MAX_US    (60 * US_PER_S)
#define REFUSED_US      (US_PER_S / 2)  /* between questions because of keys that were refused */
#define REFUSED_NEAR_US (US_PER_S / 10) /* the same, of files */
#define SENTENCES_MAX   32

struct aws_credentials {
	struct aws_source *source; /* NULL: the keys never change */
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	bool is_closing, is_refused;
	bool has_keys;
	struct aws_found found;
	const char *sentence; /* why there are none, or no later ones */
	/* All that were said, because callers keep them. */
	char *sentences[SENTENCES_MAX];
	size_t sentence_count;
};

/* ---- Sentences ---- */

static const char *keep_sentence(struct aws_credentials *credentials, const char *text)
{
	for (size_t i = 0; i < credentials->sentence_count; i++)
		if (strcmp(credentials->sentences[i], text) == 0)
			return credentials->sentences[i];
	char *copy = credentials->sentence_count < SENTENCES_MAX ? strdup(text) : NULL;
	if (!copy)
		return "there are no AWS credentials at the moment";
	credentials->sentences[credentials->sentence_count++] = copy;
	return copy;
}

/* ---- Keys ---- */

/* Headers are made of them. */
static bool is_clean(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static bool are_usable(const struct aws_keys *keys)
{
	return keys->access_key[0] && keys->secret_key[0] && is_clean(keys->access_key) &&
	       is_clean(keys->secret_key) && is_clean(keys->session_token);
}

/* Asks the source, without the lock. */
static bool ask(struct aws_credentials *credentials, struct aws_found *ret, char *error,
		size_t error_size)
{
	struct aws_source *source = credentials->source;

	if (!source->ops->ask(source, ret, error, error_size))
		return false;
	int64_t now_us = cache_clock_now_us(&system_clock);
	if (!are_usable(&ret->keys))
		(void)snprintf(error, error_size,
			       "the AWS keys that were found are empty, or have blanks in them");
	else if (ret->ends_at_us != 0 && ret->ends_at_us <= now_us)
		(void)snprintf(error, error_size,
			       "the AWS keys that were found have already ended: check this "
			       "machine's clock");
	else
		return true;
	return false;
}

/* When to ask again for keys of now, as a monotonic time. */
static int64_t next_us(const struct aws_credentials *credentials)
{
	int64_t left_us = credentials->found.ends_at_us - cache_clock_now_us(&system_clock);
	int64_t wait_us = credentials->source->ops->may_change ? LOOK_US : INT64_MAX / 2;

	if (credentials->found.ends_at_us != 0)
		wait_us = earlier_us(wait_us, left_us > 2 * BEFORE_END_US ? left_us - BEFORE_END_US
									  : left_us / 2);
	return monotonic_now_us() + (wait_us > RETRY_MIN_US ? wait_us : RETRY_MIN_US);
}

static void *run(void *user)
{
	struct aws_credentials *credentials = user;
	struct aws_found *found = calloc(1, sizeof *found);
	char error[AWS_SENTENCE_SIZE];
	int64_t refused_us = credentials->source->ops->is_near ? REFUSED_NEAR_US : REFUSED_US;
	int64_t retry_us = RETRY_MIN_US, due_us = 0, asked_us = monotonic_now_us();

	pthread_mutex_lock(&credentials->lock);
	if (credentials->has_keys)
		due_us = next_us(credentials);
	while (!credentials->is_closing) {
		int64_t until_us = credentials->is_refused
					   ? earlier_us(due_us, asked_us + refused_us)
					   : due_us;
		if (monotonic_now_us() < until_us) {
			(void)thread_wait_until(&credentials->changed, &credentials->lock,
						until_us);
			continue;
		}
		credentials->is_refused = false;
		pthread_mutex_unlock(&credentials->lock);
		(void)snprintf(error, sizeof error, "out of memory");
		bool is_ok = found && ask(credentials, found, error, sizeof error);
		asked_us = monotonic_now_us();
		pthread_mutex_lock(&credentials->lock);
		if (is_ok) {
			credentials->found = *found;
			credentials->has_keys = true;
			credentials->sentence = "the AWS keys have ended, and no others came";
			retry_us = RETRY_MIN_US;
			due_us = next_us(credentials);
			continue;
		}
		credentials->sentence = keep_sentence(credentials, error);
		due_us = monotonic_now_us() +
			 (credentials->source->ops->is_near ? RETRY_MIN_US : retry_us);
		retry_us = earlier_us(2 * retry_us, RETRY_MAX_US);
	}
	pthread_mutex_unlock(&credentials->lock);
	if (found)
		explicit_bzero(found, sizeof *found);
	free(found);
	return NULL;
}

/* ---- Open and close ---- */

static struct aws_credentials *create(struct aws_source *source)
{
	struct aws_credentials *credentials = calloc(1, sizeof *credentials);

	if (!credentials)
		return NULL;
	credentials->source = source;
	credentials->sentence = "the AWS credentials have not been read yet";
	pthread_mutex_init(&credentials->lock, NULL);
	thread_condition_init(&credentials->changed);
	return credentials;
}

struct aws_credentials *aws_credentials_open_static(const char *access_key, const char *secret_key,
						    const char *session_token, char *error,
						    size_t error_size)
{
	struct aws_credentials *credentials = create(NULL);
	const char *token = session_token ? session_token : "";

	if (!credentials) {
		(void)snprintf(error, error_size, "out of memory");
		return NULL;
	}
	struct aws_keys *keys = &credentials->found.keys;
	if (snprintf(keys->access_key, sizeof keys->access_key, "%s", access_key) <
		    (int)sizeof keys->access_key &&
	    snprintf(keys->secret_key, sizeof keys->secret_key, "%s", secret_key) <
		    (int)sizeof keys->secret_key &&
	    snprintf(keys->session_token, sizeof keys->session_token, "%s", token) <
		    (int)sizeof keys->session_token &&
	    are_usable(keys)) {
		credentials->has_keys = true;
		return credentials;
	}
	(void)snprintf(error, error_size,
		       "the access key, secret key or session token is empty, too long, or has "
		       "blanks in it");
	aws_credentials_close(credentials);
	return NULL;
}

static struct aws_credentials *open_environment(const char *access_key, char *error,
						size_t error_size)
{
	const char *secret_key = getenv("AWS_SECRET_ACCESS_KEY");

	if (!secret_key || !*secret_key) {
		(void)snprintf(error, error_size,
			       "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
		return NULL;
	}
	return aws_credentials_open_static(access_key, secret_key, getenv("AWS_SESSION_TOKEN"),
					   error, error_size);
}

/* The first that has keys, or may have them. */
static struct aws_source *find_source(char *error, size_t error_size)
{
	struct aws_source *(*const kinds[])(char *, size_t) = {
		aws_source_files, aws_source_container, aws_source_instance};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct aws_source *source = kinds[i](error, error_size);

		if (source || *error != '\0')
			return source;
	}
	(void)snprintf(error, error_size,
		       "there are no AWS credentials: set AWS_ACCESS_KEY_ID and "
		       "AWS_SECRET_ACCESS_KEY, or write them into ~/.aws/credentials "
		       "(AWS_SHARED_CREDENTIALS_FILE), or unset AWS_EC2_METADATA_DISABLED to use "
		       "the role of an instance");
	return NULL;
}

struct aws_credentials *aws_credentials_open(char *error, size_t error_size)
{
	const char *access_key = getenv("AWS_ACCESS_KEY_ID");

	if (access_key && *access_key)
		return open_environment(access_key, error, error_size);
	struct aws_source *source = find_source(error, error_size);
	if (!source)
		return NULL;
	struct aws_credentials *credentials = create(source);
	if (!credentials) {
		(void)snprintf(error, error_size, "out of memory");
		source->ops->close(source);
		return NULL;
	}
	if (source->ops->is_near) {
		credentials->has_keys = ask(credentials, &credentials->found, error, error_size);
		if (!credentials->has_keys)
			goto failed;
	}
	credentials->has_thread =
		thread_start(&credentials->thread, "aws keys", run, credentials) == 0;
	if (credentials->has_thread)
		return credentials;
	(void)snprintf(error, error_size, "no thread can be started for the AWS credentials");
failed:
	aws_credentials_close(credentials);
	return NULL;
}

void aws_credentials_close(struct aws_credentials *credentials)
{
	if (!credentials)
		return;
	pthread_mutex_lock(&credentials->lock);
	credentials->is_closing = true;
	pthread_cond_signal(&credentials->changed);
	pthread_mutex_unlock(&credentials->lock);
	if (credentials->source && credentials->source->ops->stop)
		credentials->source->ops->stop(credentials->source);
	if (credentials->has_thread)
		pthread_join(credentials->thread, NULL);
	if (credentials->source)
		credentials->source->ops->close(credentials->source);
	pthread_cond_destroy(&credentials->changed);
	pthread_mutex_destroy(&credentials->lock);
	for (size_t i = 0; i < credentials->sentence_count; i++)
		free(credentials->sentences[i]);
	explicit_bzero(credentials, sizeof *credentials);
	free(credentials);
}

/* ---- Use ---- */

bool aws_credentials_get(struct aws_credentials *credentials, struct aws_keys *ret,
			 const char **ret_sentence)
{
	int64_t now_us = cache_clock_now_us(&system_clock);

	pthread_mutex_lock(&credentials->lock);
	int64_t ends_at_us = credentials->found.ends_at_us;
	bool is_there = credentials->has_keys && (ends_at_us == 0 || ends_at_us > now_us);
	if (is_there)
		*ret = credentials->found.keys;
	else
		*ret_sentence = credentials->sentence;
	pthread_mutex_unlock(&credentials->lock);
	return is_there;
}

void aws_credentials_refused(struct aws_credentials *credentials)
{
	if (!credentials->has_thread)
		return;
	pthread_mutex_lock(&credentials->lock);
	if (!credentials->is_refused) {
		credentials->is_refused = true;
		pthread_cond_signal(&credentials->changed);
	}
	pthread_mutex_unlock(&credentials->lock);
}
